"""What keeps the house in order: lengths, the mirrored tree of tests, one reader of the environment, no traces."""

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "poe2openai"

MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_FUNCTION = 80

READS_THE_ENVIRONMENT = {"poe2openai/config/settings.py"}

# Folders of a whole system, below which a project may lie without its path saying anything of a machine.
COMMON_FOLDERS = {Path(name) for name in ("/", "/app", "/data", "/opt", "/srv", "/tmp", "/usr", "/usr/src", "/var")}

# Hosts that packages and modules are fetched from: which one serves is a matter of whoever installs.
REGISTRY_HOSTS = (
    r"\b(?:pypi\.\w|pythonhosted\.|npmjs\.|npmmirror\.|crates\.io|proxy\.golang\.)"
    r"|\b(?:\w+\.debian\.org|mirrors?\.[\w-]+\.\w)"
)
HOME_FOLDERS = r"(?<![\w.])/(?:home|Users)/[\w.-]+"
SIBLING_FOLDER = re.escape("../" + "shared")


@cache
def project_files() -> list[Path]:
    """Tracked files and those that would be: a checkout's own word, or all there is where there is no git."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        listing = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        kept = (path for path in ROOT.rglob("*") if not any(part.startswith(".") for part in path.parts))
        return sorted(path for path in kept if path.is_file() and "__pycache__" not in path.parts)
    return sorted(path for name in listing.split("\0") if name and (path := ROOT / name).is_file())


def python_files() -> list[Path]:
    return [path for path in project_files() if path.suffix == ".py"]


def source_files() -> list[Path]:
    return [path for path in python_files() if path.is_relative_to(SOURCE)]


def texts() -> Iterator[tuple[str, str]]:
    """Name and content of each file that is text."""
    for path in project_files():
        content = path.read_bytes()
        if b"\0" not in content:
            yield path.relative_to(ROOT).as_posix(), content.decode(errors="replace")


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_no_file_is_too_long() -> None:
    long = {shown(path): lines for path in python_files() if (lines := _lines(path)) > MOST_LINES_OF_A_FILE}

    assert not long, f"split these by what they speak of, at most {MOST_LINES_OF_A_FILE} lines each: {long}"


def test_no_function_is_too_long() -> None:
    long = [
        f"{shown(path)}:{node.lineno} {node.name}: {lines} lines"
        for path in source_files()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or 0) - node.lineno + 1) > MOST_LINES_OF_A_FUNCTION
    ]

    assert not long, f"give parts of these a name of their own, at most {MOST_LINES_OF_A_FUNCTION} lines each: {long}"


def test_every_source_file_has_its_test_file() -> None:
    """`app.py`, `wsgi.py` and `gunicorn.conf.py` are doors without rooms: tests/test_start.py goes through them."""
    missing = [
        f"tests/{path.relative_to(SOURCE).parent.as_posix()}/test_{path.name}".replace("/./", "/")
        for path in source_files()
        if path.name != "__init__.py"
        and not (ROOT / "tests" / path.relative_to(SOURCE).parent / f"test_{path.name}").exists()
    ]

    assert not missing, f"write these, or move their source to where its tests are: {missing}"


def test_packages_hold_no_code_of_their_own() -> None:
    """An `__init__.py` has no test file, so it holds a docstring and plain values alone."""
    plain = (ast.Expr, ast.Assign, ast.AnnAssign)
    busy = [
        shown(path)
        for path in source_files()
        if path.name == "__init__.py"
        and not all(isinstance(node, plain) for node in ast.parse(path.read_text(encoding="utf-8")).body)
    ]

    assert not busy, f"move their code into a file with a name: {busy}"


def test_the_environment_is_read_in_one_place() -> None:
    readers = {
        shown(path)
        for path in source_files()
        if re.search(
            r"\bos\.(?:environb?|getenvb?|putenv)\b|from os import .*environ", path.read_text(encoding="utf-8")
        )
    }

    assert readers <= READS_THE_ENVIRONMENT, "add a field to poe2openai/config/settings.py and pass its value on"


@pytest.mark.parametrize(
    ("pattern", "advice"),
    [
        pytest.param(REGISTRY_HOSTS, "say `pip install …` and leave the host to pip", id="registry host"),
        pytest.param(HOME_FOLDERS, "use a path inside the project, or ~", id="home folder"),
        pytest.param(SIBLING_FOLDER, "take what is needed into the project", id="folder beside the project"),
    ],
)
def test_no_file_leads_outside(pattern: str, advice: str) -> None:
    found = [f"{name}: {match[0]}" for name, text in texts() if (match := re.search(pattern, text))]

    assert not found, f"{advice}: {found}"


def test_no_file_names_a_path_of_this_machine() -> None:
    folders = {folder for folder in (ROOT, ROOT.parent, Path.home()) if folder not in COMMON_FOLDERS}
    found = [
        f"{name}: {folder}/"
        for name, text in texts()
        for folder in folders
        if re.search(rf"(?<![\w.-]){re.escape(str(folder))}/", text)
    ]

    assert not found, f"use a path relative to the project: {found}"


def _lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())
