# Everything a person or CI runs. `.venv` is built from the lock file where it is missing or stale.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: compiled strategy-bench run test test-all check format load bench bench-peers soak month improve evidence optimize-bench lock clean

run: $(STAMP)
	$(BIN)/evogate up --demo

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 -m "not slow"

test-all: test
	$(BIN)/python -m pytest -n 2 -m slow

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

load: $(STAMP)
	$(BIN)/python -m loadtests.headless

# The hot modules compiled by mypyc, in a folder of their own; needs a C compiler, takes some minutes.
# To serve from it: PYTHONSAFEPATH=1 PYTHONPATH=.compiled .venv/bin/evogate up
compiled: $(STAMP)
	$(BIN)/python deploy/compile.py .compiled

# A quarter of an hour on a quiet machine. Other gateways take part where `make bench-peers` has installed them.
bench: compiled
	PYTHONSAFEPATH=1 PYTHONPATH=$(CURDIR)/.compiled $(BIN)/python -m loadtests.bench

bench-peers: $(STAMP)
	$(BIN)/python -m loadtests.peers.install

soak: $(STAMP)
	$(BIN)/python -m loadtests.soak --minutes 60 --rate 2000

# Thirty days on a fast clock, about eleven minutes.
month: $(STAMP)
	$(BIN)/python -m loadtests.month

# Three worlds, nine minutes each: what the loop makes of a poor genome.
improve: $(STAMP)
	$(BIN)/python -m loadtests.improve

# Under a minute; the first table needs the recorded outcomes beside the checkout.
strategy-bench: $(STAMP)
	$(BIN)/python -m loadtests.strategy

evidence: $(STAMP)
	$(BIN)/python -m loadtests.evidence

# Twenty seeds at two budgets, beside other optimisers where `python -m loadtests.peers.optimizers` has installed them;
# `.venv/bin/python -m loadtests.optimize --quick` takes under two minutes.
optimize-bench: $(STAMP)
	$(BIN)/python -m loadtests.optimize

# Needs `uv`; run it after changing the dependencies in pyproject.toml.
lock:
	uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header -o requirements.lock

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("EvoGate needs Python 3.11 or newer; set PYTHON=python3.x") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(STAMP)

clean:
	rm -rf .venv .compiled .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build *.egg-info
