from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from poe2openai.config import values


@pytest.mark.parametrize(
    ("read", "value", "meaning"),
    [
        (values.text, " a b\n", " a b\n"),
        (values.word, " 0.0.0.0\n", "0.0.0.0"),
        (values.directory, "/data", Path("/data")),
        (values.directory, "~/poe", Path.home() / "poe"),
        (values.whole(0), " 0 ", 0),
        (values.whole(1, 3), "3", 3),
        (values.whole(0, 65535), "+8080", 8080),
        (values.seconds(), "0.5", 0.5),
        (values.seconds(), "1e3", 1000.0),
        (values.seconds(zero=True), "0", 0.0),
        *[(values.flag, word, True) for word in ("true", "True", "1", "yes", "ON", " on ")],
        *[(values.flag, word, False) for word in ("false", "FALSE", "0", "no", "off")],
        (values.log_level, "warn", "warn"),
        (values.log_level, "WARNING", "warn"),
        (values.log_format, "JSON", "json"),
        (values.strings, "one", ("one",)),
        (values.strings, "one, two ,,one", ("one", "two")),
        (values.strings, '["one", "two", ""]', ("one", "two")),
        (values.strings, ' [ "a,b" ] ', ("a,b",)),
        (values.strings, "[]", ()),
        (values.url("https", "http"), "https://api.poe.com/", "https://api.poe.com"),
        (values.url("https", "http"), "http://[::1]:9100/base/", "http://[::1]:9100/base"),
        (values.url("socks5h"), "socks5h://name:word@host:1080", "socks5h://name:word@host:1080"),
        (values.limits_storage, "redis://", "redis://"),
        (values.limits_storage, "redis+unix:///run/redis.sock", "redis+unix:///run/redis.sock"),
        (values.rate_limits, "60/minute", "60/minute"),
        (values.rate_limits, " 10 per 2 seconds; 1000/day ", "10 per 2 seconds; 1000/day"),
    ],
)
def test_a_value_is_read(read: Callable[[str], Any], value: str, meaning: object) -> None:
    assert read(value) == meaning


@pytest.mark.parametrize(
    ("read", "value", "complaint"),
    [
        (values.word, "two words", "printable ASCII without spaces"),
        (values.whole(0), "-1", "a whole number, 0 or more"),
        (values.whole(0), "8080.0", "a whole number, 0 or more"),
        (values.whole(0), "٣", "a whole number, 0 or more"),
        (values.whole(0), "9" * 5000, "a whole number, 0 or more"),
        (values.whole(0, 65535), "65536", "a whole number, 0 to 65535"),
        (values.seconds(), "0", "a number of seconds above 0"),
        (values.seconds(), "nan", "a number of seconds above 0"),
        (values.seconds(), "inf", "a number of seconds above 0"),
        (values.seconds(zero=True), "-1", "a number of seconds, 0 or more"),
        (values.seconds(zero=True), "10s", "a number of seconds, 0 or more"),
        (values.flag, "perhaps", "true or false"),
        (values.log_level, "loud", "debug, info, warn or error"),
        (values.log_format, "xml", "text or json"),
        (values.strings, '["one"', "a JSON list"),
        (values.strings, "[" * 100_000, "a JSON list"),
        (values.strings, '["one", 2]', "item 2 is not a string"),
        (values.strings, "one,t wo", "item 2 does not"),
        (values.strings, "Schlüssel", "item 1 does not"),
        (values.url("https", "http"), "api.poe.com", "starts with https:// or http://"),
        (values.url("https", "http"), "ftp://api.poe.com", "starts with https:// or http://"),
        (values.url("https", "http"), "https://", "starts with https:// or http://"),
        (values.url("https", "http"), "https://host:port", "starts with https:// or http://"),
        (values.url("https", "http"), "https://[::1", "starts with https:// or http://"),
        (values.url("http", "https", "socks5"), "127.0.0.1:7890", "starts with http://, https:// or socks5://"),
        (values.limits_storage, "memcached://host", "starts with redis://"),
        (values.limits_storage, "redis", "starts with redis://"),
        (values.rate_limits, "sixty a minute", "60/minute"),
        (values.rate_limits, "60/fortnight", "60/minute"),
        (values.rate_limits, "0/minute", "60/minute"),
    ],
)
def test_a_bad_value_is_refused_with_what_is_accepted(read: Callable[[str], Any], value: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=r"^must ") as refused:
        read(value)

    assert complaint in str(refused.value)


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (values.word, "hush hush"),
        (values.whole(0), "hush"),
        (values.seconds(), "hush"),
        (values.flag, "hush"),
        (values.log_level, "hush"),
        (values.strings, '["hush'),
        (values.strings, '["hush hush"]'),
        (values.url("http"), "http://[hush"),
        (values.url("http"), "http://host:hush"),
        (values.limits_storage, "hush"),
        (values.rate_limits, "hush"),
    ],
)
def test_a_refusal_repeats_nothing_of_a_value_that_may_be_secret(read: Callable[[str], Any], value: str) -> None:
    with pytest.raises(ValueError, match=r"^must ") as refused:
        read(value)

    assert "hush" not in str(refused.value)


def test_whatever_rate_limits_are_accepted_are_understood_by_the_library() -> None:
    from limits import parse_many

    accepted = ["60/minute", "10 per 2 seconds; 1000/day", "1/hour,2/month|3/year", "5/3MINUTES"]
    assert [len(parse_many(values.rate_limits(limits))) for limits in accepted] == [1, 2, 3, 1]
