# imagebot: `make help` lists what there is.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test lint unit integration lab molecule bench faults hostile mutants up down lab-ssh lab-down lock clean

# Options: TARGET=local (demo without a VPS), TARGET=vps (faults on one), DISTRIBUTION=bookworm (the lab's Debian),
# VPS=no (tests without VPSs), CMD='...' (for lab-ssh).
DISTRIBUTION ?= trixie
VPS ?= yes

PYTHON := .venv/bin/python
READY := .venv/ready
PACKAGES := build/packages-ready
export DEMO_BEGAN := $(shell date +%s.%N)
export PATH := $(CURDIR)/.venv/bin:$(PATH):/usr/sbin:/sbin

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo '  TARGET=local  demo without a VPS        DISTRIBUTION=bookworm  Debian 12 in the lab'
	@echo "  VPS=no        tests without VPSs        CMD='...'              one command for lab-ssh"

demo: $(READY) ## A bare VPS becomes a bot, and a person gets a picture from it
	@$(PYTHON) -m tests.demo --target $(or $(TARGET),vps) --distribution $(DISTRIBUTION)

# A VPS has one virtual CPU and takes a core for ten minutes: the other tests go beside it on the others, one kind after
# the other.
test: $(READY) ## Everything that CI runs
	@echo 'Tests on lab VPSs beside all others; each kind tells what it did when it has ended (about 14 minutes).'
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target BESIDE_VPS=yes molecule lab
	@$(if $(filter no,$(VPS)),echo 'Left out (VPS=no): the tests that need a lab VPS.',true)

AFTER = $(if $(BESIDE_VPS),$(1))
OTHER_CORES = $(shell python3 -c 'import os; print(*sorted(os.sched_getaffinity(0))[1:], sep=",")')
BESIDE = $(if $(BESIDE_VPS),$(addprefix taskset --cpu-list ,$(OTHER_CORES)))

lint: $(READY) ## ruff, mypy, luacheck, yamllint, ansible-lint
	$(BESIDE) ruff check .
	$(BESIDE) ruff format --check .
	$(BESIDE) mypy
	$(BESIDE) luacheck -q app .luacheckrc
	$(BESIDE) yamllint --strict .
	$(BESIDE) ansible-lint --offline

unit: $(READY) $(call AFTER,lint) ## Tests that need nothing but Python
	$(BESIDE) pytest -n 2 tests/unit

integration: $(READY) $(call AFTER,unit) ## Tests with real Redis, real processes and the simulators
	$(BESIDE) pytest -n 3 --dist loadfile tests/integration

lab: $(READY) $(call AFTER,integration) ## Tests of the lab itself
ifneq ($(VPS),no)
	$(BESIDE) pytest tests/lab_vps
endif

molecule: $(READY) ## Tests of the playbooks on lab VPSs
ifneq ($(VPS),no)
	@mkdir -p build
	set -o pipefail; $(PYTHON) -m tests.lab --lab molecule exec -- molecule test --all 2>&1 | tee build/molecule.log \
	  || { echo 'What failed, once more (all: build/molecule.log):'; \
	       sed -E 's/\x1b\[[0-9;]*m//g; s/^ *│ ?//' build/molecule.log >build/molecule.txt; \
	       grep -E -A 6 'FAILED!|UNREACHABLE!' build/molecule.txt | cut -c -300 | tail -n 12; \
	       grep -E -A 1 '^ *(E  |FAILED |ERROR +tests)' build/molecule.txt | cut -c -300 | tail -n 18; exit 1; }
	$(PYTHON) -m tests.lab --lab molecule destroy --all
endif

bench: $(READY) ## Our workers beside stock RQ, the polling schedules, the bot under load (27 minutes; docs/benchmarks.md)
	$(PYTHON) -m tests.bench polling
	$(PYTHON) -m tests.bench status
	$(PYTHON) -m tests.bench bot
	$(PYTHON) -m tests.bench worker

faults: $(READY) ## Kill, stop and restart everything under load, and count what became of it (5 minutes; TARGET=vps: 25)
ifeq ($(TARGET),vps)
	$(PYTHON) -m tests.faults.vps --distribution $(DISTRIBUTION)
else
	$(PYTHON) -m tests.faults
endif

hostile: $(READY) ## Every attack there is, and a fuzzer for ten minutes (MINUTES=1: for one; docs/security.md)
	$(PYTHON) -m tests.hostile --minutes $(or $(MINUTES),10)

mutants: $(READY) ## Put 43 bugs in, one at a time: the tests named for each must fail (15 minutes)
	$(PYTHON) -m tests.mutants $(WORDS)

up: $(READY) ## The stack without systemd, for development
	@$(PYTHON) -m tests.stack up

down: $(READY) ## Stop what `make up` started
	@$(PYTHON) -m tests.stack down

lab-ssh: override export CMD := $(value CMD)
lab-ssh: $(READY) ## Log in to the demo's VPS, or run CMD there
	@$(PYTHON) -m tests.lab ssh vps1 $(if $(CMD),-- "$$CMD")

lab-down: $(READY) ## Remove the demo's VPS and every trace of it
	@$(PYTHON) -m tests.lab destroy --all

lock: $(READY) ## Lock the dependencies of pyproject.toml anew, without naming a host
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --upgrade pyproject.toml -o requirements.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --upgrade pyproject.toml --group dev -c requirements.txt -o requirements-dev.txt

clean: ## Remove what was built here; VPSs and stack must be down
	rm -rf build .venv .mypy_cache .ruff_cache .pytest_cache

# -- how this machine gets ready -----------------------------------------------------------------------------------

$(READY): requirements-dev.txt | $(PACKAGES)
	@echo '... the Python environment (.venv) is made'
	@python3 -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	  || { echo 'error: python3 must be 3.11, 3.12 or 3.13' >&2; exit 1; }
	@python3 -m venv --clear .venv
	@.venv/bin/pip install -qq --no-compile --no-deps --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

# The programs of the lab and of the local stack. Without root they are only looked for: `make demo` says what is missing.
$(PACKAGES): tests/install-packages
	@mkdir -p build
	@tests/install-packages
	@touch $@
