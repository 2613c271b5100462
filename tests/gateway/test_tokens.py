"""Counting is o200k, whatever the text's length, and never keeps others waiting."""

import base64
import itertools
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poe2openai.core.request import (
    Inline,
    Media,
    Message,
    ModelRequest,
    Reasoning,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from poe2openai.gateway.tokens import Tokenizer, count_messages, load, tokenizer

rs_bpe = pytest.importorskip("rs_bpe.bpe", reason="o200k itself is the judge here")
whole: Callable[[str], int] = rs_bpe.openai.o200k_base().count

ENGLISH = "The gateway counts what a prompt holds, and says so; don't ask it for more than that.\n"
CHINESE = "本网关在请求结束后统计输入与输出的词元数量，并在用量字段中返回。"
CODE = 'def count(self, text: str) -> int:\n    return {"tokens": len(text) // 4, "exact": False}\n\n'

# What the splitting expression looks at, so that borders of every kind come up.
PIECES = st.sampled_from(
    [
        *(
            "a",
            "Z",
            "s",
            "don't",
            "'s",
            "I'LL",
            "0",
            "123",
            "½",
            "²",
            "字",
            "한",
            "ж",
            "é",
            "e\u0301",
            "ก",
            "क्",
            "ー",
            "ǅ",
        ),
        *(" ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u3000"),
        *("/", ".", ", ", "-", "_", "=", "，", "。", "😀", "\u200d"),
    ]
)


@pytest.fixture(scope="module")
def counter() -> Tokenizer:
    return tokenizer()


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("hello world", 2), ("Hi", 1), ("<|endoftext|>", 7), ("你好，世界", 3), ("😀", 1)],
)
def test_short_texts_count_as_o200k(counter: Tokenizer, text: str, tokens: int) -> None:
    assert counter.exact
    assert counter.count(text) == tokens


def test_a_lone_surrogate_counts_instead_of_failing(counter: Tokenizer) -> None:
    assert counter.count("a \ud83d b") == counter.count("a ? b")
    assert counter.truncate("a \ud83d b", 100) == "a \ud83d b"


@pytest.mark.parametrize("text", [ENGLISH, CHINESE, CODE, ENGLISH + CHINESE + CODE])
def test_a_long_text_counts_the_same_in_slices(counter: Tokenizer, text: str) -> None:
    long_text = text * (300_000 // len(text))
    assert counter.count(long_text) == whole(long_text)


def test_base64_has_borders_too(counter: Tokenizer) -> None:
    line = base64.b64encode(random.Random(3).randbytes(300_000)).decode()
    assert counter.count(line) == whole(line)


@given(st.lists(PIECES, min_size=1, max_size=40), st.text(max_size=30), st.integers(20_000, 40_000))
@settings(max_examples=150, deadline=None)
def test_slices_are_cut_where_o200k_cuts(pieces: list[str], other: str, length: int) -> None:
    # A letter between spaces gives each slice a border that it can find.
    unit = "".join(pieces) + other + " b c d "
    text = (unit * (length // len(unit) + 1))[:length]
    assert tokenizer().count(text) == whole(text)


@pytest.mark.parametrize("character", ["a", " ", "\n", "=", "😀", "的", "\u0301"])
def test_a_text_without_a_border_counts_nearly_the_same(counter: Tokenizer, character: str) -> None:
    text = character * 200_000
    assert counter.count(text) == pytest.approx(whole(text), rel=0.001)


@pytest.mark.parametrize("text", [ENGLISH, "=", "的", "9f8A", " ", "\n \t"])
def test_counting_a_megabyte_lets_others_run(counter: Tokenizer, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    turns = [time.thread_time()]
    monkeypatch.setattr(time, "sleep", lambda _seconds: turns.append(time.thread_time()))
    counter.count(text * (1_000_000 // len(text)))
    turns.append(time.thread_time())
    waits = sorted(later - earlier for earlier, later in itertools.pairwise(turns))
    assert len(turns) > 5
    assert waits[int(len(waits) * 0.95)] < 0.05


def test_an_ordinary_prompt_is_counted_in_time(counter: Tokenizer) -> None:
    prompt = ENGLISH * (100_000 // len(ENGLISH))
    costs = []
    for _ in range(5):
        began = time.thread_time()
        counter.count(prompt)
        costs.append(time.thread_time() - began)
    # 4 ms on the machine where the bar of 8 ms was set; others may be slower.
    assert min(costs) < 0.04


def test_beyond_four_million_characters_the_rest_is_taken_to_be_alike() -> None:
    seen = 0

    def count_slice(text: str) -> int:
        nonlocal seen
        seen += len(text)
        return len(text)

    assert Tokenizer(count_slice, exact=True).count("a" * 9_000_000) == 9_000_000
    assert seen < 4_300_000


def test_a_prompt_of_many_long_texts_is_counted_up_to_four_million_characters_too() -> None:
    seen = 0

    def count_slice(text: str) -> int:
        nonlocal seen
        seen += len(text)
        return len(text)

    long = request(*(Message("user", (Text("a" * 100_000),)) for _ in range(100)))
    assert count_messages(long, Tokenizer(count_slice, exact=True)) == 10_000_000 + 100 * 4 + 3
    assert seen < 4_300_000


def test_a_prompt_of_many_short_texts_lets_others_run(counter: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    turns = 0

    def sleep(_seconds: float) -> None:
        nonlocal turns
        turns += 1

    monkeypatch.setattr(time, "sleep", sleep)
    count_messages(request(*(Message("user", (Text(ENGLISH * 10),)) for _ in range(2000))), counter)
    assert turns > 5


@given(st.one_of(st.lists(PIECES, max_size=40).map("".join), st.text(max_size=60)), st.integers(-1, 30))
@settings(max_examples=400, deadline=None)
def test_truncating_keeps_as_much_as_fits(text: str, limit: int) -> None:
    fitting = tokenizer().truncate(text, limit)
    longest = max((k for k in range(len(text) + 1) if tokenizer().count(text[:k]) <= limit), default=0)
    assert fitting == text[:longest]


@pytest.mark.parametrize("text", [ENGLISH, CHINESE, CODE, "的", "a"])
@pytest.mark.parametrize("limit", [1, 3000, 20_000])
def test_truncating_a_long_text(counter: Tokenizer, text: str, limit: int) -> None:
    long_text = text * (200_000 // len(text))
    fitting = counter.truncate(long_text, limit)
    assert long_text.startswith(fitting)
    assert limit - 3 <= counter.count(fitting) <= limit
    assert counter.truncate(long_text, 10**9) == long_text


def test_the_estimate_is_near_and_says_that_it_is_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for library in ("rs_bpe.bpe", "bpe_openai"):
        monkeypatch.setitem(sys.modules, library, None)
    estimate = load()
    assert not estimate.exact
    (warning,) = caplog.records
    assert warning.levelname == "WARNING"
    assert "tokens are estimated" in warning.getMessage()
    for text in (ENGLISH, CHINESE, CODE):
        assert estimate.count(text * 100) == pytest.approx(whole(text * 100), rel=0.2)
    assert estimate.count("") == 0
    assert estimate.count("\ud83d") == 1
    assert estimate.count(estimate.truncate(ENGLISH * 1000, 500)) == 500


def test_bpe_openai_takes_over_where_rs_bpe_is_missing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("bpe_openai")
    monkeypatch.setitem(sys.modules, "rs_bpe.bpe", None)
    second = load()
    assert second.exact
    assert not caplog.records
    for text in (ENGLISH * 3000, CHINESE * 3000, "<|endoftext|>", "a \ud83d b"):
        assert second.count(text) == tokenizer().count(text)


def test_all_threads_share_one_tokenizer() -> None:
    found: list[Tokenizer] = []
    threads = [threading.Thread(target=lambda: found.append(tokenizer())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(found) == 8
    assert len(set(map(id, found))) == 1


def test_importing_loads_no_vocabulary() -> None:
    code = "import sys, poe2openai.gateway.tokens; print('rs_bpe' in sys.modules or 'bpe_openai' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert run.stdout.strip() == "False"


def request(*messages: Message, tools: tuple[Tool, ...] = ()) -> ModelRequest:
    return ModelRequest(model="gpt-5", messages=messages, tools=tools)


def test_a_prompt_counts_its_text_and_openais_overhead(counter: Tokenizer) -> None:
    # OpenAI's own API says 9 for this request.
    assert count_messages(request(Message("user", (Text("hello world"),))), counter) == 9
    two = request(Message("system", (Text("hello"), Text(" world"))), Message("user", (Text("hello world"),)))
    assert count_messages(two, counter) == 15


def test_a_prompt_counts_tools_calls_and_results(counter: Tokenizer) -> None:
    plain = count_messages(request(Message("user", ())), counter)
    call = Message("assistant", (ToolCall("call_1", "weather", '{"city": "Bern"}'),))
    result = Message("tool", (ToolResult("call_1", (Text("hello world"), Text("Hi"))),))
    assert count_messages(request(call), counter) == plain + counter.count("weather") + counter.count(
        '{"city": "Bern"}'
    )
    assert count_messages(request(result), counter) == plain + 3
    tool = Tool("weather", "Tells the weather", {"type": "object", "properties": {"city": {"type": "string"}}})
    counted = count_messages(request(Message("user", ()), tools=(tool, Tool("now", None, None))), counter)
    assert plain + 20 < counted < plain + 60


def test_a_prompt_counts_what_the_gateway_adds_and_tools_only_where_they_are_sent_by_themselves(
    counter: Tokenizer,
) -> None:
    tool = Tool("weather", "Tells the weather", {"type": "object", "properties": {"city": {"type": "string"}}})
    asked = request(Message("user", (Text("hello world"),)), tools=(tool,))
    bare = count_messages(asked, counter, tools=False)
    assert bare == 9
    assert count_messages(asked, counter) > bare
    prompts = ("Call the tools.", "Answer in JSON.")
    added = sum(map(counter.count, prompts))
    assert count_messages(asked, counter, prompts=prompts, tools=False) == bare + added
    assert count_messages(asked, counter, prompts=prompts) == count_messages(asked, counter) + added


def test_media_and_thoughts_count_nothing(counter: Tokenizer) -> None:
    picture = Media(Inline("iVBORw0KGgo" * 1000), "image/png", None, "messages[0].content[0]")
    message = Message("user", (picture, Reasoning("a long thought"), Text("hello world")))
    assert count_messages(request(message), counter) == 9
