"""Every text in every language, and the language that a reader would expect."""

import re
import string
from pathlib import Path

import pytest

from poe2openai.web.i18n import LANGUAGES, NAMES, TEXTS, choose

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"


def test_every_text_is_there_in_every_language() -> None:
    assert set(TEXTS) == set(NAMES) == set(LANGUAGES)
    for language in LANGUAGES:
        assert set(TEXTS[language]) == set(TEXTS["en"]), language
        assert all(text.strip() == text != "" for text in TEXTS[language].values()), language


def test_no_name_of_a_text_hides_behind_a_dict_method() -> None:
    # Jinja's `texts.copy` would be the method.
    assert not [name for name in TEXTS["en"] if hasattr(dict, name)]


def test_templates_use_every_text_and_no_other() -> None:
    used = set(re.findall(r"texts\.(\w+)", "".join(path.read_text("utf-8") for path in TEMPLATES.rglob("*.html"))))
    by_computed_name = {f"{name}_{kind}" for name in ("key", "key_note") for kind in ("poe", "token", "either")}
    assert used | by_computed_name == set(TEXTS["en"])


def test_the_two_chineses_are_written_apart() -> None:
    """Sentences differ in more than their characters, and neither holds a character of the other."""
    simplified, traditional = ("".join(TEXTS[language].values()) for language in ("zh-CN", "zh-TW"))
    assert not set(simplified) & set("網關閘鑰戶設連線機檔環變專資請權")
    assert not set(traditional) & set("网关钥户设连线机档环变专资请权")
    for word in ("閘道", "金鑰", "用戶端", "權杖", "專案"):
        assert word in traditional
    for word in ("网关", "密钥", "客户端", "令牌", "项目"):
        assert word in simplified


def test_english_holds_no_chinese() -> None:
    letters = "".join(TEXTS["en"].values())
    assert not [letter for letter in letters if letter not in string.printable and letter != "→"]


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ([], "en"),
        (["en-GB", "zh-CN"], "en"),
        (["zh-CN", "en"], "zh-CN"),
        (["zh"], "zh-CN"),
        (["zh-Hans-HK"], "zh-CN"),
        (["zh-SG"], "zh-CN"),
        (["zh-TW", "zh"], "zh-TW"),
        (["zh-HK"], "zh-TW"),
        (["zh-Hant"], "zh-TW"),
        (["de-CH", "zh-tw"], "zh-TW"),
        (["de", "fr"], "en"),
        (["*", "", "-", "zhx"], "en"),
    ],
)
def test_the_browser_says_which(accepted: list[str], language: str) -> None:
    assert choose(None, accepted) == language


@pytest.mark.parametrize(
    ("asked", "language"),
    [("zh-TW", "zh-TW"), ("zh_cn", "zh-CN"), ("en", "en"), ("xx", "zh-TW"), ("", "zh-TW"), ("<script>", "zh-TW")],
)
def test_a_reader_who_asks_by_name_comes_first(asked: str, language: str) -> None:
    assert choose(asked, ["zh-TW"]) == language
