"""The overview as the gateway renders it: its numbers, its spans, and what is whose text."""

import re
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from poe2openai.store.record_queries import Share
from poe2openai.web.admin.overview import points_spent, reasons, span_of
from poe2openai.web.words import words
from tests.support.admin import PASSWORD, Visitor
from tests.support.admin_data import (
    EVIL,
    NOTHING,
    POE_KEYS,
    TOKENS,
    MadeUpBalances,
    MadeUpRecords,
    MakeApp,
    entry,
    history,
    made_up_app,
    overview,
    visitor,
    words_of,
)
from tests.support.fixtures import GatewayFactory
from tests.support.scripted_poe import ScriptedPoe

HOUR, DAY = 3600, 86_400
NOON = 1_763_726_400.0  # 2025-11-21 12:00 UTC


@pytest.fixture
def make_app(poe: ScriptedPoe, tmp_path: Path) -> MakeApp:
    return partial(made_up_app, poe.url, tmp_path)


class TestSpans:
    def test_a_day_is_24_hours_that_end_with_this_one(self) -> None:
        span = span_of("day", NOON + 1800)
        assert (span.since, span.until, span.step, span.count) == (NOON - 23 * HOUR, NOON + HOUR, HOUR, 24)
        assert span_of(None, NOON) == span_of("day", NOON) == span_of("year", NOON)

    def test_a_month_is_30_days_of_the_browsers(self) -> None:
        span = span_of("month", NOON, 8 * 60)
        midnight = NOON - 20 * HOUR  # noon in UTC is 20:00 in UTC+8
        assert (span.since, span.until) == (midnight - 29 * DAY, midnight + DAY)

    def test_half_hour_zones_have_hours_of_their_own(self) -> None:
        assert span_of("day", NOON, 330).until == NOON + 1800

    def test_places(self) -> None:
        span = span_of("day", NOON)
        assert [span.place(at) for at in (span.since - 1, span.since, NOON, span.until)] == [None, 0, 23, None]


def test_the_numbers(make_app: MakeApp) -> None:
    now = overview(requests=4812, failed=19, tokens_in=3_400_000, tokens_out=812_000)
    records = MadeUpRecords(entries=[entry()], now=now, before=4296)
    with make_app(records=records) as app:
        text = words_of(visitor(app).get("/admin/").text)
    assert "Requests 4,812 +12 % on the 24 hours before" in text
    assert "First token, median 0.62 s p95 1.9 s" in text
    assert "Failed 0.4 % 14 no points, 4 rate limited, 1 cut off" in text
    assert "Tokens 4.2M 3.4M in · 812K out" in text
    assert "Poe answers in 0.62 s" in text
    assert "claude-sonnet-4.5 402 0.7 % 1.8M → 420K 0.71 s" in text
    assert "nano-banana 31 6.5 % 4.1K → 0 –" in text


@pytest.mark.parametrize(("query", "hours", "step"), [("", 24, HOUR), ("?span=month", 720, DAY)])
def test_the_span_is_asked_for_and_compared_with_the_one_before(
    make_app: MakeApp, query: str, hours: int, step: int
) -> None:
    records = MadeUpRecords(entries=[entry()])
    with make_app(records=records) as app:
        page = visitor(app).get(f"/admin/{query}").text
    ((since, until, asked),), ((since_before, until_before),) = records.asked, records.counted
    assert (until - since, asked) == (hours * HOUR, step)
    assert since - since_before == hours * HOUR
    assert until_before == pytest.approx(time.time() - hours * HOUR, abs=60)
    current = re.findall(r'<a class="chip" href="([^"]+)" aria-current="true">', page)
    assert current == [f"/admin/?span={'month' if query else 'day'}"]


def test_the_span_stays_where_a_link_names_none(make_app: MakeApp) -> None:
    """As the links to the other languages do."""
    with make_app(records=MadeUpRecords(entries=[entry()])) as app:
        client = visitor(app)
        client.get("/admin/?span=month")
        assert 'data-span="month"' in client.get("/admin/language/zh-TW?next=overview", follow_redirects=True).text
        client.get("/admin/?span=day", headers={"X-Background": "1"})  # a page in another tab
        assert 'data-span="month"' in client.get("/admin/").text
        client.get("/admin/?span=day")
        assert 'data-span="day"' in client.get("/admin/").text


def test_the_latest_requests(make_app: MakeApp) -> None:
    entries = [
        entry("req_good", at=NOON),
        entry("req_bad", status=429, error="insufficient_quota", reason="", first_token_ms=None),
        entry("req_cut", error="upstream_cut_off", reason=""),
        entry("req_left", hung_up=True, status=499),
        entry("req_new_kind", status=500, error="something_new"),
        entry("req_bare", client="", model="gpt-5", bot="gpt-5"),
    ]
    with make_app(records=MadeUpRecords(entries=entries)) as app:
        page = visitor(app).get("/admin/").text
    rows = re.findall(r'<tr class="request( failed)?" data-id="(\w+)">(.*?)</tr>', page, re.DOTALL)
    assert [(name, bool(failed)) for failed, name, _ in rows] == [
        ("req_good", False),
        ("req_bad", True),
        ("req_cut", True),
        ("req_left", False),
        ("req_new_kind", True),
        ("req_bare", False),
    ]
    good, bad, cut, left, new_kind, bare = (words_of(f"<main>{row}") for _, _, row in rows)
    assert "gpt-4o → Claude-Sonnet-4.5 Open WebUI token-0a1b2c3d 200 4.2 s 0.62 s 1.2K → 340 stop" in good
    assert '<time datetime="2025-11-21T12:00:00Z">' in rows[0][2]
    assert "429 no points 4.2 s – " in bad
    assert "200 cut off" in cut
    assert "client left" in left
    assert "500 something_new" in new_kind
    assert "gpt-5 – token" in bare


def test_a_request_is_told_in_full(make_app: MakeApp) -> None:
    texts = entry("req_texts", question=EVIL, answer="Hello")
    with make_app(records=MadeUpRecords(entries=[texts, entry("req_plain")])) as app:
        client = visitor(app)
        found = client.get("/admin/api/requests/req_texts")
        plain = client.get("/admin/api/requests/req_plain").json
        missing = client.get("/admin/api/requests/req_gone", headers={"Accept": "application/json"})
        page = client.get("/admin/").text
    assert found.json is not None
    assert (found.json["question"], found.json["answer"], found.json["path"]) == (EVIL, "Hello", "/v1/chat/completions")
    assert found.content_type == "application/json"
    assert plain is not None
    assert plain["question"] is None
    assert missing.status_code == 404
    assert "Hello" not in page


def test_what_clients_say_stays_text(make_app: MakeApp) -> None:
    share = Share(EVIL, 3, 1, 10, 10, 5)
    now = overview(by_model=[share], by_client=[share], errors=[(EVIL, 1)], by_client_buckets={EVIL: [1] * 24})
    entries = [entry("req_evil", model=EVIL, bot=f"{EVIL}2", client=EVIL, error=EVIL, reason=EVIL)]
    balances = MadeUpBalances(entries=[{"creation_time": int(time.time() * 1e6), "cost_points": 5, "bot_name": EVIL}])
    with make_app(records=MadeUpRecords(entries=entries, now=now), balances=balances) as app:
        client = visitor(app)
        page, points = client.get("/admin/").text, client.get("/admin/overview/points").text
    assert page.count("&lt;img src=x") >= 10
    assert "<img" not in page
    assert "&lt;img src=x" in points
    assert "<img" not in points


def test_charts_are_pictures_with_words_and_without_style(make_app: MakeApp) -> None:
    with make_app(records=MadeUpRecords(entries=[entry()])) as app:
        page = visitor(app).get("/admin/").text
    assert re.findall(r'role="img" aria-label="([^:]+)', page) == ["Last 24 hours"] * 3
    assert len(re.findall(r'<g class="column"><title>', page)) == 3 * 24
    assert page.count('<div class="heard"><table>') == 3
    assert 'rect class="c6"' in page
    assert "style=" not in page
    assert "<script>" not in page


class TestWhereNothingIs:
    def test_a_fresh_gateway_says_how_to_begin(self, make_app: MakeApp) -> None:
        with make_app(records=MadeUpRecords(now=NOTHING)) as app:
            page = visitor(app).get("/admin/").text
        assert "Ready for the first request" in page
        assert 'href="/admin/connect">Connect a client' in page
        assert 'id="requests"' not in page
        assert "None failed" in words_of(page)

    def test_a_quiet_day_is_no_fresh_gateway(self, make_app: MakeApp) -> None:
        with make_app(records=MadeUpRecords(entries=[entry()], now=NOTHING)) as app:
            text = words_of(visitor(app).get("/admin/").text)
        assert "Ready for the first request" not in text
        assert text.count("Nothing in this time.") >= 3
        assert "Requests 0 none in the 24 hours before" in text

    def test_without_records_the_rest_is_there_and_nothing_is_asked(self, make_app: MakeApp) -> None:
        records = MadeUpRecords(entries=[entry()])
        with make_app(records=records, usage_retention_days=0) as app:
            client = visitor(app)
            text = words_of(client.get("/admin/").text)
            missing = client.get("/admin/api/requests/req_1", headers={"Accept": "application/json"})
        assert "USAGE_RETENTION_DAYS is 0" in text
        assert "Live now" in text
        assert "Points left" in text
        assert "Ready for the first request" not in text
        assert records.asked == []
        assert missing.status_code == 404


class TestState:
    def test_all_in_order(self, make_app: MakeApp) -> None:
        with make_app(web_concurrency=3) as app:
            text = words_of(visitor(app).get("/admin/").text)
        assert "models.yaml there is none" in text
        assert "Workers 3" in text
        assert "Storage SQLite in CONFIG_DIR" in text
        assert "Records kept for 90 days · no texts of messages" in text
        assert text.rstrip().count("Warnings none") == 1

    def test_a_broken_models_yaml_is_told_with_its_place(self, make_app: MakeApp, tmp_path: Path) -> None:
        (tmp_path / "models.yaml").write_text("models: [broken")
        with make_app() as app:
            page = visitor(app).get("/admin/").text
            error = app.extensions["poe2openai"].models_file.state().error
        assert error
        assert error in words_of(page)

    def test_warnings(self, make_app: MakeApp) -> None:
        with make_app(access_tokens=()) as app:
            text = words_of(visitor(app).get("/admin/").text)
        assert text.count("POE_API_KEYS serve nobody") == 2
        assert "Warnings none" not in text


class TestPoints:
    def test_they_are_summed_by_hour_and_bot(self) -> None:
        span = span_of("day", NOON)
        entries: list[Any] = [
            {"creation_time": int(NOON * 1e6), "cost_points": 5, "bot_name": "A"},
            {"creation_time": int((NOON - HOUR) * 1e6), "cost_points": 2.5, "bot_name": "B"},
            {"creation_time": int((NOON - HOUR) * 1e6), "cost_points": 1, "bot_name": "A"},
            {"creation_time": int((NOON - 3 * DAY) * 1e6), "cost_points": 100, "bot_name": "old"},
            {"creation_time": "yesterday", "cost_points": 100, "bot_name": "odd"},
            {"creation_time": int(NOON * 1e6), "bot_name": "free"},
            {"creation_time": int(NOON * 1e6), "cost_points": 3},
        ]
        series, by_bot = points_spent(entries, span)
        assert series[-2:] == [3.5, 8]
        assert by_bot == {"A": 6, "B": 2.5, "–": 3}

    def test_what_is_spent_and_how_long_the_rest_lasts(self, make_app: MakeApp) -> None:
        now = time.time()
        spent: list[Any] = [{"creation_time": int((now - 60) * 1e6), "cost_points": 81_240, "bot_name": "GPT-5"}]
        with make_app(balances=MadeUpBalances(entries=spent)) as app:
            text = words_of("<main>" + visitor(app).get("/admin/overview/points").text)
        assert "81,240 spent · about 10 days at this pace" in text
        assert "GPT-5 81.2K" in text

    def test_a_history_that_was_cut_off_gives_a_bound_and_no_forecast(self, make_app: MakeApp) -> None:
        balances = MadeUpBalances(entries=history(time.time()), is_complete=False)
        with make_app(balances=balances) as app:
            text = words_of("<main>" + visitor(app).get("/admin/overview/points?span=month").text)
        assert "at least 77,100 spent" in text
        assert "at this pace" not in text
        assert "earliest points are missing" in text

    def test_without_keys_there_are_none(self, make_app: MakeApp) -> None:
        with make_app(poe_api_keys=(), access_tokens=()) as app:
            client = visitor(app)
            assert client.get("/admin/overview/points").status_code == 404
            assert "Clients bring keys of their own" in client.get("/admin/").text


@pytest.mark.parametrize("language", ["en", "zh-CN", "zh-TW"])
def test_it_speaks_the_browsers_language(make_app: MakeApp, language: str) -> None:
    with make_app(records=MadeUpRecords(entries=[entry()])) as app:
        client = visitor(app, language)
        page = client.get("/admin/?span=month").text
    assert words("overview", language)["last_month"] in page
    assert "Undefined" not in page
    assert "{" not in words_of(page)


def test_a_real_request_is_there_within_seconds(make_gateway: GatewayFactory, poe: ScriptedPoe) -> None:
    gateway = make_gateway(
        fresh=True, ADMIN_PASSWORD=PASSWORD, POE_API_KEYS=POE_KEYS[0], ACCESS_TOKENS=TOKENS[0], WEB_CONCURRENCY="2"
    )
    with Visitor(gateway.url) as owner:
        owner.log_in()
        assert "Ready for the first request" in owner.get("/admin/").text
        asked = {"model": "nobody-bot", "messages": [{"role": "user", "content": "Hello"}]}
        headers = {"Authorization": f"Bearer {TOKENS[0]}", "User-Agent": "curl/8"}
        assert owner.post("/v1/chat/completions", json=asked, headers=headers).status_code == 404
        deadline = time.monotonic() + 15
        while "nobody-bot" not in (text := words_of(owner.get("/admin/").text)) and time.monotonic() < deadline:
            time.sleep(0.2)
        keys = words_of(owner.get("/admin/keys").text)
    assert "Requests 1 none in the 24 hours before" in text
    assert "Failed 100 % 1 no such model" in text
    assert re.search(r"nobody-bot curl token-\w{8} 404 no such model", text)
    assert re.search(r"fam…ters (token-\w{8}) .*? 1 ", keys)


def test_reasons_are_few() -> None:
    errors = [("insufficient_quota", 1400), ("x", 3), ("overloaded", 2), ("internal_error", 1)]
    assert reasons(errors, words("overview", "en")) == "1,400 no points, 3 x, 2 Poe overloaded"
    assert reasons(errors, words("overview", "zh-CN")) == "积分不足 1,400，x 3，Poe 过载 2"


def test_nobody_sees_it_without_logging_in(make_app: MakeApp) -> None:
    with make_app() as app:
        client = app.test_client()
        for path in ("/admin", "/admin/", "/admin/overview/points", "/admin/api/requests/req_1", "/admin/api/balance"):
            assert client.get(path, headers={"Accept": "application/json"}).status_code == 401


def test_no_key_is_ever_whole(make_app: MakeApp) -> None:
    with make_app(records=MadeUpRecords(entries=[entry()])) as app:
        client = visitor(app)
        answers = [client.get(path).text for path in ("/admin/", "/admin/overview/points", "/admin/api/requests/req_1")]
    assert not [secret for secret in (*POE_KEYS, *TOKENS) if any(f'"{secret}' in text for text in answers)]
    assert not [secret for secret in (*POE_KEYS, TOKENS[0]) if any(secret in text for text in answers)]


def test_the_short_address_leads_there(make_app: MakeApp) -> None:
    with make_app() as app:
        response = visitor(app).get("/admin")
    assert (response.status_code, response.location) == (308, "/admin/")
