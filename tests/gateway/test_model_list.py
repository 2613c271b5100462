import logging
import threading
import time
from collections.abc import Callable, Iterator

import orjson
import pytest

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.dialects.catalog import openai_list
from poe2openai.gateway import model_list
from poe2openai.gateway.model_list import ModelList, clean
from tests.support.poe_models import ListedPoe, poe_list
from tests.support.waiting import comes

DOWN = GatewayError(ErrorKind.UPSTREAM_UNREACHABLE, "Poe cannot be reached.", upstream_status=None)


@pytest.fixture
def lists() -> Iterator[Callable[..., ModelList]]:
    """Makes lists, and ends their threads with the test."""
    made: list[ModelList] = []

    def make(poe: ListedPoe, refresh_seconds: float = 600.0) -> ModelList:
        made.append(ModelList(poe.fetch, refresh_seconds))
        return made[-1]

    yield make
    for each in made:
        each.stop()


Make = Callable[..., ModelList]


class TestFirstRequest:
    def test_it_fetches_once_and_then_never_again(self, lists: Make) -> None:
        poe = ListedPoe(poe_list("A", "B"))
        models = lists(poe)
        models.load()
        models.load()
        assert models.entries == tuple(poe.answer)
        assert poe.asked == 1

    def test_many_at_once_make_one_fetch(self, lists: Make) -> None:
        poe = ListedPoe(poe_list("A"))
        poe.may_answer.clear()
        models = lists(poe)
        threads = [threading.Thread(target=models.load) for _ in range(20)]
        for thread in threads:
            thread.start()
        assert comes(lambda: poe.asked == 1)
        poe.may_answer.set()
        for thread in threads:
            thread.join(5)
        assert poe.asked == 1
        assert models.entries is not None

    def test_it_does_not_wait_long(self, lists: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(model_list, "FIRST_WAIT_SECONDS", 0.1)
        poe = ListedPoe(poe_list("A"))
        poe.may_answer.clear()
        models = lists(poe)
        with pytest.raises(GatewayError) as caught:
            models.load()
        assert caught.value.kind is ErrorKind.UPSTREAM_TIMEOUT
        # What nobody waits for any more is still of use.
        poe.may_answer.set()
        assert comes(lambda: models.entries is not None)
        assert poe.asked == 1

    def test_poes_error_comes_through(self, lists: Make) -> None:
        poe = ListedPoe(GatewayError(ErrorKind.RATE_LIMIT, "Slow down.", retry_after=7.0, upstream_status=429))
        models = lists(poe)
        with pytest.raises(GatewayError) as caught:
            models.load()
        error = caught.value
        assert (error.kind, error.message, error.retry_after, error.upstream_status) == (
            ErrorKind.RATE_LIMIT,
            "Slow down.",
            7.0,
            429,
        )

    def test_a_failure_is_not_tried_again_at_once(self, lists: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(model_list, "FAILED_FOR_SECONDS", 0.2)
        poe = ListedPoe(DOWN)
        models = lists(poe)
        for _ in range(5):
            with pytest.raises(GatewayError):
                models.load()
        assert poe.asked == 1
        poe.answer = poe_list("A")
        time.sleep(0.25)
        models.load()
        assert poe.asked == 2

    def test_a_surprise_is_an_error_too(self, lists: Make, caplog: pytest.LogCaptureFixture) -> None:
        models = lists(ListedPoe(KeyError("data")))
        with pytest.raises(GatewayError) as caught:
            models.load()
        assert caught.value.kind is ErrorKind.INTERNAL
        assert "KeyError" in caplog.text


class TestFresh:
    def test_it_asks_poe_each_time_and_edits_nothing(self, lists: Make) -> None:
        odd = [*poe_list("A"), {"object": "thing without an id"}, *poe_list("a")]
        poe = ListedPoe(odd)
        models = lists(poe)
        assert models.fresh() == odd
        poe.answer = poe_list("B")
        assert models.fresh() == poe.answer
        assert poe.asked == 2
        assert models.entries == tuple(poe.answer)

    def test_poe_down_is_an_error_though_there_is_a_list(self, lists: Make) -> None:
        poe = ListedPoe(poe_list("A"))
        models = lists(poe)
        models.load()
        poe.answer = DOWN
        with pytest.raises(GatewayError, match="cannot be reached"):
            models.fresh()
        assert models.entries is not None


class TestNestedTooDeeply:
    @pytest.mark.parametrize("levels", [240, 253, 500, 1000])
    def test_an_entry_that_cannot_be_written_is_left_out(
        self, lists: Make, caplog: pytest.LogCaptureFixture, levels: int
    ) -> None:
        deep = orjson.loads(b'{"id": "deep", "metadata": ' + b"[" * levels + b"]" * levels + b"}")
        poe = ListedPoe([*poe_list("A"), deep, {"odd": "thing"}, *poe_list("B")])
        models = lists(poe)
        fresh = models.fresh()
        models.load()
        assert models.entries is not None
        for entries in (fresh, list(models.entries)):
            openai_list([entry for entry in entries if "id" in entry])
            orjson.dumps({"object": "list", "data": entries})
        assert [entry["id"] for entry in models.entries if entry["id"] != "deep"] == ["a", "b"]
        if levels >= 253:
            assert fresh == [*poe_list("A"), {"odd": "thing"}, *poe_list("B")]
            assert "nested too deeply are left out: 1" in caplog.text
        else:
            assert deep in models.entries

    def test_a_list_of_nothing_else_is_no_list(self, lists: Make) -> None:
        deep = orjson.loads(b'{"id": "deep", "a": ' + b"[" * 500 + b"]" * 500 + b"}")
        with pytest.raises(GatewayError) as caught:
            lists(ListedPoe([deep])).load()
        assert caught.value.kind is ErrorKind.UPSTREAM_INVALID


class TestBackground:
    def test_it_keeps_the_list_fresh_one_fetch_at_a_time(self, lists: Make) -> None:
        poe = ListedPoe(poe_list("A"))
        models = lists(poe, 0.05)
        models.start()
        models.start()
        assert comes(lambda: models.entries is not None)
        poe.answer = poe_list("A", "B")
        assert comes(lambda: len(models.entries or ()) == 2)
        assert poe.most_at_once == 1
        models.stop()
        time.sleep(0.2)
        asked = poe.asked
        time.sleep(0.2)
        assert poe.asked == asked

    @pytest.mark.parametrize(
        "answer", [DOWN, ValueError("?"), [], {}, "text", None, [{}, {"id": None}, {"id": " "}, 7]]
    )
    def test_what_is_no_list_changes_nothing(self, lists: Make, answer: object) -> None:
        poe = ListedPoe(poe_list("A"))
        models = lists(poe, 0.05)
        models.start()
        assert comes(lambda: models.entries is not None)
        before = models.entries
        poe.answer = answer
        asked = poe.asked
        assert comes(lambda: poe.asked >= asked + 3)
        assert models.entries is before

    def test_the_same_list_stays_the_same_object(self, lists: Make) -> None:
        poe = ListedPoe(poe_list("A"))
        models = lists(poe)
        models.fresh()
        before = models.entries
        poe.answer = poe_list("A")
        models.fresh()
        assert models.entries is before

    def test_a_failure_is_tried_again_sooner_than_the_next_refresh(
        self, lists: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(model_list, "RETRY_SECONDS", 0.05)
        poe = ListedPoe(DOWN)
        models = lists(poe, 600.0)
        with caplog.at_level(logging.WARNING):
            models.start()
            assert comes(lambda: poe.asked == 4)
        # 0.05, 0.1 and 0.2 seconds, each with its jitter.
        assert poe.asked_at[3] - poe.asked_at[0] >= 0.25
        assert len(caplog.records) == 1
        poe.answer = poe_list("A")
        assert comes(lambda: models.entries is not None)

    def test_poes_retry_after_is_respected(self, lists: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(model_list, "RETRY_SECONDS", 0.01)
        poe = ListedPoe(GatewayError(ErrorKind.RATE_LIMIT, "Slow down.", retry_after=0.5))
        models = lists(poe)
        models.start()
        assert comes(lambda: poe.asked == 2)
        assert poe.asked_at[1] - poe.asked_at[0] >= 0.4


def test_clean_keeps_the_first_of_each_name() -> None:
    first, second, odd = {"id": "a", "n": 1}, {"id": " A "}, {"id": "b", "metadata": None}
    assert clean([first, second, None, odd, "c", {"id": 5}]) == (first, odd)
