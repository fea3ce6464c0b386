# Two commands do everything on a fresh machine: `make repro` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHONDONTWRITEBYTECODE := 1

.PHONY: repro test check setup sample demo

repro: setup            ## the bundled sample, from raw text to reports/index.html
	dvc repro

test: setup             ## all tests
	pytest

check: setup            ## formatting, lint and types
	ruff check .
	ruff format --check .
	mypy


demo: setup             ## a page on this machine that asks the trained runs
	python -m pipeline demo

sample: setup           ## write the bundled sample again
	python data/sample/generate.py

setup: .venv/.installed

.venv/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: $$($(PYTHON) --version) found, 3.11 or newer needed; make PYTHON=python3.12 ..."; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --disable-pip-version-check --editable ".[dev]"
	@touch $@
