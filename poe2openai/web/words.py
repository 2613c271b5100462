"""The words of the admin pages: a TOML file for each page, a line for each phrase with its three languages."""

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from poe2openai.web.i18n import LANGUAGES, Language

_FOLDER = Path(__file__).parent / "phrases"
_COMMON = "common"


class Words:
    """Phrases by name. No mapping: in a template, `t.keys` or `t.copy` would be the mapping's own."""

    __slots__ = ("_phrases",)

    def __init__(self, phrases: Mapping[str, str]) -> None:
        self._phrases = phrases

    def __getitem__(self, name: str) -> str:
        return self._phrases[name]

    def __getattr__(self, name: str) -> str:
        try:
            return self._phrases[name]
        except KeyError:
            raise AttributeError(name) from None

    def get(self, name: str, otherwise: str = "") -> str:
        return self._phrases.get(name, otherwise)

    def __iter__(self) -> Iterator[str]:
        return iter(self._phrases)


@cache
def words(page: str, language: Language) -> Words:
    """The phrases of a page, with those that all pages share."""
    phrases = {**_read(_COMMON), **_read(page)}
    return Words({name: phrase[language] for name, phrase in phrases.items()})


@cache
def _read(page: str) -> Mapping[str, Mapping[Language, str]]:
    text = (_FOLDER / f"{page}.toml").read_text("utf-8")
    phrases: dict[str, dict[Language, str]] = tomllib.loads(text)
    for name, phrase in phrases.items():
        if set(phrase) != set(LANGUAGES):
            raise ValueError(f"{page}.toml: {name} is not there in all languages")
    return phrases
