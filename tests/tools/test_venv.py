"""`tools/venv.sh`, which every make target goes through first.

A Python that only plays its part stands in for the interpreter: real virtual environments take seconds, and `make test`
has just made one.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PLAYED_PYTHON = """\
#!/bin/sh
# Copies itself for `-m venv`, notes what pip is told, and knows no pip until `-m ensurepip` where there is `no-pip`.
here=$(dirname "$0")
case "$*" in
    --version) echo "Python called ${0##*/}" ;;
    -c*) [ ! -e "$here/too-old" ] ;;
    "-m venv --clear .venv") rm -rf .venv; mkdir -p .venv/bin; cp "$0" .venv/bin/python ;;
    "-m ensurepip"*) rm -f "$here/no-pip" ;;
    "-m pip --version") [ ! -e "$here/no-pip" ] ;;
    "-m pip install"*) echo "$*" >>"$here/installed"; [ ! -e "$here/offline" ] && [ ! -e "$here/no-pip" ] ;;
    *) exit 99 ;;
esac
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "venv.sh", tmp_path / "tools")
    (tmp_path / "requirements.txt").write_text("one==1\n")
    _put_python(tmp_path / "system")
    return tmp_path


def prepare(project: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    python = str(project / "system" / "python")
    return subprocess.run(
        ["tools/venv.sh", "requirements.txt"],
        cwd=project,
        env={"PATH": os.environ["PATH"], "PYTHON": python, **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def installed(project: Path) -> list[str]:
    return (project / ".venv/bin/installed").read_text().splitlines()


def test_it_is_made_once_and_filled_again_when_the_requirements_change(project: Path) -> None:
    first = prepare(project)
    assert first.returncode == 0, first.stderr
    assert "Making .venv with Python called python ..." in first.stdout
    assert len(installed(project)) == 1
    assert "--require-hashes -r requirements.txt" in installed(project)[0]

    assert prepare(project).stdout == ""
    assert len(installed(project)) == 1

    (project / "requirements.txt").write_text("one==2\n")
    assert prepare(project).stdout == "Installing what requirements.txt pins ...\n"
    assert len(installed(project)) == 2
    assert prepare(project).stdout == ""


def test_one_that_somebody_made_by_hand_is_kept_even_without_pip(project: Path) -> None:
    _put_python(project / ".venv/bin")
    (project / ".venv/bin/no-pip").touch()
    (project / ".venv/stays").touch()

    prepared = prepare(project)

    assert (prepared.returncode, prepared.stdout) == (0, "Installing what requirements.txt pins ...\n")
    assert (project / ".venv/stays").exists()


@pytest.mark.parametrize("fault", ["gone", "too old"])
def test_one_whose_python_cannot_be_used_is_made_anew(project: Path, fault: str) -> None:
    _put_python(project / ".venv/bin")
    if fault == "gone":
        (project / ".venv/bin/python").unlink()
        (project / ".venv/bin/python").symlink_to(project / "gone")
    else:
        (project / ".venv/bin/too-old").touch()
    (project / ".venv/goes").touch()

    prepared = prepare(project)

    assert prepared.returncode == 0, prepared.stderr
    assert "Making .venv" in prepared.stdout
    assert not (project / ".venv/goes").exists()


def test_what_could_not_be_installed_is_tried_again_the_next_time(project: Path) -> None:
    prepare(project)
    (project / "requirements.txt").write_text("one==2\n")
    (project / ".venv/bin/offline").touch()

    assert prepare(project).returncode != 0
    assert prepare(project).returncode != 0
    (project / ".venv/bin/offline").unlink()
    assert prepare(project).returncode == 0
    assert len(installed(project)) == 4


def test_a_python_that_is_too_old_is_told(project: Path) -> None:
    (project / "system/too-old").touch()

    prepared = prepare(project)

    assert prepared.returncode == 1
    assert prepared.stderr.startswith(f"poe2openai needs Python 3.11 or newer, which {project}/system/python is not.")
    assert not (project / ".venv").exists()


def test_without_a_name_the_first_python_that_is_new_enough_is_taken(project: Path) -> None:
    for name in ("python3", "python3.13", "python3.11"):
        _put_python(project / name, name)
    (project / "python3/too-old").touch()
    path = ":".join([*(str(project / name) for name in ("python3", "python3.13", "python3.11")), "/usr/bin", "/bin"])

    prepared = prepare(project, PATH=path, PYTHON="")

    assert prepared.returncode == 0, prepared.stderr
    assert "Making .venv with Python called python3.13 ..." in prepared.stdout


def _put_python(folder: Path, name: str = "python") -> None:
    folder.mkdir(parents=True)
    (folder / name).write_text(PLAYED_PYTHON)
    (folder / name).chmod(0o755)
