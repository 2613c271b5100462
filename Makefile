# `make help` lists what there is. PYTHON names the interpreter for .venv, where none of python3, python3.11 … will do.

SHELL := /bin/sh
PYTHON ?=
export PYTHON

BIN := .venv/bin
LOCK := $(BIN)/python -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command "make lock" $(LOCK_ARGS)
CHECKED := app.py wsgi.py tools poe2openai

.PHONY: help run demo test check format docs lock bench clean dev-requirements
.DEFAULT_GOAL := help

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## the gateway on http://localhost:8080 (PORT=… for another)
	@tools/venv.sh requirements.txt
	@exec $(BIN)/python -m tools.serve

demo: dev-requirements ## the gateway in front of a small scripted Poe: no account needed
	@exec $(BIN)/python -m tools.demo

test: dev-requirements ## all tests, two files at a time (PYTEST_ARGS="-k health -x" for some)
	$(BIN)/python -m pytest -q -n 2 --dist loadfile $(PYTEST_ARGS)

check: dev-requirements ## lint, format, types, import contracts
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy $(CHECKED)
	$(BIN)/python -m mypy gunicorn.conf.py
	$(BIN)/python -c "from importlinter.cli import lint_imports_command; lint_imports_command()" --no-logo

format: dev-requirements ## puts the code into its form
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

docs: dev-requirements ## writes the generated parts of docs/ again
	$(BIN)/python -m cogapp -r -I . docs/*.md

lock: dev-requirements ## pins the requirements again (LOCK_ARGS=--upgrade for newer ones)
	$(LOCK) requirements.in --output-file requirements.txt
	$(LOCK) requirements-dev.in --output-file requirements-dev.txt

bench: ## measures the gateway against the yardstick; needs Go
	@command -v go >/dev/null || { echo "The measuring rig is written in Go, which is not installed here: see bench/README.md."; exit 1; }
	@tools/venv.sh requirements.txt
	bench/compare.sh $(BENCH_ARGS)

clean: ## removes .venv and the caches
	rm -rf .venv .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

dev-requirements:
	@tools/venv.sh requirements-dev.txt
