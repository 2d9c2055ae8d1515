# make demo   installs into .venv and matches the example sound: preset, preview, picture in demo/
# make test   installs the test extras and runs what continuous integration runs
# make docs   builds the documentation into site/
# make soak   attacks the commands for 40 minutes: damaged files, kills (MINUTES=2: for two)
# make versions  installs the lowest declared versions, and the newest, and tries both
#
# Without make (Windows): see "Install" in README.md.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
SOUND := examples/amsynth_brass.flac
# Processes that test at most; fewer where there are fewer processors.
JOBS ?= 8
MINUTES ?= 40
NAME := $(basename $(notdir $(SOUND)))

.DEFAULT_GOAL := help
.PHONY: help demo test lint types check docs soak versions clean

help:
	@sed -n '/^# make/s/^# //p' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/.installed
	$(BIN)/deepdiva refine $(SOUND) --output demo --force
	@echo "preset:  demo/$(NAME).h2p"
	@echo "preview: demo/$(NAME).wav"
	@echo "picture: demo/$(NAME).png"
	@echo "To hear it, turn its knobs and play it, open the page:"
	@echo "    $(BIN)/deepdiva app --folder demo $(SOUND)"

test: lint types check

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-test
	$(BIN)/mypy

check: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n logical --maxprocesses $(JOBS) --dist worksteal --durations=20

docs: $(VENV)/.installed-docs
	$(BIN)/mkdocs build --strict

soak: $(VENV)/.installed-test
	$(BIN)/python scripts/attack.py soak --minutes $(MINUTES)

versions: $(BIN)/python
	$(BIN)/python scripts/versions.py lowest
	$(BIN)/python scripts/versions.py newest

clean:
	rm -rf $(VENV) .venv-lowest .venv-newest soak demo site build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

# The environment is made again only when it is missing, and filled again only when what it is
# filled from has changed. pip leaves alone what is installed already.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "DeepDiva needs Python 3.11 or later: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments." >&2; \
	  echo "On Debian and Ubuntu: sudo apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --quiet --constraint constraints.txt --editable '.[app]'
	@touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --quiet --constraint constraints.txt --editable '.[test]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-docs: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --quiet --constraint constraints.txt --editable '.[docs]'
	@touch $@
