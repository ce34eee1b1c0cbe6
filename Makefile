# Commands of the project. Each target sets itself up when needed and only then; `make run` and the core of `make test` need
# python3.11 and make, nothing else.
#
# QUIET=1 makes every command say only what went wrong.
#
#   make run [SOURCE=simulated|archive|live] [ARCHIVE=folder] [AS_OF=YYYY-MM-DD]     the weekly job
#   make serve [PORT=3000] [SOURCE=live]    make health    make backup TO=    make restore FROM=
#   make dev | test | drills [DRILL=] | check | bench | evaluate | clean
#   make rebuild FROM= [TO=]    make rebuild-warehouse    make reproduce WEEK= TABLE= [VERSION=]    make verify
#   make orders INDEX= CAPITAL= VENUE=    make index-new ID=
#   make doctor [JSON=1] [ONLINE=1]    make alerts [DRY_RUN=1]    make compact [FORGET_LOST=1]    make replay [DATASET=source/name]    make docs
#   make audit    make fuzz [SECONDS=60]
#   make optimise INDEX= [GOAL=] [SEARCH=] [VARIANTS=] [COST_BPS=]
#   make notebook [SOURCE=archive] [NOTEBOOK_PORT=]

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
MANIFEST := dbt_project/target/manifest.json
DBT_SOURCES := $(shell find dbt_project/models dbt_project/macros dbt_project/seeds -type f 2>/dev/null) dbt_project/dbt_project.yml dbt_project/profiles.yml
PORT ?= 3000
SHELL := /bin/sh
.DELETE_ON_ERROR:
.PHONY: run dev doctor test test-parts test-runs drills check bench evaluate rebuild reproduce verify compact replay clean setup lock fix docs fault-matrix request-budget source-reference feature-reference table-reference check-api index-new index-show index-schema orders optimise alerts notebook audit fuzz serve health backup restore soak rebuild-warehouse distributed lock-distributed

# What the commands read from the environment.
export TIDEMARK_SOURCE := $(or $(SOURCE),$(TIDEMARK_SOURCE),simulated)
ifneq ($(ARCHIVE),)
export TIDEMARK_ARCHIVE := $(ARCHIVE)
endif
ifneq ($(AS_OF),)
export TIDEMARK_AS_OF := $(AS_OF)
endif
ifneq ($(QUIET),)
export TIDEMARK_QUIET := 1
endif
export DAGSTER_HOME := $(CURDIR)
export DBT_PROFILES_DIR := $(CURDIR)/dbt_project
export PYTHONPATH := $(CURDIR)
export PYTHONDONTWRITEBYTECODE :=

# The environment: the pinned requirements with their hashes (uv where it is there, else pip), compiled to bytecode.
$(READY): requirements.lock
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) is not installed; install Python 3.11, or name another with PYTHON=python3.12" >&2; exit 2; }
	@test -x $(BIN)/python || { echo "Setting up $(VENV) (once, a few minutes with pip)"; $(PYTHON) -m venv $(VENV); }
	@if command -v uv >/dev/null; then uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock; \
	else $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock; fi
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null 2>&1 || true
	@touch $@

# dbt's picture of the project, which Dagster reads: parsed in a build step and not at every start.
$(MANIFEST): $(READY) $(DBT_SOURCES)
	@cd dbt_project && ../$(BIN)/dbt --quiet parse --no-version-check >/dev/null
	@touch $@

setup: $(READY) $(MANIFEST)

run: setup
	@$(BIN)/python -m orchestration.cli run

dev: setup
	@TIDEMARK_UI_PORT=$(PORT) $(BIN)/python -m orchestration.cli dev

# Daemon and UI in the foreground, schedules on: make serve [PORT=3000] [LISTEN=127.0.0.1] [SOURCE=live]; docs/how-to/serve.md
serve: setup
	@TIDEMARK_UI_PORT=$(PORT) $(if $(LISTEN),TIDEMARK_UI_HOST=$(LISTEN)) exec $(BIN)/python -m orchestration.cli serve

health:
	@$(BIN)/python -m orchestration.cli health

# A consistent copy of the data folder, and back into an empty one: make backup TO=/mnt/backup/2025-01-06 [WAIT=180], make restore FROM=...
backup: setup
	@test -n "$(TO)" || { echo "make: say where to: make backup TO=folder" >&2; exit 2; }
	@$(BIN)/python -m orchestration.cli backup --to "$(TO)" $(if $(WAIT),--wait "$(WAIT)")

restore: setup
	@test -n "$(FROM)" || { echo "make: say which backup: make restore FROM=folder" >&2; exit 2; }
	@$(BIN)/python -m orchestration.cli restore --from "$(FROM)"

# Five research questions on the published copy, to change and ask again: make notebook [SOURCE=archive] [NOTEBOOK_PORT=2718]
NOTEBOOK_PORT ?= 2718
notebook: setup
	@$(BIN)/marimo edit docs/notebooks/five_questions.py --host 127.0.0.1 --port $(NOTEBOOK_PORT) --skip-update-check

rebuild: setup
	@test -n "$(FROM)" || { echo "make: say which weeks: make rebuild FROM=YYYY-MM-DD [TO=YYYY-MM-DD]" >&2; exit 2; }
	@$(BIN)/python -m orchestration.cli rebuild --from "$(FROM)" $(if $(TO),--to "$(TO)") $(if $(REASON),--reason "$(REASON)")

# A lost or damaged warehouse.duckdb: recorded versions come back from the published copy, all else from landing.
rebuild-warehouse: setup
	@$(BIN)/python -m orchestration.cli rebuild-warehouse

reproduce: setup
	@test -n "$(WEEK)" -a -n "$(TABLE)" || { echo "make: say what: make reproduce WEEK=YYYY-MM-DD TABLE=learning.trader_grades [VERSION=n]" >&2; exit 2; }
	@$(BIN)/python -m orchestration.cli reproduce --week "$(WEEK)" --table "$(TABLE)" $(if $(VERSION),--version "$(VERSION)")

verify: setup
	@$(BIN)/python -m orchestration.cli verify

# Columns, keys, rows, age and examples of every view of the published copy, against the contract of the SQL interface.
check-api: setup
	@$(BIN)/python -m orchestration.cli check-api

# What is wrong with the machine, the data folder and the settings; writes nothing: make doctor [JSON=1] [ONLINE=1]
doctor: $(READY)
	@$(BIN)/python -m orchestration.cli doctor $(if $(JSON),--json) $(if $(ONLINE),--online)

compact: setup
	@$(BIN)/python -m orchestration.cli compact $(if $(FORGET_LOST),--forget-lost)

replay: setup
	@$(BIN)/python -m orchestration.cli replay $(if $(DATASET),--dataset "$(DATASET)")

# Two processes beside each other: what is computed in one place, and whole runs of the command line. Both take as long on two cores.
test: setup
	@$(MAKE) --no-print-directory -j2 --output-sync=target test-parts test-runs

test-parts: setup
	@$(BIN)/python -m pytest -m "not slow" tests/unit tests/fuzz tests/integration/warehouse

test-runs: setup
	@$(BIN)/python -m pytest -m "not slow" tests/integration tests/faults tests/browser --ignore=tests/integration/warehouse

# What make test leaves out because something cheaper holds most of it; each drill says what, and what it costs.
# The tests of properties are repeated with more examples than the tests try (tests/examples.py).
# First the faults on real runs (tests/faults/drills), which write docs/results/drills.md and go on where they were stopped; by name with
# DRILL="kills warehouse" they alone, DRILL_ROOT= says where their folders lie.
drills: setup
	@$(BIN)/python -m tests.faults.drills $(if $(DRILL_ROOT),--root "$(DRILL_ROOT)") $(DRILL)
ifeq ($(DRILL),)
	@$(BIN)/python -m pytest -m slow tests
	@$(BIN)/python -m pytest -m "hypothesis and not slow" --hypothesis-profile=deep tests/unit tests/fuzz
endif

# Weeks of scheduled runs through the real service, its clock set forward: make soak [WEEKS=13] [DAILY_WEEKS=0] FOLDER=folder. Goes on
# where an interrupted one stopped; writes docs/results/three-months.md. 13 weeks took 78 minutes beside other work.
soak: setup
	@test -n "$(FOLDER)" || { echo "make: say where it may write: make soak FOLDER=folder [WEEKS=13]" >&2; exit 2; }
	@$(BIN)/python -m tests.soak.three_months --folder "$(FOLDER)" $(if $(WEEKS),--weeks "$(WEEKS)") $(if $(DAILY_WEEKS),--daily-weeks "$(DAILY_WEEKS)")

check: setup
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/sqlfluff lint --disable-progress-bar --processes 0 dbt_project/models
	@cd dbt_project && ../$(BIN)/dbt --quiet parse --no-version-check --no-partial-parse >/dev/null
	@$(BIN)/python -m orchestration.cli check-definitions

# Known vulnerabilities of the pinned requirements; the tool lives in an environment of its own, as it is no part of the project.
AUDIT := .venv/audit
audit:
	@test -x $(AUDIT)/bin/pip-audit || { $(PYTHON) -m venv $(AUDIT) && $(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==2.10.1; } \
		|| { echo "SKIPPED: requirements were not audited; pip-audit cannot be installed"; rm -rf $(AUDIT); exit 0; }; \
	if test -x $(AUDIT)/bin/pip-audit; then $(AUDIT)/bin/python .ci/audit.py $(AUDIT)/bin/pip-audit; fi

# Damaged answers and files for every parser, SECONDS of processor time a group and engine; counts are added to docs/results/fuzzing.md.
fuzz: setup
	@$(BIN)/python -m tests.fuzz $(SECONDS)

fix: setup
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .
	@$(BIN)/sqlfluff fix --disable-progress-bar --processes 0 dbt_project/models

# All benchmarks, or one part of the page: make bench [PART=compared|features|optimiser|limits]
bench: setup
	@$(BIN)/python -m benchmarks $(PART)

evaluate: setup
	@$(BIN)/python -m orchestration.evaluate

# A definition to start from: make index-new ID=my_ten
index-new: setup
	@$(BIN)/python -m orchestration.cli index-new --id "$(ID)"

# What to trade to hold an index: make orders INDEX=hodl10 CAPITAL=10000 VENUE=binance [HOLDINGS=file.csv] [QUOTE=USDT]
#   [FEES=taker|maker] [SPREAD=1] [MARKETS=file.json]. Nothing is sent.
orders: setup
	@test -n "$(INDEX)" -a -n "$(VENUE)" || { echo "make: say what and where: make orders INDEX=hodl10 CAPITAL=10000 VENUE=binance [HOLDINGS=file.csv]" >&2; exit 2; }
	@$(BIN)/python -m orchestration.cli orders --index "$(INDEX)" --venue "$(VENUE)" $(if $(CAPITAL),--capital "$(CAPITAL)") \
		$(if $(HOLDINGS),--holdings "$(HOLDINGS)") $(if $(QUOTE),--quote "$(QUOTE)") $(if $(MARKETS),--markets "$(MARKETS)") \
		$(if $(FEES),--fees "$(FEES)") $(if $(SPREAD),--spread)

# A definition as it is understood, with what its risk mode sets: make index-show ID=my_ten
index-show: setup
	@$(BIN)/python -m orchestration.cli index-show --id "$(ID)"

# Variants of a model-driven index, and how much of the best is luck: make optimise INDEX=ai_top100 [GOAL=annual_return=0.15,max_drawdown=0.10]
# [SEARCH=file.yaml] [VARIANTS=500] [COST_BPS=30] [SIMPLIFY=1]
optimise: setup
	@test -n "$(INDEX)" || { echo "make: say which index: make optimise INDEX=ai_top100 [GOAL=annual_return=0.15,max_drawdown=0.10]" >&2; exit 2; }
	@$(BIN)/python -m orchestration.cli optimise --index "$(INDEX)" $(if $(GOAL),--goal "$(GOAL)") $(if $(SEARCH),--search "$(SEARCH)") \
		$(if $(VARIANTS),--variants "$(VARIANTS)") $(if $(COST_BPS),--cost-bps "$(COST_BPS)") $(if $(SIMPLIFY),--simplify)

# Tell what is due, or with DRY_RUN=1 print it: docs/how-to/alerts.md
alerts: setup
	@$(BIN)/python -m orchestration.cli alerts $(if $(DRY_RUN),--dry-run)

index-schema: setup
	@$(BIN)/python -m orchestration.cli index-schema

# Models, columns, tests and lineage as one page, in the data folder.
docs: setup
	@$(BIN)/python -m orchestration.cli docs

# Pages of docs/ that a command writes.
fault-matrix: setup
	@$(BIN)/python -m tests.faults.fault_matrix

request-budget: setup
	@$(BIN)/python -m orchestration.request_budget

source-reference: setup
	@$(BIN)/python -m orchestration.source_reference

feature-reference: setup
	@$(BIN)/python -m orchestration.feature_reference

# All columns of all tables, and the names of api that were promised: what dbt's YAML says.
table-reference: setup
	@$(BIN)/python -m orchestration.table_reference

# Pin the requirements anew; needs uv. The lock names no index.
lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-strip-extras \
		--custom-compile-command "make lock" --group dev pyproject.toml -o requirements.lock

# What more than one machine needs, into the same environment: docs/how-to/more-than-one-machine.md
distributed: setup
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-distributed.lock

lock-distributed:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-strip-extras \
		--custom-compile-command "make lock-distributed" --group distributed -c requirements.lock -o requirements-distributed.lock

clean:
	rm -rf $(VENV) dbt_project/target dbt_project/logs .pytest_cache .mypy_cache .ruff_cache .hypothesis
