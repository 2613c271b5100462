"""What the environment sets, as one frozen value: the only reader of the environment.

Standard library only: gunicorn's configuration loads it before gevent has patched anything. A field is the lower-case
name of its variable, and its sentence stands in docs/configuration.md (`make docs`).
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, TypeVar

from poe2openai.config import values
from poe2openai.config.values import ToolHistory, ToolsMode

T = TypeVar("T")

MOST_WORKERS: Final = 4
LONGEST_SHOWN_VALUE: Final = 80


class SettingsError(Exception):
    """A variable that cannot be used, in one line for the owner; it never shows a secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingInfo:
    """What is known of a variable besides its default; stands in its field's metadata under `info`."""

    theme: str
    read: Callable[[str], Any]
    sentence: str
    secret: bool
    shown_default: str | None


def _setting(
    theme: str,
    default: T | Callable[[], T],
    read: Callable[[str], T],
    sentence: str,
    *,
    secret: bool = False,
    shown_default: str | None = None,
) -> T:
    info = SettingInfo(theme=theme, read=read, sentence=sentence, secret=secret, shown_default=shown_default)
    if callable(default):
        return field(default_factory=default, repr=not secret, metadata={"info": info})
    return field(default=default, repr=not secret, metadata={"info": info})


def _workers() -> int:
    """One for each core that this process may use, within reason: a worker costs about 100 MB."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MOST_WORKERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting, with its default; secrets are left out of its repr."""

    port: int = _setting("Server", 8080, values.whole(0, 65535), "Port to listen on.")
    host: str = _setting(
        "Server",
        "0.0.0.0",  # noqa: S104 - as the predecessor did, and as a container needs it
        values.word,
        "Address to listen on. `127.0.0.1` lets in this machine alone; `::` takes IPv6 as well.",
    )
    web_concurrency: int = _setting(
        "Server",
        _workers,
        values.whole(1, 64),
        "Worker processes. Limits, reloads and keys work alike with any number of them.",
        shown_default="one for each core, at most 4",
    )
    graceful_timeout: int = _setting(
        "Server",
        120,
        values.whole(0, 86_400),
        "Seconds that live streams get to end when the gateway stops or restarts.",
    )
    max_request_size: int = _setting(
        "Server",
        1_073_741_824,
        values.whole(1),
        "Largest request body in bytes, counted as it comes; a larger one is answered with 413.",
    )
    request_body_timeout: float = _setting(
        "Server", 60.0, values.seconds(), "Seconds that a client has to send its whole request body."
    )
    stream_ping_seconds: float = _setting(
        "Server", 10.0, values.seconds(), "Seconds of silence after which a stream carries a `: ping` comment."
    )

    poe_api_keys: tuple[str, ...] = _setting(
        "Keys",
        (),
        values.strings,
        "Your own Poe keys. They serve in turn for clients that present one of `ACCESS_TOKENS`; a key that Poe "
        "refuses, that is out of points or rate limited rests for a while.",
        secret=True,
    )
    access_tokens: tuple[str, ...] = _setting(
        "Keys",
        (),
        values.strings,
        "Words of your choice that clients send in place of a Poe key, to be served with `POE_API_KEYS`.",
        secret=True,
    )
    allow_client_keys: bool = _setting(
        "Keys", True, values.flag, "Whether clients may send a Poe key of their own. `false`: access tokens only."
    )

    poe_base_url: str = _setting("Poe", "https://api.poe.com", values.url("https", "http"), "Where Poe's API is.")
    proxy: str = _setting(
        "Poe",
        "",
        values.url("http", "https", "socks5h", "socks5", "socks4a", "socks4"),
        "Proxy on the way to Poe, such as `http://name:password@host:7890` or `socks5h://host:1080` (with `socks5h` "
        "and `socks4a` the proxy looks up Poe's name). The proxy variables of the system are not read.",
        secret=True,
    )
    upstream_connect_timeout: float = _setting(
        "Poe", 10.0, values.seconds(), "Seconds to wait for a connection to Poe."
    )
    upstream_idle_timeout: float = _setting(
        "Poe", 300.0, values.seconds(), "Seconds without a byte from Poe after which a request is given up."
    )

    config_dir: Path = _setting(  # noqa: RUF009 - it is dataclasses.field with a sentence
        "Models",
        Path("./"),
        values.directory,
        "Folder that holds `models.yaml`; it may be read-only, or missing. The Docker image sets `/data`.",
        shown_default="./",
    )
    models_yaml: str = _setting(
        "Models",
        "",
        values.text,
        "The text of `models.yaml` itself, for hosts without a disk. It counts where `CONFIG_DIR` holds no such file.",
        secret=True,
    )
    models_refresh_seconds: float = _setting(
        "Models", 600.0, values.seconds(), "Seconds between two looks at Poe's list of models, in the background."
    )

    default_model: str = _setting("Models", "", values.word, "The model of a chat request that names none.")
    tools_mode: ToolsMode = _setting(  # noqa: RUF009 - it is dataclasses.field with a sentence
        "Tools",
        "auto",
        values.tools_mode,
        "How bots are told of tools. `native`: Poe's own way. `xml`: a prompt, and calls are read out of the text, "
        "for any bot. `auto`: native where Poe's list says that the bot takes tools, XML where it does not, or where "
        "Poe refuses. `models.yaml` can say it for each bot.",
    )
    tool_history: ToolHistory = _setting(  # noqa: RUF009 - it is dataclasses.field with a sentence
        "Tools",
        "auto",
        values.tool_history,
        "How bots with native tools are told of earlier calls and their results: `native`, in Poe's own form; `text`; "
        "or `auto`, as text where Poe refuses its own form.",
    )
    tool_flags: bool = _setting(
        "Tools",
        False,
        values.flag,
        "Whether a tool with neither description nor parameters is a flag of the bot: ` --name` behind the prompt.",
    )

    embeddings_base_url: str = _setting(
        "Embeddings and balance",
        "",
        values.url("https", "http"),
        "The OpenAI-compatible server that `/v1/embeddings` goes to, with its `/v1`. Unset: Poe's own `/v1`, which has "
        "no embeddings at present. Poe keys go to Poe alone.",
    )
    embeddings_api_key: str = _setting(
        "Embeddings and balance", "", values.text, "The key for that server, where it is not Poe.", secret=True
    )
    embeddings_model: str = _setting(
        "Embeddings and balance",
        "text-embedding-3-small",
        values.word,
        "The model of an embeddings request that names none.",
    )
    usd_per_million_points: float = _setting(
        "Embeddings and balance",
        30.0,
        values.amount,
        "Dollars that a million points are worth, for clients that show a balance in dollars.",
    )

    rate_limit_ms: int = _setting(
        "Limits",
        100,
        values.whole(0, 3_600_000),
        "Milliseconds that chat requests start apart, over all workers of the machine; an early one waits its turn. "
        "0: no such limit.",
    )
    rate_limit_max_wait: float = _setting(
        "Limits",
        30.0,
        values.seconds(zero=True),
        "Seconds that a request may wait its turn; one that would wait longer is answered with 429.",
    )
    rate_limits: str = _setting(
        "Limits", "", values.rate_limits, "Limits for each key or token: `60/minute`, or several: `10/second;1000/day`."
    )
    ratelimit_storage_uri: str = _setting(
        "Limits",
        "",
        values.limits_storage,
        "Redis, for limits that several machines share: `redis://host:6379` (needs `pip install redis`). Without it "
        "the workers of one machine share them; with `memory://` each worker counts by itself.",
        secret=True,
    )

    log_level: str = _setting(
        "Logs", "info", values.log_level, "`debug`, `info`, `warn` or `error`. Only `debug` shows the text of messages."
    )
    log_format: str = _setting(
        "Logs", "text", values.log_format, "`text` or `json`; one line for each request either way."
    )

    admin_username: str = _setting("Admin pages", "admin", values.text, "Name that opens the admin pages.")
    admin_password: str = _setting(
        "Admin pages",
        "",
        values.text,
        "Password that opens the admin pages. Without it one is made at the first start, shown once in the log and "
        "kept hashed in `CONFIG_DIR`.",
        secret=True,
        shown_default="made at the first start",
    )
    admin_idle_seconds: int = _setting(
        "Admin pages", 14_400, values.whole(60), "Seconds without a click after which one has to log in again."
    )
    admin_session_seconds: int = _setting(
        "Admin pages", 604_800, values.whole(60), "Seconds after which one has to log in again in any case."
    )
    database_url: str = _setting(
        "Admin pages",
        "",
        values.database_url,
        "PostgreSQL in place of the file `poe2openai.db` in `CONFIG_DIR`, for several machines: "
        "`postgresql://name:password@host/database` (needs `pip install psycopg[binary]`).",
        secret=True,
        shown_default="SQLite in `CONFIG_DIR`",
    )
    usage_retention_days: int = _setting(
        "Admin pages", 90, values.whole(0, 3650), "Days for which the records of requests are kept. 0: none are made."
    )
    record_messages: bool = _setting(
        "Admin pages",
        False,
        values.flag,
        "Whether the records hold the texts of requests and answers, cut to a few thousand characters.",
    )
    poe_file_upload_url: str = _setting(
        "Files",
        "https://www.quora.com/poe_api/file_upload_3RD_PARTY_POST",
        values.url("https", "http"),
        "Where files are uploaded to.",
    )
    url_cache_ttl_seconds: int = _setting(
        "Files",
        259_200,
        values.whole(0),
        "Seconds for which an uploaded file is used again, and its `file_id` is known. 0: each file is uploaded anew.",
    )
    url_cache_size_mb: int = _setting(
        "Files",
        100,
        values.whole(0),
        "Size in MB of the files that are remembered, all together. What was used least recently is forgotten first. "
        "The files lie with Poe; what is kept in `CONFIG_DIR` is where.",
    )
    media_fetch: bool = _setting(
        "Files",
        False,
        values.flag,
        "Whether the gateway itself fetches files that clients name by address, and uploads them. `false`: Poe fetches "
        "them. It fetches from public addresses alone, and never through `PROXY`.",
    )


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """The environment (or `environ`) as `Settings`; an empty variable counts as not set.

    Raises SettingsError naming the variable, what is accepted and, unless it may be a secret, what was found.
    """
    environ = os.environ if environ is None else environ
    found: dict[str, Any] = {}
    for each in fields(Settings):
        name = each.name.upper()
        raw = environ.get(name, "")
        if not raw.strip():
            continue
        info: SettingInfo = each.metadata["info"]
        try:
            found[each.name] = info.read(raw)
        except ValueError as problem:
            raise SettingsError(f"{name}{_shown(raw, info)} {problem}.") from None
    settings = Settings(**found)
    _check_together(settings)
    return settings


def _shown(raw: str, info: SettingInfo) -> str:
    """` is 'x', but` where the value may be shown; behind an `@` there may be a password whatever the variable."""
    if info.secret or "@" in raw:
        return ""
    short = raw if len(raw) <= LONGEST_SHOWN_VALUE else raw[:LONGEST_SHOWN_VALUE] + "…"
    return f" is {short!r}, but"


def _check_together(settings: Settings) -> None:
    if settings.access_tokens and not settings.poe_api_keys:
        raise SettingsError("ACCESS_TOKENS needs POE_API_KEYS: clients with a token are served with those keys.")
    if not settings.allow_client_keys and not settings.access_tokens:
        raise SettingsError("ALLOW_CLIENT_KEYS=false needs ACCESS_TOKENS and POE_API_KEYS: nobody could get in.")
