# Every target builds the environment it needs in $(VENV) and does nothing where that stands already.
PYTHON ?= python3
VENV ?= .venv
RUN ?= runs/demo
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt
INPUTS := pyproject.toml constraints.txt

export OMP_NUM_THREADS ?= 1

.PHONY: audit test slow lint format bench docs clean

audit: $(VENV)/.text  ## Audit the demo model, offline.
	$(BIN)/biaskit audit --model demo --concepts food --offline --out-dir $(RUN) --force

test: $(VENV)/.dev  ## The default tests: a few minutes on two cores.
	$(BIN)/python -m pytest -n 2 --durations 25

slow: $(VENV)/.dev  ## The tests marked slow.
	$(BIN)/python -m pytest -n 2 --durations 25 -m slow

lint: $(VENV)/.dev  ## What continuous integration checks besides the tests.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev  ## Put the sources into the one form that lint accepts.
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(VENV)/.bench  ## Speed against the peers, as tables of ratios.
	for script in benchmarks/bench_*.py; do $(BIN)/python $$script || exit 1; done

docs: $(VENV)/.docs  ## The site, in site/; a warning is an error.
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

clean:
	rm -rf $(VENV) build dist runs site

# torch first and alone: whatever build of it the index offers for this machine is then kept.
$(VENV)/.torch: constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("biaskit needs Python 3.11 or newer") if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) torch
	touch $@

$(VENV)/.text: $(VENV)/.torch $(INPUTS)
	$(PIP) --editable '.[text]'
	touch $@

$(VENV)/.dev: $(VENV)/.torch $(INPUTS)
	$(PIP) --editable '.[all,dev]'
	touch $@ $(VENV)/.text

$(VENV)/.docs: $(VENV)/.dev
	$(PIP) --editable '.[docs]'
	touch $@

$(VENV)/.bench: $(VENV)/.dev
	$(PIP) --editable '.[bench]'
	touch $@
