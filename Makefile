# The two commands of the README are `make run` and `make test`; `make help` lists the rest.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
# The locks name everything there is to install: pip has nothing to resolve, and no newer release to trip over.
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-header --extra postgres --extra encryption pyproject.toml
# Each core runs the tests of two processes, and who is done takes over what is left of the others.
SIDE_BY_SIDE := --numprocesses auto --dist worksteal

.PHONY: help run test test-unit test-pythons torture bench check setup lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-12s %s\n", $$1, $$2}'

run: .venv/.run ## start limbo on this machine: API, worker, queue in memory, two fake senders
	@$(BIN)/limbo dev

test: .venv/.dev ## run the tests
	@$(BIN)/pytest $(SIDE_BY_SIDE)

test-unit: .venv/.dev ## run the unit tests alone
	@$(BIN)/pytest $(SIDE_BY_SIDE) tests/unit

test-pythons: .venv/.dev ## run the unit tests on the other Pythons that this machine has
	@.ci/pythons $(SIDE_BY_SIDE)

torture: .venv/.dev ## kill, fill, cut off and attack everything, in full: some ten minutes
	@$(BIN)/pytest tests/torture --torture

bench: .venv/.dev ## measure limbo against its floors: some five minutes
	@$(BIN)/python -m benchmarks

check: .venv/.dev ## lint, types, architecture, and the tests with coverage
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@command -v promtool >/dev/null || { echo 'promtool is missing; on Debian: apt-get install prometheus' >&2; exit 1; }
	@$(BIN)/pytest $(SIDE_BY_SIDE) -m '' --cov

setup: .venv/.run ## only install, so that .venv/bin/limbo is there

lock: .venv/.dev ## pin the dependencies again
	$(LOCK) --group build -o requirements.txt
	$(LOCK) --group dev -c requirements.txt -o requirements-dev.txt

clean: ## remove what the other targets made
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage*

# Only a venv with pip is whole: without Debian's python3-venv, `python -m venv` leaves one that has none.
.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo 'limbo needs Python 3.11 or newer; name it with: make PYTHON=python3.12 …' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo 'python venv is missing; on Debian: apt-get install python3-venv' >&2; exit 1; }
	@echo 'setting up .venv …'
	@$(PYTHON) -m venv --clear .venv || { rm -rf .venv; exit 1; }

.venv/.run: requirements.txt pyproject.toml | .venv/bin/pip
	@echo 'installing limbo …'
	@$(PIP_INSTALL) -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.venv/.dev: .venv/.run requirements-dev.txt
	@echo 'installing what the tests need …'
	@$(PIP_INSTALL) -r requirements-dev.txt
	@touch $@
