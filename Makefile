# Every recipe; `make` alone lists them. Nothing but Python 3.11+ and make is needed to begin.
SHELL := /bin/sh
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DOCS_STAMP := $(VENV)/.installed-docs
UV_VERSION := 0.13.9
export EFFECTMETER_HOME ?= $(CURDIR)/data
export EFFECTMETER_PROGRAMMES ?= $(CURDIR)/programmes
export DAGSTER_DISABLE_TELEMETRY = yes
# Images for containers often forbid Python to keep what it compiles; each command would then compile its libraries anew
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install demo ui test check lint format types imports lock references coverage editions worlds faults broken bench cluster small docs examples site notebook pictures audit clean

help: ## List the recipes
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 20

$(STAMP): pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit("Effectmeter needs Python 3.11 or newer; this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@echo "Installing from uv.lock (once; a minute or so) ..." >&2
	@$(BIN)/uv sync --frozen --quiet --inexact --python $(BIN)/python
	@touch $@

$(DOCS_STAMP): $(STAMP)
	@$(BIN)/uv sync --frozen --quiet --inexact --group docs --group server --group cluster --python $(BIN)/python
	@touch $@

install: $(STAMP) ## Install what the lock file names into .venv

demo: $(STAMP) ## The main job: bundled deliveries in, reports out, their paths printed
	@$(BIN)/effectmeter worlds >/dev/null
	@$(BIN)/effectmeter refresh

ui: $(STAMP) ## Open Dagster on the same project, at http://localhost:3000
	@$(BIN)/effectmeter ui

test: $(DOCS_STAMP) check ## Lint, types, import directions, lock, and all tests, the browser's included
	@$(BIN)/python tests/find_browser.py --install || true
	@$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

check: lint types imports lock ## Everything that is checked without running the software

lint: $(STAMP) ## Format and lint, docstrings included
	@$(BIN)/ruff format --check --quiet . || { echo "run: make format" >&2; exit 1; }
	@$(BIN)/ruff check --quiet .

format: $(STAMP) ## Put the code into the house format
	@$(BIN)/ruff format --quiet . && $(BIN)/ruff check --quiet --fix .

types: $(STAMP) ## Type check, strictly
	@$(BIN)/mypy --no-error-summary

imports: $(STAMP) ## Check that rooms depend downwards only
	@$(BIN)/lint-imports --no-cache >/dev/null || { $(BIN)/lint-imports --no-cache; exit 1; }

lock: $(STAMP) ## Check that the lock file belongs to pyproject.toml
	@$(BIN)/uv lock --check --quiet

audit: $(STAMP) ## Look up known holes in what the lock names, and check licences; rewrites benchmarks/audit.md
	@$(BIN)/python benchmarks/audit.py

references: ## Recompute the R reference values (needs R with survival, sandwich, clubSandwich, nlme, metafor)
	@for script in tests/references/make_references*.R; do echo "$$script" >&2; Rscript "$$script" || exit 1; done

coverage: $(STAMP) ## Simulate the coverage of the intervals at small sizes (minutes); rewrites benchmarks/coverage.md
	@$(BIN)/python benchmarks/coverage.py

editions: $(STAMP) ## Attack twenty editions with and without the ledger (minutes); rewrites benchmarks/editions.md
	@$(BIN)/python benchmarks/editions.py

worlds: $(STAMP) ## Measure the whole method on known worlds (hours; resumable); rewrites docs/validation.md
	@$(BIN)/python benchmarks/worlds.py

faults: $(STAMP) ## Kill, starve and corrupt a hundred refreshes (an hour; resumable); rewrites benchmarks/faults.md
	@$(BIN)/python benchmarks/faults.py

bench: $(STAMP) ## Measure the chain at national size beside a scan and other packages (hours); rewrites benchmarks/bench.md
	@$(BIN)/python benchmarks/bench.py --sizes 1e5,1e6,1e7

broken: $(STAMP) ## Try some five hundred broken deliveries and plans, and fuzz (an hour; resumable); rewrites benchmarks/broken.md
	@$(BIN)/python benchmarks/broken.py

small: $(STAMP) ## Time a small programme, cold and warm (a minute); rewrites benchmarks/small.md
	@$(BIN)/python benchmarks/small.py

cluster: $(DOCS_STAMP) ## Run twenty programmes in one process and on two workers (an hour); rewrites benchmarks/cluster.md
	@$(BIN)/python benchmarks/cluster.py

docs: $(STAMP) ## Regenerate JSON Schemas and the reference pages
	@$(BIN)/python -m pipelines.generated

examples: $(STAMP) ## Make the worked examples in the guides of the designs again (minutes)
	@EFFECTMETER_HOME=$(CURDIR)/build/examples $(BIN)/effectmeter worlds --quarter 2026-Q3 >/dev/null
	@EFFECTMETER_HOME=$(CURDIR)/build/examples $(BIN)/effectmeter refresh --quarter 2026-Q3 >/dev/null
	@EFFECTMETER_HOME=$(CURDIR)/build/examples $(BIN)/python docs/make_examples.py

site: $(DOCS_STAMP) docs ## Build the documentation site into site/; open site/index.html
	@$(BIN)/python docs/make_site.py

notebook: $(DOCS_STAMP) ## Open the notebook that reproduces a published estimate (after make demo)
	@$(BIN)/marimo edit notebooks/reproduce_tarp.py

pictures: $(STAMP) ## Take the pictures of the documentation (after make demo; needs a Chromium)
	@$(BIN)/python docs/make_pictures.py

clean: ## Remove what the recipes made, except data
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
