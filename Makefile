# Two commands on a fresh machine: `make demo` and `make test`; a third one, `make check`, for who changes the code. Each makes .venv when needed; all are safe to run twice.
.DEFAULT_GOAL := help
.PHONY: help demo check test lock clean

PYTHON ?= $(shell for p in python3.12 python3.11 python3.13 python3.14 python3.10 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 15))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin

help:
	@echo "make demo   install into .venv and animate samples/reference.png with samples/driver.mp4 (result: demo/out.mp4)"
	@echo "make check  install into .venv with all extras; formatting and lint (ruff), types (basedpyright)"
	@echo "make test   install into .venv with all extras and run the tests"
	@echo "make lock   name the newest versions of all packages, those of all extras too, in requirements.lock"
	@echo "make clean  remove .venv, demo/ and what builds leave"

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "dancepipe needs Python 3.10 to 3.14 (found none); name one with: make PYTHON=/path/to/python3.11 ..." >&2; exit 2; }
	$(PYTHON) -m venv .venv

.venv/installed-core: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install -q -e .
	@touch $@

.venv/installed-dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install -q -e '.[dev]'
	@touch $@ .venv/installed-core

demo: .venv/installed-core
	$(BIN)/python tools/demo.py

check: .venv/installed-dev
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m ruff check .
	$(BIN)/python -m basedpyright --pythonpath $(BIN)/python

test: .venv/installed-dev
	$(BIN)/python -m dancepipe models
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

lock: $(BIN)/python
	$(BIN)/python -m pip install -q uv
	UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile -q --upgrade --universal --all-extras --no-annotate --no-emit-index-url pyproject.toml -o requirements.lock

clean:
	rm -rf .venv demo build dist
