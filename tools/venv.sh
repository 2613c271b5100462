#!/bin/sh
# Makes .venv hold what a requirements file pins: tools/venv.sh requirements.txt
#
# Works again only when that file has changed, by a copy of it in .venv. A .venv that somebody made by hand is filled,
# and made anew only where its Python does not run or is too old. PYTHON names the interpreter for a new one.
set -eu
cd "$(dirname "$0")/.."
wanted=$1
stamp=.venv/.holds-$wanted

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

if ! new_enough .venv/bin/python; then
    python=${PYTHON:-}
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        [ -n "$python" ] || ! new_enough "$candidate" || python=$candidate
    done
    if [ -z "$python" ] || ! new_enough "$python"; then
        echo "poe2openai needs Python 3.11 or newer${python:+, which $python is not}. PYTHON=/path/to/python3 names one." >&2
        exit 1
    fi
    echo "Making .venv with $("$python" --version) ..."
    if ! "$python" -m venv --clear .venv; then
        rm -rf .venv
        echo "$python cannot make a virtual environment; on Debian and Ubuntu: apt install python3-venv" >&2
        exit 1
    fi
fi

if ! cmp -s "$wanted" "$stamp"; then
    rm -f "$stamp"
    .venv/bin/python -m pip --version >/dev/null 2>&1 || .venv/bin/python -m ensurepip --upgrade >/dev/null
    echo "Installing what $wanted pins ..."
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "$wanted"
    cp "$wanted" "$stamp"
fi
