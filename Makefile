# The commands of this project. Every target can be run twice in a row; nothing is installed again
# unless pyproject.toml changed. Works offline but for the package index.

PYTHON        ?= python3
PARITY_PYTHON ?= $(PYTHON)
PIP_ARGS      ?=
PYTEST_ARGS   ?=
TOUR_ARGS     ?=
BENCH_ARGS    ?=
JOBS          ?= 2

VENV   := .venv
PARITY := .venv-parity
TORCH  := 2.13.0

# One BLAS thread for each test worker: two pools of threads on the same cores only wait for each other.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
PYTEST      = $(ONE_THREAD) $(1)/bin/python -m pytest -n $(JOBS) $(2) $(PYTEST_ARGS)
INSTALL     = $(1)/bin/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help tour test lint parity bench nightly clean

help:  ## list these commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1|/' | column -t -s '|'

tour: $(VENV)/.stamp-tour  ## set up .venv, then run the guided tour on real data; writes tour.html
	@echo "== convgrad tour $(TOUR_ARGS)"
	@$(VENV)/bin/python -m convgrad tour $(TOUR_ARGS)

test: $(VENV)/.stamp-test  ## set up .venv, then run every test that needs no PyTorch
	@echo "== tests and docstring examples on $(JOBS) processes (tests/parity and the slow ones aside)"
	@$(call PYTEST,$(VENV),tests src/convgrad --doctest-modules)

lint: $(VENV)/.stamp-lint  ## ruff check, ruff format --check and mypy --strict
	@echo "== ruff check, ruff format --check, mypy"
	@$(VENV)/bin/python -m ruff check src tests benchmarks
	@$(VENV)/bin/python -m ruff format --check src tests benchmarks
	@$(VENV)/bin/python -m mypy

parity: $(PARITY)/.stamp-parity  ## set up .venv-parity with PyTorch, then compare convgrad with it
	@echo "== comparison with PyTorch $(TORCH) on $(JOBS) processes"
	@$(call PYTEST,$(PARITY),tests/parity)

bench: $(PARITY)/.stamp-parity  ## time convgrad beside PyTorch, into benchmarks/results/ (idle machine only)
	@echo "== benchmarks, refused on a busy machine"
	@$(PARITY)/bin/python benchmarks/overhead.py $(BENCH_ARGS)
	@$(PARITY)/bin/python benchmarks/startup.py $(BENCH_ARGS)

nightly: $(VENV)/.stamp-test $(PARITY)/.stamp-parity  ## everything: slow tests, comparison, benchmarks
	@echo "== all tests, the slow ones too"
	@$(call PYTEST,$(VENV),tests -m "")
	@$(call PYTEST,$(PARITY),tests/parity -m "")
	@$(MAKE) --no-print-directory bench

clean:  ## remove the environments, caches and what the tour wrote
	@echo "== removing $(VENV), $(PARITY), build, dist, caches, tour.html, tour-*.wav"
	@rm -rf $(VENV) $(PARITY) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis tour.html tour-*.wav
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment whose Python went away (an upgrade, a moved folder) is made anew, with all that was in it.
$(foreach v,$(VENV) $(PARITY),$(shell test -x $(v)/bin/python || rm -f $(v)/.stamp-*))

# ---- environments: bin/python stands for the environment, a stamp for each set of packages in it
$(VENV)/bin/python:
	@$(call make_venv,$(PYTHON),$(VENV))

$(PARITY)/bin/python:
	@$(call make_venv,$(PARITY_PYTHON),$(PARITY))

# Order-only: the interpreter's file date says nothing about what is installed.
$(VENV)/.stamp-tour: pyproject.toml | $(VENV)/bin/python
	@echo "== installing convgrad with the extra [data] into $(VENV)"
	@$(call INSTALL,$(VENV)) --editable '.[data]'
	@touch $@

$(VENV)/.stamp-test: pyproject.toml | $(VENV)/bin/python
	@echo "== installing convgrad with the extras [data,test] into $(VENV)"
	@$(call INSTALL,$(VENV)) --editable '.[data,test]'
	@touch $@ $(VENV)/.stamp-tour

$(VENV)/.stamp-lint: pyproject.toml | $(VENV)/bin/python
	@echo "== installing convgrad with the extras [data,test] and ruff, mypy into $(VENV)"
	@$(call INSTALL,$(VENV)) --editable '.[data,test]' ruff mypy
	@touch $@ $(VENV)/.stamp-tour $(VENV)/.stamp-test

# PyTorch first and alone: if it cannot be had, nothing else is tried and the message says so.
$(PARITY)/.stamp-parity: pyproject.toml | $(PARITY)/bin/python
	@echo "== installing PyTorch $(TORCH) into $(PARITY); this may take minutes"
	@$(call INSTALL,$(PARITY)) 'torch==$(TORCH)' || { $(no_torch); exit 1; }
	@echo "== installing convgrad with the extras [data,test,parity] into $(PARITY)"
	@$(call INSTALL,$(PARITY)) --editable '.[data,test,parity]'
	@touch $@

define make_venv
echo "== making $(2) with $(1)"; \
command -v $(1) >/dev/null 2>&1 || { \
  echo "convgrad: no '$(1)' here; name a Python of 3.11 to 3.14: make PYTHON=/path/to/python3.12" >&2; exit 1; }; \
$(1) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' || { \
  echo "convgrad: needs Python 3.11 to 3.14, but $(1) is $$($(1) --version 2>&1);" \
    "name another: make PYTHON=python3.12" >&2; exit 1; }; \
$(1) -m venv --clear $(2) || { rm -rf $(2); \
  echo "convgrad: '$(1) -m venv' failed; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
endef

define no_torch
echo "convgrad: PyTorch $(TORCH) could not be installed for $$($(PARITY)/bin/python --version) on $$(uname -sm)" \
  "(the reason stands above: no wheel for this Python, or no way to the package index)." >&2; \
echo "  Only the comparison needs it; 'make test' does not. With another Python:" \
  "make clean parity PARITY_PYTHON=python3.12" >&2; \
echo "  Where the index offers several builds of PyTorch, the CPU one is enough: PIP_ARGS='--index-url ...'" >&2
endef
