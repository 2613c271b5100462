"""Poe's list and models.yaml, put together once: every name's bot, policy and entry. Pure.

Entries have Poe's shape throughout, custom models and aliases too: the name to show is `metadata.display_name`, and
`created` is in milliseconds, or in seconds where models.yaml says so. Nothing is certain to be there but `id`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from poe2openai.config.models_file import CustomModel, ModelSettings, ModelsFile
from poe2openai.gateway.model_names import NameMatcher, fold
from poe2openai.poe.parameters import Declared

Entry = dict[str, Any]

NO_SETTINGS = ModelSettings()
# `owned_by` is required by OpenAI's shape.
UNKNOWN_OWNER = "poe"


@dataclass(frozen=True, slots=True)
class Bot:
    """What a name stands for: Poe's name, the owner's policy, and what the bot's entry in Poe's list declares."""

    name: str
    settings: ModelSettings
    declared: Declared | None = None
    supports_tools: bool = False
    makes_images: bool = False
    makes_text: bool = True


@dataclass(frozen=True, slots=True)
class _Known:
    """One name: its bot, and the entry that tells of it; a bot that models.yaml alone knows has none."""

    bot: Bot
    entry: Entry | None


@dataclass(frozen=True, slots=True)
class ModelIndex:
    """`listed` is what clients see; the other names are found all the same."""

    listed: list[Entry]
    _known: Mapping[str, _Known]
    _matcher: NameMatcher

    def bot(self, name: str) -> Bot | None:
        known = self._find(name)
        return known.bot if known else None

    def entry(self, name: str) -> Entry | None:
        known = self._find(name)
        return known.entry if known else None

    def _find(self, name: str) -> _Known | None:
        known = self._known.get(fold(name))
        if known is None:
            match = self._matcher.match(name)
            known = None if match is None else self._known[match]
        return known


def build_index(entries: Iterable[Entry], file: ModelsFile) -> ModelIndex:
    """Of two claims to one name the first counts: an alias, a bot's id, its display name, a key of models.yaml."""
    settings: dict[str, ModelSettings] = {}
    for key, value in file.models.items():
        settings.setdefault(fold(key), value)
    shown = _with_custom(entries, file.custom_models if file.enable else ())
    bots = [(_bot(entry, settings), entry) for entry in shown]
    names = {fold(bot.name): _Known(bot, entry) for bot, entry in bots}
    for bot, entry in bots:
        names.setdefault(fold(display_name(entry)), _Known(bot, entry))
    for key in file.models:
        names.setdefault(fold(key), _Known(Bot(key, settings[fold(key)]), None))
    if not file.enable:
        return ModelIndex(shown, names, NameMatcher(names))
    aliases = _aliases(file, names)
    names = {**aliases, **{name: known for name, known in names.items() if name not in aliases}}
    return ModelIndex(_listed(bots, aliases), names, NameMatcher(names))


def display_name(entry: Entry) -> str:
    """The bot's name as Poe shows it, or its id."""
    metadata = entry.get("metadata")
    name = metadata.get("display_name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) and name.strip() else entry["id"]


def declared_parameters(entry: Entry) -> Declared | None:
    """The JSON schemas of a bot's parameters by name; None where its entry does not say, as for private bots."""
    parameters = entry.get("parameters")
    if not isinstance(parameters, list):
        return None
    known = [(each.get("name"), each.get("schema")) for each in parameters if isinstance(each, dict)]
    return {name: schema if isinstance(schema, dict) else {} for name, schema in known if isinstance(name, str)}


def supports_tools(entry: Entry) -> bool:
    features = entry.get("supported_features")
    return isinstance(features, list) and "tools" in features


def output_modalities(entry: Entry) -> list[Any]:
    """`text`, `image`, `video`, `audio`; none where the list does not say."""
    architecture = entry.get("architecture")
    made = architecture.get("output_modalities") if isinstance(architecture, dict) else None
    return made if isinstance(made, list) else []


def _with_custom(entries: Iterable[Entry], custom_models: Iterable[CustomModel]) -> list[Entry]:
    shown = [*entries]
    taken = {fold(entry["id"]) for entry in shown}
    for custom in custom_models:
        if fold(custom.id) not in taken:
            taken.add(fold(custom.id))
            shown.append(_bare_entry(custom.id, custom.created or 0, custom.owned_by))
    return shown


def _bare_entry(name: str, created: int = 0, owner: str | None = None) -> Entry:
    return {"id": name, "object": "model", "created": created, "owned_by": owner or UNKNOWN_OWNER, "root": name}


def _bot(entry: Entry, settings: Mapping[str, ModelSettings]) -> Bot:
    own = settings.get(fold(entry["id"])) or settings.get(fold(display_name(entry))) or NO_SETTINGS
    made = output_modalities(entry)
    return Bot(
        entry["id"],
        own,
        declared_parameters(entry),
        supports_tools(entry),
        makes_images="image" in made,
        makes_text=not made or "text" in made,
    )


def _aliases(file: ModelsFile, names: Mapping[str, _Known]) -> dict[str, _Known]:
    aliases: dict[str, _Known] = {}
    for key, settings in file.models.items():
        target = names[fold(key)]
        # Of two keys for one bot the first counts, with all it says.
        if target.bot.settings is settings:
            for alias in settings.mapping:
                aliases.setdefault(fold(alias), _Known(target.bot, _alias_entry(alias, target)))
    return aliases


def _alias_entry(alias: str, target: _Known) -> Entry:
    """The bot's entry under the name that clients are to see; `root` keeps the bot's own name."""
    entry = target.entry or _bare_entry(target.bot.name)
    metadata = entry.get("metadata")
    shown = {**(metadata if isinstance(metadata, dict) else {}), "display_name": alias}
    return {**entry, "id": alias, "root": target.bot.name, "metadata": shown}


def _listed(bots: Iterable[tuple[Bot, Entry]], aliases: Mapping[str, _Known]) -> list[Entry]:
    """Poe's order; a bot with aliases appears as those, and one whose name became another's alias not at all."""
    own_aliases: dict[str, list[Entry]] = {}
    for alias in aliases.values():
        if alias.entry is not None:
            own_aliases.setdefault(alias.bot.name, []).append(alias.entry)
    listed: list[Entry] = []
    for bot, entry in bots:
        if not bot.settings.enable:
            continue
        if bot.name in own_aliases:
            listed += own_aliases[bot.name]
        elif fold(bot.name) not in aliases:
            listed.append(entry)
    return listed
