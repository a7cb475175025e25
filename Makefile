# All a newcomer needs. Each target sets up what it uses: git, make and Python 3.10 or newer suffice.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.SUFFIXES:

PYTHON ?= python3
VENV := .venv/bin
# Anything pytest takes: make test PYTEST="-k guard"
PYTEST ?=
# How many examples each fuzzed test tries
FUZZ ?= 2000
# Names of benchmarks, all without: make bench BENCH=overhead
BENCH ?=
# What the benchmark of releases measures, all without: make bench BENCH=release ROWS=100000 CHANGED="0.1 10"
ROWS ?=
CHANGED ?=
export ROWS CHANGED

.PHONY: help demo pictures test test-more try faults fuzz bench inputs lint setup-own setup setup-all setup-more pins clean

help: ## What there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

demo: setup ## Play pull requests, a deploy, a release and its rollback on real parts; leaves demo-output/
	$(VENV)/python tests/demo/play.py

pictures: demo ## Renew the README's pictures from the demo; needs Chromium
	$(VENV)/python tests/demo/pictures.py

test: setup-all ## Run the tests: each behaviour once
	$(VENV)/pytest --numprocesses auto --dist loadgroup -m "not more" $(PYTEST)

test-more: setup-more ## Run what that leaves out: every dbt version, act, soak, all points of a crash
	$(VENV)/pytest --numprocesses auto --dist loadgroup -m more $(PYTEST)

try: setup-own ## Your own project: make try PROJECT=path STATE=s3://bucket/prefix-or-folder
	@test -n "$(PROJECT)" -a -n "$(STATE)" || { echo 'Say what to try: make try PROJECT=path STATE=s3://bucket/prefix, or STATE=folder' >&2; exit 2; }
	@$(VENV)/python tests/demo/try_project.py --project "$(PROJECT)" --state "$(STATE)"

fuzz: setup-own ## Try many texts, inputs and files made at random: make fuzz FUZZ=5000
	FUZZ=$(FUZZ) $(VENV)/pytest --numprocesses auto -m fuzz $(PYTEST)

faults: setup-all ## Run the fault tests; a line for each row of the fault table
	$(VENV)/pytest --numprocesses auto --dist loadgroup -m fault --fault-table --quiet $(PYTEST)

bench: setup ## Slim CI beside the hand-written recipe, into benchmarks/; reports, swaps, releases; soak the store
	$(VENV)/python tests/benchmarks/bench.py $(BENCH)

inputs: setup-own ## Write the table of inputs into the actions, workflows and docs
	$(VENV)/python tools/make_inputs.py

lint: setup-own ## Every linter
	.ci/lint

setup-own:
	@$(PYTHON) tests/make_environments.py

setup:
	@$(PYTHON) tests/make_environments.py 1.12

setup-all:
	@$(PYTHON) tests/make_environments.py 1.8 1.11 1.12 duckdb

setup-more: setup-all
	@$(PYTHON) tests/make_environments.py 1.9 1.10 1.13 2.0

# Renew every pin: uv.lock, the tests' dbt versions and uv itself. duckdb is dbt 1.12 with that adapter.
pins:
	uv lock --upgrade
	cd tests/requirements && for version in 1.8 1.9 1.10 1.11 1.12 1.13 2.0 duckdb; do \
	  uv pip compile "dbt-$$version.in" --upgrade --universal --python-version 3.10 --generate-hashes \
	    --override override.txt --no-annotate --custom-compile-command 'make pins' --quiet \
	    --output-file "dbt-$$version.txt"; \
	done
	{ echo '# The uv that sets up dbt-deploy where the runner has none. Renewed by make pins.'; \
	  echo uv | uv pip compile - --generate-hashes --universal --no-header --no-annotate --quiet; \
	} > scripts/uv-requirement.txt.new
	mv scripts/uv-requirement.txt.new scripts/uv-requirement.txt

clean: ## Remove all that these made
	rm -rf .venv .cache demo-output try-output .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
