"""The models page: Poe's list as a table, with what models.yaml says of each bot; the page's script edits it."""

import math
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import orjson
from flask import Response

from poe2openai.config.models_file import ModelSettings, ModelsFile
from poe2openai.core.errors import GatewayError
from poe2openai.gateway.model_index import display_name, output_modalities, supports_tools
from poe2openai.gateway.model_list import Entry
from poe2openai.gateway.model_names import fold
from poe2openai.web.admin import page
from poe2openai.web.i18n import Language
from poe2openai.web.services import services

blueprint = page.blueprint("models")

KINDS = ("text", "image", "video", "audio")
STATES = ("changed", "hidden", "mapped", "custom")
TILE_COLOURS = 10
_NOTHING = ModelSettings()
# So that what is priced by the request stands behind what is priced by the token.
_BY_REQUEST = 1e9


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars: for a million tokens in and out, or for a request."""

    tokens_in: str = ""
    tokens_out: str = ""
    request: str = ""
    order: float = math.inf


@dataclass(frozen=True, slots=True)
class Row:
    """A bot as the table shows it; `custom` says that models.yaml lists it, `listed` that Poe does.

    `tools` is how the bot is told of tools where models.yaml says nothing of it: native, xml or not at all.
    """

    id: str = ""
    name: str = ""
    owner: str = ""
    kinds: tuple[str, ...] = ()
    context: int | None = None
    price: Price | None = None
    tools: str = ""
    image: str = ""
    listed: bool = False
    custom: bool = False
    settings: ModelSettings = _NOTHING

    @property
    def letter(self) -> str:
        return (self.name or self.id).strip()[:1].upper()

    @property
    def colour(self) -> int:
        """The same for all bots of an owner, in every worker."""
        return zlib.crc32(self.owner.encode(errors="replace")) % TILE_COLOURS

    @property
    def is_changed(self) -> bool:
        return self.settings != _NOTHING


@blueprint.get("/admin/models")
def show() -> Response:
    file = services().models_file.current()
    problem = ""
    entries: Iterable[Entry] = ()
    try:
        entries = services().catalog.poes()
    except GatewayError as error:
        problem = error.message
    rows = list(table(entries, file))
    language = page.language()
    return page.render(
        "models",
        rows=rows,
        blank=Row(),
        kinds=KINDS,
        states=STATES,
        counts=_counts(rows),
        file=file,
        problem=problem,
        tokens=lambda count: shown_tokens(count, language),
    )


@blueprint.get("/admin/api/models")
def list_models() -> Response:
    """Poe's entries as they are: what the page shows when a row is opened."""
    return Response(orjson.dumps({"models": services().catalog.poes()}), mimetype="application/json")


def table(entries: Iterable[Entry], file: ModelsFile) -> Iterator[Row]:
    """What only models.yaml knows comes first: whoever wrote it there looks for it."""
    settings: dict[str, ModelSettings] = {}
    for key, value in file.models.items():
        settings.setdefault(fold(key), value)
    entries = list(entries)
    taken = {name for entry in entries for name in (fold(entry["id"]), fold(display_name(entry)))}
    for custom in file.custom_models:
        key = fold(custom.id)
        if key not in taken:
            taken.add(key)
            yield Row(
                custom.id,
                custom.id,
                custom.owned_by or "",
                tools=_tools({}, ()),
                custom=True,
                settings=settings.get(key) or _NOTHING,
            )
    for key in file.models:
        if fold(key) not in taken:
            taken.add(fold(key))
            yield Row(key, key, tools=_tools({}, ()), settings=settings[fold(key)])
    for entry in entries:
        own = settings.get(fold(entry["id"])) or settings.get(fold(display_name(entry))) or _NOTHING
        yield _listed(entry, own)


def price(pricing: object) -> Price | None:
    """Poe's dollars for one token, or for one request, as people compare them; None where Poe does not tell."""
    if not isinstance(pricing, dict):
        return None
    tokens_in, tokens_out, request = (_dollars(pricing.get(name)) for name in ("prompt", "completion", "request"))
    if tokens_in is not None or tokens_out is not None:
        order = tokens_out if tokens_out is not None else tokens_in or 0.0
        return Price(_shown(tokens_in, 1e6), _shown(tokens_out, 1e6), order=order * 1e6)
    if request is not None:
        return Price(request=_shown(request), order=_BY_REQUEST + request)
    return None


def shown_tokens(count: int, language: Language) -> str:
    """A context length as people say it: 400 k, 40万, 40萬."""
    if language == "en":
        return f"{count // 1000:,} k" if count >= 1000 else str(count)
    if count < 10_000:
        return str(count)
    return f"{count / 10_000:.1f}".removesuffix(".0") + ("萬" if language == "zh-TW" else "万")


def _listed(entry: Entry, settings: ModelSettings) -> Row:
    made = output_modalities(entry)
    owner, context = entry.get("owned_by"), entry.get("context_length")
    return Row(
        entry["id"],
        display_name(entry),
        owner if isinstance(owner, str) else "",
        tuple(kind for kind in KINDS if kind in made),
        context if isinstance(context, int) and not isinstance(context, bool) and context > 0 else None,
        price(entry.get("pricing")),
        _tools(entry, made),
        _image(entry.get("metadata")),
        listed=True,
        settings=settings,
    )


def _tools(entry: Entry, made: Sequence[object]) -> str:
    """As `gateway.tool_ways` decides it, but for what it learns from refusals."""
    mode = services().settings.tools_mode
    if mode != "auto":
        return mode
    if made and "text" not in made:
        return ""
    return "native" if supports_tools(entry) else "xml"


def _image(metadata: object) -> str:
    image = metadata.get("image") if isinstance(metadata, dict) else None
    url = image.get("url") if isinstance(image, dict) else None
    return url if isinstance(url, str) and url.startswith("https://") else ""


def _dollars(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        amount = float(value)
    except (ValueError, OverflowError):
        return None
    return amount if math.isfinite(amount) and amount >= 0 else None


def _shown(amount: float | None, times: float = 1.0) -> str:
    """Cents where there are some, else the first two digits that say anything: 13.00, 0.18, 0.00045."""
    if amount is None:
        return "–"
    amount *= times
    if amount == 0:
        return "0"
    places = 2 if amount >= 0.1 else 1 - math.floor(math.log10(amount))
    return f"{amount:,.{min(places, 12)}f}"


def _counts(rows: list[Row]) -> Mapping[str, int]:
    """How many rows each filter would show."""
    counts = {kind: sum(kind in row.kinds for row in rows) for kind in KINDS}
    return counts | {
        "listed": sum(row.listed for row in rows),
        "changed": sum(row.is_changed for row in rows),
        "hidden": sum(not row.settings.enable for row in rows),
        "mapped": sum(bool(row.settings.mapping) for row in rows),
        "custom": sum(row.custom for row in rows),
    }
