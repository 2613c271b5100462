"""The tables. Times are Unix seconds; `owner` is a digest of the Poe key that a file was uploaded with."""

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, MetaData, String, Table, Text, TypeDecorator

_NUL = "\0"


class _String(TypeDecorator[str]):
    """Without NUL, which PostgreSQL takes in no text: whoever looks for one finds nothing, here as there."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, _: object) -> str | None:
        return value.replace(_NUL, "\ufffd") if value is not None and _NUL in value else value


class _Text(_String):
    """As `_String`, of any length."""

    impl = Text
    cache_ok = True


metadata = MetaData()

uploads = Table(
    "uploads",
    metadata,
    Column("owner", _String(64), primary_key=True),
    Column("source", _String(80), primary_key=True),  # the digest of the bytes, or of the address, they came from
    Column("url", _Text, nullable=False),
    Column("media_type", _Text, nullable=False),
    Column("name", _Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("created", Float, nullable=False),
    Column("used", Float, nullable=False, index=True),
)

# Who is uploading what at the moment: a claim that is not renewed lapses.
claims = Table(
    "upload_claims",
    metadata,
    Column("owner", _String(64), primary_key=True),
    Column("source", _String(80), primary_key=True),
    Column("holder", _String(40), nullable=False),
    Column("until", Float, nullable=False),
)

files = Table(
    "files",
    metadata,
    Column("id", _String(64), primary_key=True),
    Column("caller", _String(64), nullable=False, index=True),
    Column("owner", _String(64), nullable=False),
    Column("source", _String(80), nullable=False),
    Column("name", _Text, nullable=False),
    Column("purpose", _String(64), nullable=False),
    Column("created", Float, nullable=False),
    Column("number", Integer, nullable=False),  # in the order of creation, as times may be equal
)

videos = Table(
    "videos",
    metadata,
    Column("id", _String(64), primary_key=True),
    Column("caller", _String(64), nullable=False, index=True),
    Column("created", Float, nullable=False),
    Column("updated", Float, nullable=False),  # its worker is alive as long as this is fresh
    Column("job", _Text, nullable=False),  # as JSON
)

# Who is logged in to the admin pages; `id` is a digest of what the cookie holds.
sessions = Table(
    "admin_sessions",
    metadata,
    Column("id", _String(64), primary_key=True),
    Column("created", Float, nullable=False),
    Column("seen", Float, nullable=False),
    Column("address", _String(64), nullable=False),
)

# Attempts to log in that failed; the row without an address holds when the next one may be made.
login_failures = Table(
    "admin_login_failures",
    metadata,
    Column("address", _String(64), primary_key=True),
    Column("attempts", Integer, nullable=False),
    Column("at", Float, nullable=False),
)

# One row for each request that is over; times and durations are whole milliseconds, which both databases divide alike.
requests = Table(
    "requests",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("id", _String(64), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("caller", _Text, nullable=False),
    Column("client", _Text, nullable=False),
    Column("model", _Text, nullable=False),
    Column("bot", _Text, nullable=False),
    Column("path", _Text, nullable=False),
    Column("stream", Boolean, nullable=False),
    Column("status", Integer, nullable=False),
    Column("error", _Text, nullable=False),
    Column("reason", _Text, nullable=False),
    Column("hung_up", Boolean, nullable=False),
    Column("failed", Integer, nullable=False),  # 0 or 1: PostgreSQL sums no booleans
    Column("milliseconds", Integer, nullable=False),
    Column("first_token_ms", Integer),
    Column("tokens_in", Integer, nullable=False),
    Column("tokens_out", Integer, nullable=False),
    Column("estimated", Boolean, nullable=False),
    Column("attempts", Integer, nullable=False),
)

# All that the overview sums up: it reads no row, and is twice as quick.
Index(
    "ix_requests_sums",
    *(requests.c.at, requests.c.client, requests.c.model, requests.c.failed),
    *(requests.c.first_token_ms, requests.c.tokens_in, requests.c.tokens_out),
)

# What was said, where the owner wants that recorded; apart, so that whoever sums requests up need not read past it.
request_texts = Table(
    "request_texts",
    metadata,
    Column("id", _String(64), primary_key=True),
    Column("at", BigInteger, nullable=False, index=True),
    Column("question", _Text),
    Column("answer", _Text),
)
