"""The tables. Times are Unix seconds; `owner` is a digest of the Poe key that a file was uploaded with."""

from sqlalchemy import BigInteger, Column, Float, Integer, MetaData, String, Table, Text

metadata = MetaData()

uploads = Table(
    "uploads",
    metadata,
    Column("owner", String(64), primary_key=True),
    Column("source", String(80), primary_key=True),  # the digest of the bytes, or of the address, they came from
    Column("url", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("created", Float, nullable=False),
    Column("used", Float, nullable=False, index=True),
)

# Who is uploading what at the moment: a claim that is not renewed lapses.
claims = Table(
    "upload_claims",
    metadata,
    Column("owner", String(64), primary_key=True),
    Column("source", String(80), primary_key=True),
    Column("holder", String(40), nullable=False),
    Column("until", Float, nullable=False),
)

files = Table(
    "files",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("caller", String(64), nullable=False, index=True),
    Column("owner", String(64), nullable=False),
    Column("source", String(80), nullable=False),
    Column("name", Text, nullable=False),
    Column("purpose", String(64), nullable=False),
    Column("created", Float, nullable=False),
    Column("number", Integer, nullable=False),  # in the order of creation, as times may be equal
)

videos = Table(
    "videos",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("caller", String(64), nullable=False, index=True),
    Column("created", Float, nullable=False),
    Column("updated", Float, nullable=False),  # its worker is alive as long as this is fresh
    Column("job", Text, nullable=False),  # as JSON
)
