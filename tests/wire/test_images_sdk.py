"""Pictures through OpenAI's SDK, from bots on `fastapi_poe` and from a scripted Poe that shows what a bot was asked."""

import base64
import json
import threading
from collections.abc import Callable
from typing import Any

import httpx
import openai
import pytest

from tests.support import sample_files
from tests.support.bot_server import BotServer
from tests.support.fixtures import GatewayFactory
from tests.support.gateway import Gateway
from tests.support.poe_models import entry
from tests.support.poe_script import Step, done, file, json_reply, replace, text, until
from tests.support.scripted_poe import ScriptedPoe
from tests.support.sending import data_url, new_key

Clients = Callable[..., openai.OpenAI]

PNG = sample_files.png()
BLUE = sample_files.png(9, 8, (30, 30, 200))
CHAT: Any = {"messages": [{"role": "user", "content": "a cat"}], "model": "picture"}
POECDN = "https://pfst.cf2.poecdn.net/base/image/0123?w=8&h=8"


@pytest.fixture
def bots(make_gateway: GatewayFactory, poe_bots: BotServer, openai_client: Clients) -> openai.OpenAI:
    return openai_client(make_gateway(poe_url=poe_bots.url))


@pytest.fixture
def client(gateway: Gateway, openai_client: Clients) -> openai.OpenAI:
    return openai_client(gateway)


def data_of(image: Any) -> bytes:
    return base64.b64decode(image.b64_json, validate=True)


def names(images: Any) -> list[str]:
    return [image.url.rpartition("/")[2] for image in images.data]


def fetched(url: str) -> bytes:
    with httpx.Client(trust_env=False) as client:
        return client.get(url).content


class TestForms:
    def test_the_address_and_the_bytes_where_nobody_says_which(self, bots: openai.OpenAI) -> None:
        answer = bots.images.generate(model="picture", prompt="a cat")
        assert answer.data is not None
        (image,) = answer.data
        assert image.url is not None
        assert data_of(image) == fetched(image.url) == PNG
        assert answer.output_format == "png"
        assert answer.created > 1_700_000_000
        # Neither progress nor the picture's own markdown is a word of the bot.
        assert image.revised_prompt is None

    def test_the_address_alone_and_nothing_is_fetched(self, client: openai.OpenAI, poe: ScriptedPoe) -> None:
        url = poe.serve("cat.png", PNG, "image/png")
        poe.script("bot", text("![a cat][r]"), file(url, ref="r"), done())
        raw = client.images.with_raw_response.generate(model="bot", prompt="a cat", response_format="url")
        assert json.loads(raw.content)["data"] == [{"url": url}]
        assert not poe.served

    def test_the_bytes_alone_with_no_address_beside_them(self, bots: openai.OpenAI) -> None:
        raw = bots.images.with_raw_response.generate(model="picture", prompt="a cat", response_format="b64_json")
        assert json.loads(raw.content)["data"] == [{"b64_json": base64.b64encode(PNG).decode()}]

    def test_what_the_bot_says_beside_the_picture(self, bots: openai.OpenAI) -> None:
        answer = bots.images.generate(model="plain_picture", prompt="a cat", response_format="b64_json")
        assert answer.data is not None
        assert (data_of(answer.data[0]), answer.data[0].revised_prompt) == (PNG, "Here it is.")

    def test_the_form_is_of_the_bytes_whatever_the_bot_calls_it(self, client: openai.OpenAI, poe: ScriptedPoe) -> None:
        poe.script("bot", file(poe.serve("cat.png", sample_files.webp(), "image/png")), done())
        assert client.images.generate(model="bot", prompt="a cat").output_format == "webp"


class TestSeveral:
    def test_one_query_where_the_bot_makes_several_at_once(self, bots: openai.OpenAI) -> None:
        answer = bots.images.generate(model="pictures", prompt="a cat", n=3)
        assert names(answer) == ["picture-0.png", "picture-1.png", "picture-2.png"]
        assert len({image.b64_json for image in answer.data or ()}) == 3

    def test_as_few_queries_as_its_most_allows(self, bots: openai.OpenAI) -> None:
        answer = bots.images.generate(model="pictures", prompt="a cat", n=6, response_format="url")
        assert names(answer) == [f"picture-{number}.png" for number in (0, 1, 2, 3, 0, 1)]

    def test_a_query_each_otherwise(self, client: openai.OpenAI, poe: ScriptedPoe) -> None:
        urls = [poe.serve(f"{number}.png", PNG, "image/png") for number in range(3)]
        for url in urls:
            poe.script("bot", file(url), done())
        answer = client.images.generate(model="bot", prompt="a cat", n=3, response_format="url")
        assert {image.url for image in answer.data or ()} == set(urls)
        assert len(poe.queries("bot")) == 3

    def test_the_same_in_a_stream(self, bots: openai.OpenAI) -> None:
        for model in ("picture", "pictures"):
            events = list(bots.images.generate(model=model, prompt="a cat", n=3, stream=True))
            assert [event.type for event in events] == ["image_generation.completed"] * 3

    def test_in_a_stream_each_comes_as_soon_as_it_is_done(self, client: openai.OpenAI, poe: ScriptedPoe) -> None:
        """The slow one is let go on by the arrival of the fast one alone: were it waited for, nothing would come."""
        go_on = threading.Event()
        url = poe.serve("a.png", PNG, "image/png")
        poe.script("bot", until(go_on), file(url), done())
        poe.script("bot", file(url), done())
        events = client.images.generate(model="bot", prompt="a cat", n=2, stream=True)
        first = next(iter(events))
        assert not go_on.is_set()
        go_on.set()
        assert [first.type, *(event.type for event in events)] == ["image_generation.completed"] * 2
        assert first.usage.input_tokens > 0


class TestOptions:
    LISTED = entry(
        "Draws",
        parameters=[
            {"name": "aspect", "schema": {"enum": ["16:9", "1:1", "2:3"]}},
            {"name": "quality", "schema": {"enum": ["low", "medium", "high"]}},
            {"name": "output_format", "schema": {"enum": ["png", "webp"]}},
            {"name": "seed", "schema": {"type": "number"}},
        ],
    )

    def asked(self, poe: ScriptedPoe, bot: str) -> dict[str, Any]:
        parameters: dict[str, Any] = poe.queries(bot)[-1].messages[-1].get("parameters", {})
        return parameters

    def test_openais_words_in_those_of_the_bot(
        self, make_gateway: GatewayFactory, poe: ScriptedPoe, openai_client: Clients
    ) -> None:
        poe.route("GET /v1/models", json_reply(200, {"object": "list", "data": [self.LISTED]}))
        poe.script("draws", file(POECDN), done())
        client = openai_client(make_gateway(fresh=True))
        assert [model.id for model in client.models.list()] == ["draws"]
        ask: dict[str, Any] = {"model": "draws", "prompt": "a cat", "response_format": "url"}

        client.images.generate(**ask, size="1024x1536", quality="xhigh", output_format="webp", extra_body={"seed": 7})
        assert self.asked(poe, "draws") == {"aspect": "2:3", "quality": "high", "output_format": "webp", "seed": 7}
        assert poe.queries("draws")[0].messages[-1]["content"] == "a cat"

        client.images.generate(**ask, size="auto", quality="auto", output_format="jpeg", background="transparent")
        assert self.asked(poe, "draws") == {}

        client.images.generate(**ask, size="1792x1024", quality="low", user="me", moderation="low")
        assert self.asked(poe, "draws") == {"aspect": "16:9", "quality": "low"}

        client.images.edit(**ask, image=("a.png", PNG), size="512x512", extra_body={"seed": 8})
        assert self.asked(poe, "draws")["aspect"] == "1:1"
        assert str(self.asked(poe, "draws")["seed"]) == "8"

    def test_a_bot_that_is_not_listed_gets_them_as_they_are(self, client: openai.OpenAI, poe: ScriptedPoe) -> None:
        poe.script("bot", file(POECDN), done())
        client.images.generate(
            model="bot",
            prompt="a cat",
            response_format="url",
            size="1024x1024",
            quality="high",
            extra_body={"seed": 7, "extra_body": {"steps": 30}},
        )
        assert self.asked(poe, "bot") == {"size": "1024x1024", "quality": "high", "seed": 7, "steps": 30}


class TestWhatIsThePicture:
    def test_a_link_in_the_text_alone(self, client: openai.OpenAI, poe: ScriptedPoe) -> None:
        own = poe.serve("own.png", PNG, "image/png")
        poe.script("bot", text(f"Look:\n\n![a cat]({POECDN}"), text(f") and ![another]({own}).\n"), done())
        answer = client.images.generate(model="bot", prompt="a cat", response_format="url")
        assert [image.url for image in answer.data or ()] == [POECDN, own]
        poe.script("own", text(f"![a cat]({own})"), done())
        answer = client.images.generate(model="own", prompt="a cat", response_format="b64_json")
        assert [data_of(image) for image in answer.data or ()] == [PNG]

    def test_a_link_to_another_place_is_no_picture_of_the_bots(self, client: openai.OpenAI, poe: ScriptedPoe) -> None:
        poe.script("bot", text("![a cat](https://example.com/cat.png)"), done())
        with pytest.raises(openai.UnprocessableEntityError):
            client.images.generate(model="bot", prompt="a cat", response_format="url")

    def test_one_that_another_took_the_place_of(self, client: openai.OpenAI, poe: ScriptedPoe) -> None:
        rough, fine = poe.serve("rough.png", BLUE, "image/png"), poe.serve("fine.png", PNG, "image/png")
        steps: list[Step] = [
            replace("Generating image... (50% complete)\n\n![rough][r1]"),
            file(rough, name="rough.png", ref="r1"),
            replace("![fine][r2]"),
            file(fine, name="fine.png", ref="r2"),
            done(),
        ]
        poe.script("bot", *steps)
        answer = client.images.generate(model="bot", prompt="a cat")
        assert [data_of(image) for image in answer.data or ()] == [PNG]

        events = list(client.images.generate(model="bot", prompt="a cat", stream=True, partial_images=1))
        shown = [(event.type, base64.b64decode(event.b64_json)) for event in events]
        assert shown == [("image_generation.partial_image", BLUE), ("image_generation.completed", PNG)]
        assert getattr(events[0], "partial_image_index", None) == 0

        events = list(client.images.generate(model="bot", prompt="a cat", stream=True))
        assert [event.type for event in events] == ["image_generation.completed"]

    def test_the_same_picture_twice_is_one(self, client: openai.OpenAI, poe: ScriptedPoe) -> None:
        poe.script("bot", file(POECDN, ref="a"), file(POECDN, ref="b"), text("![x][a] ![x][b]"), done())
        answer = client.images.generate(model="bot", prompt="a cat", response_format="url")
        assert len(answer.data or ()) == 1

    def test_a_stream_without_addresses(self, client: openai.OpenAI, poe: ScriptedPoe) -> None:
        poe.script("bot", file(poe.serve("cat.png", PNG, "image/png")), done())
        events = list(client.images.generate(model="bot", prompt="x", stream=True, response_format="b64_json"))
        assert [getattr(event, "url", None) for event in events] == [None]
        assert base64.b64decode(events[0].b64_json) == PNG


class TestRefusals:
    def test_a_bot_that_draws_nothing_is_quoted_and_not_asked_again(
        self, make_gateway: GatewayFactory, poe_bots: BotServer, openai_client: Clients
    ) -> None:
        gateway = make_gateway(poe_url=poe_bots.url)
        before = len(gateway.log())
        client = openai_client(gateway, max_retries=2)
        with pytest.raises(openai.UnprocessableEntityError, match="I cannot draw this.") as caught:
            client.images.generate(model="refuser", prompt="a cat")
        assert caught.value.code == "no_file_in_answer"
        assert caught.value.type == "invalid_request_error"
        gateway.wait_log("error=no_file_in_answer", start=before)
        assert gateway.log()[before:].count("path=/v1/images/generations") == 1

    def test_the_same_in_a_stream(self, bots: openai.OpenAI) -> None:
        with pytest.raises(openai.APIError, match="I cannot draw this."):
            list(bots.images.generate(model="refuser", prompt="a cat", stream=True))

    def test_another_kind_of_file_is_named(self, bots: openai.OpenAI) -> None:
        with pytest.raises(openai.UnprocessableEntityError, match="audio/wav"):
            bots.images.generate(model="speech", prompt="a cat")


class TestEdits:
    """What arrives, as the bot `attachments` tells it; its text stands where OpenAI's shape has one for the bot's."""

    def told(self, answer: Any) -> list[dict[str, Any]]:
        attachments: list[dict[str, Any]] = json.loads(answer.data[0].revised_prompt)["messages"][-1]["attachments"]
        return attachments

    def test_one_picture(self, bots: openai.OpenAI) -> None:
        answer = bots.images.edit(model="attachments", prompt="blue", image=("a.png", BLUE, "image/png"))
        (one,) = self.told(answer)
        assert (one["name"], one["content_type"], fetched(one["url"])) == ("a.png", "image/png", BLUE)
        answer = bots.images.edit(model="picture", prompt="blue", image=BLUE)
        assert [data_of(image) for image in answer.data or ()] == [PNG]

    def test_several_and_a_mask_which_comes_last(self, bots: openai.OpenAI) -> None:
        files = [sample_files.png(8 + number, 8) for number in range(4)]
        given: Any = [(f"{number}.png", data) for number, data in enumerate(files[:3])]
        answer = bots.images.edit(model="attachments", prompt="blue", image=given, mask=("mask.png", files[3]))
        told = self.told(answer)
        assert [one["name"] for one in told] == ["0.png", "1.png", "2.png", "mask.png"]
        assert [fetched(one["url"]) for one in told] == files

    def test_the_bot_is_told_what_the_mask_is(self, client: openai.OpenAI, poe: ScriptedPoe) -> None:
        poe.script("bot", file(POECDN), done())
        ask: dict[str, Any] = {"model": "bot", "prompt": "blue", "image": ("a.png", PNG), "response_format": "url"}
        client.images.edit(**ask)
        client.images.edit(**ask, mask=("m.png", BLUE))
        plain, masked = [query.messages[-1]["content"] for query in poe.queries("bot")]
        assert plain == "blue"
        assert masked.startswith("blue\n")
        assert "mask" in masked

    def test_pictures_named_in_json(self, bots: openai.OpenAI) -> None:
        kept = bots.files.create(file=("kept.png", PNG), purpose="vision")
        for images in (
            [{"image_url": data_url(BLUE)}, {"file_id": kept.id}],
            [data_url(BLUE), kept.id],
            [{"image_url": {"url": data_url(BLUE)}}, {"file_id": kept.id}],
        ):
            body = {"model": "attachments", "prompt": "blue", "images": images}
            answer = bots.post("/images/edits", body=body, cast_to=openai.types.ImagesResponse)
            assert [fetched(one["url"]) for one in self.told(answer)] == [BLUE, PNG]

    def test_a_large_one_in_json(self, bots: openai.OpenAI) -> None:
        large = PNG + bytes(range(256)) * 4000
        body = {"model": "attachments", "prompt": "blue", "image": data_url(large)}
        answer = bots.post("/images/edits", body=body, cast_to=openai.types.ImagesResponse)
        assert [fetched(one["url"]) for one in self.told(answer)] == [large]

    def test_an_unknown_file_id(self, bots: openai.OpenAI) -> None:
        body = {"model": "attachments", "prompt": "blue", "image": "file-0000"}
        with pytest.raises(openai.APIStatusError, match="file-0000") as caught:
            bots.post("/images/edits", body=body, cast_to=openai.types.ImagesResponse)
        assert caught.value.status_code in (400, 404)
        assert caught.value.param == "image"

    def test_no_picture_and_an_empty_one(self, bots: openai.OpenAI) -> None:
        with pytest.raises(openai.BadRequestError) as caught:
            bots.post("/images/edits", body={"model": "picture", "prompt": "x"}, cast_to=openai.types.ImagesResponse)
        assert caught.value.param == "image"
        with pytest.raises(openai.BadRequestError) as caught:
            bots.images.edit(model="picture", prompt="x", image=("a.png", b""))
        assert caught.value.param == "image"

    def test_a_stream(self, bots: openai.OpenAI) -> None:
        events = list(bots.images.edit(model="picture", prompt="x", image=("a.png", BLUE), stream=True))
        assert [event.type for event in events] == ["image_edit.completed"]
        assert base64.b64decode(events[0].b64_json) == PNG


class TestChat:
    def test_pictures_beside_the_text_where_they_are_asked_for(self, bots: openai.OpenAI) -> None:
        modalities: Any = ["text", "image"]
        message = bots.chat.completions.create(**CHAT, modalities=modalities).choices[0].message
        (image,) = getattr(message, "images", [])
        assert image["type"] == "image_url"
        assert fetched(image["image_url"]["url"]) == PNG
        assert message.content == f"![a cat]({image['image_url']['url']})"

        chunks = list(bots.chat.completions.create(**CHAT, modalities=modalities, stream=True))
        deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
        (shown,) = [images for delta in deltas if (images := getattr(delta, "images", None))]
        assert "".join(delta.content or "" for delta in deltas) == f"![a cat]({shown[0]['image_url']['url']})"

    def test_none_otherwise(self, bots: openai.OpenAI) -> None:
        for modalities in (None, ["text"]):
            given: Any = {} if modalities is None else {"modalities": modalities}
            message = bots.chat.completions.create(**CHAT, **given).choices[0].message
            assert "images" not in message.model_dump(exclude_unset=True)
            for chunk in bots.chat.completions.create(**CHAT, **given, stream=True):
                assert all("images" not in choice.delta.model_dump(exclude_unset=True) for choice in chunk.choices)


def test_the_key_is_in_no_log(make_gateway: GatewayFactory, poe_bots: BotServer, openai_client: Clients) -> None:
    gateway, key = make_gateway(poe_url=poe_bots.url), new_key()
    client = openai_client(gateway, key)
    client.images.generate(model="picture", prompt="a cat")
    client.images.edit(model="picture", prompt="a cat", image=("a.png", PNG))
    with pytest.raises(openai.UnprocessableEntityError) as caught:
        client.images.generate(model="refuser", prompt="a cat")
    assert key not in str(caught.value.body)
    assert key not in gateway.log()
