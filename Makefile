# Every target works on a fresh machine: what it needs is installed into .venv first, once.
# .venv/.core holds the core dependencies (xor, cachesim), .venv/.system those with PyRTL (demo, system, with its kernels
# compiled: .venv/.warm), .venv/.reservoir those with SciPy (reservoir), and .venv/.all every extra (the rest).

# PYTHON names another interpreter; it is used only to make .venv.
PYTHON ?= $(shell for p in python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install -q -c constraints.txt
PYTEST := $(BIN)/python -m pytest
# A worker a core; the tests of one file share fixtures, so they stay together.
PARALLEL ?= -n auto --maxprocesses=8 --dist loadfile
# Workers that each bring the threads of a linear algebra library would stand in each other's way.
check test: export OPENBLAS_NUM_THREADS ?= 1
SEED ?= 1
# Extra arguments for the tests: make test ARGS="-k clock -x"
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo xor system verilog cachesim reservoir test check bench docs warm clean
.DELETE_ON_ERROR:

help:  ## say what each target does
	@echo "hwmodel: make TARGET"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 10

setup: .venv/.all  ## create .venv with all extras
	@echo "setup: .venv is ready; try 'make demo', or '. .venv/bin/activate' and 'hwmodel list'"

demo: .venv/.warm  ## classify XOR with a stochastic SFQ network, then close a loop from a hashing chip to a 100 GHz core
	@echo "demo: running the simulation xor_network"
	@$(BIN)/hwmodel run xor_network --seed $(SEED) --out build/demo
	@echo "demo: running the composed system neuromorphic_edge"
	@$(BIN)/hwmodel run neuromorphic_edge --seed $(SEED) --out build/system
	@echo "demo: open build/demo/report.html and build/system/report.html"

xor: .venv/.core  ## the XOR network into build/xor (core only)
	@echo "xor: running the simulation xor_network"
	@$(BIN)/hwmodel run xor_network --seed $(SEED) --out build/xor

system: .venv/.warm  ## a hashing chip, an SFQ network, a quantized readout and a 100 GHz core in one closed loop
	@echo "system: running the composed system neuromorphic_edge into build/system"
	@$(BIN)/hwmodel run neuromorphic_edge --seed $(SEED) --out build/system --profile

verilog: .venv/.all  ## make Verilog of a trained classifier, verify it on its test images, show size and accuracy
	@echo "verilog: emitting the quantized classifier into build/verilog"
	@$(BIN)/hwmodel emit quantized_classifier --out build/verilog
	@echo "verilog: verifying it under Verilator on its 1,000 test images"
	@$(BIN)/hwmodel verify build/verilog --simulator verilator --vectors 1000

cachesim: .venv/.core  ## sweep clocks of 4 to 200 GHz over cores and caches, with plots and the wall (core only)
	@echo "cachesim: running the simulation cachesim into build/cachesim (one to three minutes on two cores)"
	@$(BIN)/hwmodel run cachesim --seed $(SEED) --out build/cachesim

reservoir: .venv/.reservoir  ## ask by a plan fixed beforehand whether a hashing chip's timing computes (with SciPy)
	@echo "reservoir: running the simulation silicon_heartbeat into build/reservoir (one to three minutes on two cores)"
	@$(BIN)/hwmodel run silicon_heartbeat --seed $(SEED) --out build/reservoir

test: .venv/.all  ## all tests; then the kernels' tests with bounds checking and without compilation
	@echo "test: all tests"
	@$(PYTEST) $(PARALLEL) $(ARGS)
	@echo "test: the kernels' tests with bounds checking"
	@NUMBA_BOUNDSCHECK=1 $(PYTEST) -q $(PARALLEL) -m kernels $(ARGS)
	@echo "test: the kernels' tests without compilation"
	@HWMODEL_JIT=0 $(PYTEST) -q $(PARALLEL) -m kernels $(ARGS)

check: .venv/.all  ## lint, types, import rule, documentation with its examples, generated files
	@echo "check: lint"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@echo "check: types"
	@$(BIN)/mypy
	@echo "check: import rule and house rules"
	@$(PYTEST) -q tests/unit/test_imports.py tests/unit/test_house.py
	@echo "check: examples in the code and in the documentation"
	@$(PYTEST) -q $(PARALLEL) --doctest-modules hwmodel
	@$(PYTEST) -q $(PARALLEL) --dist load tests/unit/test_documentation.py
	@echo "check: generated files"
	@$(BIN)/python tools/regenerate.py --check
	@$(MAKE) --no-print-directory docs

bench: .venv/.all  ## measure speed against the floors and write build/bench.json
	@echo "bench: measuring ratios; keep the machine quiet"
	@mkdir -p build
	@$(BIN)/python tests/bench/run.py

docs: .venv/.all  ## build the documentation into build/docs; any warning is an error
	@echo "docs: building into build/docs"
	@$(BIN)/python -m sphinx -q -W --keep-going -b html -d build/doctrees docs build/docs
	@echo "docs: open build/docs/index.html"

warm: .venv/.core  ## compile the kernels into the cache by one small run of the XOR network
	@echo "warm: compiling the kernels; the next run finds them in the cache"
	@$(BIN)/hwmodel run xor_network --seed $(SEED) --out build/warm

clean:  ## remove what was built, but neither .venv nor your runs in out/
	@echo "clean: removing build/ and the tools' caches"
	@rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -path ./.venv -prune -o -type d -name __pycache__ -exec rm -rf {} +

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "setup: no Python >= 3.11 found; install one, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "setup: '$(PYTHON)' is not a Python >= 3.11; name another: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
		{ echo "setup: '$(PYTHON)' cannot make virtual environments; on Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "setup: making .venv with $(PYTHON)"
	@$(PYTHON) -m venv .venv

.venv/.core: pyproject.toml constraints.txt | .venv/bin/python
	@echo "setup: installing hwmodel and its core dependencies (about a minute, 430 MB)"
	@$(PIP) -e .
	@touch $@

.venv/.system: pyproject.toml constraints.txt | .venv/bin/python
	@echo "setup: installing hwmodel with PyRTL (about a minute, 430 MB)"
	@$(PIP) -e '.[system]'
	@touch .venv/.core $@

.venv/.warm: | .venv/.system
	@echo "setup: compiling the kernels of the composed system, once (two to three minutes)"
	@$(BIN)/hwmodel run neuromorphic_edge --set duration="30 us" --out build/warm-system >/dev/null
	@touch $@

.venv/.reservoir: pyproject.toml constraints.txt | .venv/bin/python
	@echo "setup: installing hwmodel with what statistics need (about a minute, 550 MB)"
	@$(PIP) -e '.[reservoir]'
	@touch .venv/.core $@

.venv/.all: pyproject.toml constraints.txt | .venv/bin/python
	@echo "setup: installing hwmodel with all extras (one to three minutes, 750 MB)"
	@$(PIP) -e '.[rtl,system,onnx,trace,reservoir,parquet,docs,dev]'
	@touch .venv/.core .venv/.system .venv/.reservoir $@
