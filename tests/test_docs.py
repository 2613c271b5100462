"""The documents that follow from the code still do."""

import io
import re
from contextlib import redirect_stdout
from dataclasses import fields
from pathlib import Path

import pytest
from cogapp import Cog

from poe2openai.config.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("bench/*.md")])
CONFIGURATION = ROOT / "docs" / "configuration.md"

LINK = re.compile(
    r"\]\((?!https?://|mailto:)([^)#\s]+)(#[^)\s]*)?\)|<(?:img|a)\s[^>]*?(?:src|href)=\"(?!https?://|#)([^\"#]+)"
)


@pytest.mark.parametrize("document", sorted(ROOT.glob("docs/*.md")), ids=lambda path: path.name)
def test_generated_parts_are_up_to_date(document: Path) -> None:
    with redirect_stdout(io.StringIO()) as said:
        status = Cog().main(["cog", "--check", "-I", str(ROOT), str(document)])

    assert status == 0, f"run `make docs`: {said.getvalue()}"


def test_every_setting_is_documented_once() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \|", CONFIGURATION.read_text(encoding="utf-8"), re.MULTILINE)

    assert sorted(rows) == sorted(each.name.upper() for each in fields(Settings)), (
        "each theme of poe2openai/config/settings.py needs its table in docs/configuration.md: see `make docs`"
    )


def test_every_variable_that_a_deployment_file_sets_exists() -> None:
    known = {each.name.upper() for each in fields(Settings)}
    compose = set(re.findall(r"^ {6}([A-Z_]+):", (ROOT / "compose.yaml").read_text(encoding="utf-8"), re.MULTILINE))
    unit = (ROOT / "deploy" / "poe2openai.service").read_text(encoding="utf-8")
    service = set(re.findall(r"([A-Z_]+)=", " ".join(re.findall(r"^Environment=(.*)", unit, re.MULTILINE))))

    assert compose
    assert service
    assert compose | service <= known


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_inside_the_project_lead_somewhere(document: Path) -> None:
    targets = [link or picture for link, _, picture in LINK.findall(document.read_text(encoding="utf-8"))]
    dead = [target for target in targets if not (document.parent / target).exists()]

    assert not dead, f"{document.name} links to what is not there: {dead}"
