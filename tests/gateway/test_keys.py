"""Who may call, and which key serves: credentials in, callers and keys out."""

import logging
import threading
from collections import Counter

import pytest

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.gateway.keys import Caller, KeyRing, masked

REFUSED = GatewayError(ErrorKind.AUTHENTICATION, "Invalid token")
NO_POINTS = GatewayError(ErrorKind.INSUFFICIENT_QUOTA, "needs more points")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ring(clock: Clock) -> KeyRing:
    return KeyRing(["k1", "k2", "k3"], ["token-a", "token-b"], True, clock)


def too_fast(retry_after: float | None = None) -> GatewayError:
    return GatewayError(ErrorKind.RATE_LIMIT, "slow down", retry_after=retry_after)


def refusal(ring: KeyRing, credential: str | None) -> str:
    with pytest.raises(GatewayError) as caught:
        ring.identify(credential)
    assert caught.value.kind is ErrorKind.AUTHENTICATION
    return caught.value.message


class TestWhoMayCall:
    def test_a_poe_key_is_handed_on(self) -> None:
        ring = KeyRing([], [], True)
        caller = ring.identify("poe-key")
        assert caller.poe_key == "poe-key"
        assert ring.keys_for(caller) == ["poe-key"]

    @pytest.mark.parametrize("token", ["token-a", "token-b"])
    def test_an_access_token_is_served_by_the_gateways_keys(self, ring: KeyRing, token: str) -> None:
        caller = ring.identify(token)
        assert caller.poe_key is None
        assert sorted(ring.keys_for(caller)) == ["k1", "k2", "k3"]

    def test_a_poe_key_still_works_beside_tokens(self, ring: KeyRing) -> None:
        assert ring.keys_for(ring.identify("my-own")) == ["my-own"]

    def test_a_poe_key_is_refused_where_clients_keys_are_not_allowed(self) -> None:
        ring = KeyRing(["k1"], ["token-a"], False)
        assert "unknown" in refusal(ring, "my-own")
        assert ring.identify("token-a").poe_key is None

    def test_nobody_gets_the_gateways_keys_without_a_token(self, caplog: pytest.LogCaptureFixture) -> None:
        ring = KeyRing(["k1", "k2"], [], True)
        assert ring.keys_for(ring.identify("anybody")) == ["anybody"]
        assert "ACCESS_TOKENS" in caplog.text
        assert "k1" not in caplog.text

    def test_one_of_the_gateways_own_keys_is_the_clients_own(self, ring: KeyRing) -> None:
        assert ring.keys_for(ring.identify("k2")) == ["k2"]
        assert "unknown" in refusal(KeyRing(["k2"], ["token-a"], False), "k2")

    def test_a_token_without_keys_behind_it_does_not_travel_to_poe(self, caplog: pytest.LogCaptureFixture) -> None:
        ring = KeyRing([], ["token-a"], True)
        assert "POE_API_KEYS" in refusal(ring, "token-a")
        assert "POE_API_KEYS" in caplog.text

    def test_a_gateway_that_nobody_can_use_says_so(self, caplog: pytest.LogCaptureFixture) -> None:
        KeyRing([], [], False)
        assert "Nobody can call" in caplog.text

    @pytest.mark.parametrize("missing", [None, ""])
    def test_a_missing_key_is_asked_for(self, missing: str | None) -> None:
        assert "Poe API key" in refusal(KeyRing([], [], True), missing)
        assert "or an access token" in refusal(KeyRing(["k"], ["t"], True), missing)
        assert "your access token as" in refusal(KeyRing(["k"], ["t"], False), missing)

    @pytest.mark.parametrize(
        "credential",
        [
            "two words",
            "tab\tin",
            "line\n",
            "\x00",
            "del\x7f",
            "ключ",
            "caf\xe9",
            "\xa0",
            "token-a\n",
            "\ud800",
            "k" * 4097,
        ],
    )
    def test_a_malformed_key_is_refused(self, ring: KeyRing, credential: str) -> None:
        message = refusal(ring, credential)
        assert "malformed" in message
        assert credential not in message

    def test_the_longest_key_passes(self, ring: KeyRing) -> None:
        assert ring.identify("k" * 4096).poe_key == "k" * 4096

    @pytest.mark.parametrize("near", ["token-", "token-aa", "TOKEN-A", "token-c"])
    def test_what_is_nearly_a_token_is_none(self, near: str) -> None:
        refusal(KeyRing(["k1"], ["token-a", "token-b"], False), near)


class TestCallersName:
    def test_it_tells_callers_apart_and_shows_no_credential(self, ring: KeyRing) -> None:
        names = {ring.identify(credential).id for credential in ("token-a", "token-b", "my-own", "another")}
        assert len(names) == 4
        assert not any(secret in name for name in names for secret in ("token-a", "token-b", "my-own", "another"))

    def test_it_is_the_same_in_every_worker(self, ring: KeyRing) -> None:
        other_worker = KeyRing(["k1", "k2", "k3"], ["token-a", "token-b"], True)
        assert other_worker.identify("token-a").id == ring.identify("token-a").id

    def test_a_guess_at_a_token_cannot_be_checked_on_another_gateway(self, ring: KeyRing) -> None:
        assert KeyRing(["other"], ["token-a"], True).identify("token-a").id != ring.identify("token-a").id

    def test_it_reads_as_key_or_token(self, ring: KeyRing) -> None:
        assert ring.identify("token-a").id.startswith("token-")
        assert ring.identify("my-own").id.startswith("key-")

    def test_a_callers_repr_hides_the_key(self) -> None:
        assert "secret" not in repr(Caller("key-00000000", "secret"))


class TestTurns:
    def test_keys_serve_in_turn(self, ring: KeyRing) -> None:
        caller = ring.identify("token-a")
        assert [ring.keys_for(caller) for _ in range(4)] == [
            ["k1", "k2", "k3"],
            ["k2", "k3", "k1"],
            ["k3", "k1", "k2"],
            ["k1", "k2", "k3"],
        ]

    def test_a_failing_key_is_tried_last(self, ring: KeyRing) -> None:
        caller = ring.identify("token-a")
        ring.report("k2", REFUSED)
        for _ in range(6):
            assert ring.keys_for(caller)[-1] == "k2"

    def test_the_key_behind_a_resting_one_gets_no_double_share(self, ring: KeyRing) -> None:
        caller = ring.identify("token-a")
        ring.report("k1", NO_POINTS)
        assert Counter(ring.keys_for(caller)[0] for _ in range(10)) == {"k2": 5, "k3": 5}

    @pytest.mark.parametrize(
        ("error", "seconds"),
        [
            (REFUSED, 600),
            (NO_POINTS, 600),
            (too_fast(), 30),
            (too_fast(7), 7),
            (too_fast(0), 1),
            (too_fast(-5), 1),
            (too_fast(10**9), 3600),
            (too_fast(float("nan")), 30),
        ],
    )
    def test_a_key_rests_for_as_long_as_its_error_asks(
        self, ring: KeyRing, clock: Clock, error: GatewayError, seconds: float
    ) -> None:
        caller = ring.identify("token-a")
        ring.report("k1", error)
        clock.now += seconds - 0.1
        assert "k1" not in {ring.keys_for(caller)[0] for _ in range(6)}
        clock.now += 0.2
        assert "k1" in {ring.keys_for(caller)[0] for _ in range(6)}

    def test_when_all_rest_the_soonest_back_comes_first(self, ring: KeyRing) -> None:
        ring.report("k1", REFUSED)
        ring.report("k2", too_fast(60))
        ring.report("k3", too_fast(5))
        assert ring.keys_for(ring.identify("token-a")) == ["k3", "k2", "k1"]

    def test_a_shorter_rest_does_not_cut_a_longer_one(self, ring: KeyRing, clock: Clock) -> None:
        ring.report("k1", REFUSED)
        ring.report("k1", too_fast(1))
        clock.now += 2
        assert ring.keys_for(ring.identify("token-a"))[-1] == "k1"

    def test_a_success_ends_the_rest(self, ring: KeyRing) -> None:
        ring.report("k1", too_fast())
        ring.report_success("k1")
        assert "k1" in {ring.keys_for(ring.identify("token-a"))[0] for _ in range(3)}

    def test_other_errors_and_other_peoples_keys_change_nothing(self, ring: KeyRing) -> None:
        before = ring.keys_for(ring.identify("token-a"))
        ring.report("k1", GatewayError(ErrorKind.UPSTREAM_CUT_OFF, "cut off"))
        ring.report("a client's", REFUSED)
        ring.report_success("a client's")
        for _ in range(2):
            ring.keys_for(ring.identify("token-a"))
        assert ring.keys_for(ring.identify("token-a")) == before

    def test_a_clients_own_key_is_the_only_one_even_when_it_fails(self, ring: KeyRing) -> None:
        caller = ring.identify("k1")
        ring.report("k1", REFUSED)
        assert ring.keys_for(caller) == ["k1"]

    def test_the_log_names_no_key(self, ring: KeyRing, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.DEBUG):
            ring.report("k2", NO_POINTS)
        assert "2 of 3" in caplog.text
        assert "k2" not in caplog.text

    def test_threads_share_the_turns_evenly(self, ring: KeyRing) -> None:
        caller = ring.identify("token-a")
        served: list[str] = []

        def serve() -> None:
            for _ in range(300):
                keys = ring.keys_for(caller)
                ring.report(keys[1], too_fast())
                ring.report_success(keys[1])
                served.append(keys[0])

        threads = [threading.Thread(target=serve) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert len(served) == 1200
        assert set(served) == {"k1", "k2", "k3"}


class TestWhatTheOwnerSees:
    def test_the_states_tell_who_rests_why_and_for_how_long(self, ring: KeyRing, clock: Clock) -> None:
        ring.report("k2", NO_POINTS)
        clock.now += 100
        states = ring.states()
        assert [state.position for state in states] == [1, 2, 3]
        assert [state.resting for state in states] == [None, 500.0, None]
        assert [state.error for state in states] == [None, ErrorKind.INSUFFICIENT_QUOTA, None]
        assert [state.error_age for state in states] == [None, 100.0, None]

    def test_a_key_that_is_back_keeps_its_last_error(self, ring: KeyRing, clock: Clock) -> None:
        ring.report("k1", REFUSED)
        clock.now += 601
        assert ring.states()[0].resting is None
        assert ring.states()[0].error is ErrorKind.AUTHENTICATION
        ring.report("k1", too_fast())
        ring.report_success("k1")
        assert ring.states()[0].resting is None
        assert ring.states()[0].error is ErrorKind.RATE_LIMIT

    def test_looking_takes_no_turn(self, ring: KeyRing) -> None:
        caller = ring.identify("token-a")
        first = ring.keys_for(caller)[0]
        ring.states()
        assert ring.poe_keys() == ["k1", "k2", "k3"]
        assert ring.keys_for(caller)[0] == {"k1": "k2", "k2": "k3", "k3": "k1"}[first]

    def test_no_state_holds_a_key(self) -> None:
        key = "abcdefghijklmnopqrstuvwxyz"
        assert key not in repr(KeyRing([key], [], True).states())
        assert KeyRing([key], [], True).states()[0].masked == "abc…wxyz"

    @pytest.mark.parametrize("short", ["x", "12345678", "fifteen-letters"])
    def test_of_a_short_one_nothing_shows(self, short: str) -> None:
        assert masked(short) == "••••"

    def test_a_tokens_id_is_its_callers(self, ring: KeyRing) -> None:
        assert ring.token_id("token-a") == ring.identify("token-a").id
        assert ring.token_id("token-a") != ring.token_id("token-b")
