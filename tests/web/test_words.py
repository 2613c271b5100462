"""The pages' words: all of them in all languages, and none that a page asks for is missing."""

import re
import tomllib
from pathlib import Path

import pytest

from poe2openai.web.i18n import LANGUAGES
from poe2openai.web.words import words

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "poe2openai" / "web" / "phrases"
PAGES = sorted(path.stem for path in FOLDER.glob("*.toml") if path.stem != "common")


def phrases(page: str) -> dict[str, dict[str, str]]:
    return tomllib.loads((FOLDER / f"{page}.toml").read_text("utf-8"))


def sources(page: str) -> str:
    """What shows the words of a page: its templates and scripts."""
    templates = [ROOT / "templates" / "admin" / f"{page}.html"]
    if page == "overview":  # the one page that is put together of parts
        templates += (ROOT / "templates" / "admin").glob("_*.html")
    scripts = [*(ROOT / "static" / "admin").glob(f"{page}*.js")]
    return "\n".join(path.read_text("utf-8") for path in [*templates, *scripts] if path.exists())


@pytest.mark.parametrize("page", [*PAGES, "common"])
def test_each_phrase_is_there_in_each_language(page: str) -> None:
    for name, phrase in phrases(page).items():
        assert set(phrase) == set(LANGUAGES), name
        assert all(text.strip() for text in phrase.values()), name
        gaps = {frozenset(re.findall(r"\{\w+\}", text)) for text in phrase.values()}
        assert len(gaps) == 1, f"{name}: the gaps to fill in differ"


@pytest.mark.parametrize("page", PAGES)
def test_simplified_and_traditional_are_two(page: str) -> None:
    """Of the characters that both have, some tell at once that a text was not translated but copied."""
    for name, phrase in phrases(page).items():
        assert not re.search("[這個們來設開關資訊檔]", phrase["zh-CN"]), name
        assert not re.search("[这们来设开关资讯档]", phrase["zh-TW"]), name


@pytest.mark.parametrize("page", PAGES)
def test_no_word_that_a_page_asks_for_is_missing(page: str) -> None:
    known = words(page, "en")
    text = sources(page)
    asked = {*re.findall(r"\bt\.([a-z]\w+)", text), *re.findall(r"\bsay\(\s*[\"'](\w+)[\"']", text)}
    assert asked - set(known) - {"replace"} == set()


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_the_words_that_all_share(page: str) -> None:
    assert words(page, "zh-TW")["log_out"] == "登出"
