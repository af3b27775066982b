# The commands of this project. Every target can be run twice in a row; nothing is installed again
# unless pyproject.toml or the C++ sources changed. Works offline but for the package index.
# The kernels are compiled where that is possible; CONVGRAD_BUILD=native makes a failure of that an error.

PYTHON        ?= python3
PARITY_PYTHON ?= $(PYTHON)
PIP_ARGS      ?=
PYTEST_ARGS   ?=
TOUR_ARGS     ?=
BENCH_ARGS    ?=
SANITIZE_CXX  ?= g++
SANITIZE_ARGS ?= -m ""
JOBS          ?= 2

VENV   := .venv
PARITY := .venv-parity
JAX    := .venv-jax
TORCH  := 2.13.0
# Its interface changes from version to version.
TINYGRAD := 0.14.0
# What the extension is built from; its objects are kept in native/editable, for both environments.
NATIVE := CMakeLists.txt native/editable/CMakeLists.txt $(wildcard native/*.cpp native/*.hpp)

# One BLAS thread for each test worker: two pools of threads on the same cores only wait for each other.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
PYTEST      = $(ONE_THREAD) $(1)/bin/python -m pytest -n $(JOBS) $(2) $(PYTEST_ARGS)
INSTALL     = $(1)/bin/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS)

# The tests of the kernels, and those of the operators and layers that run them.
SANITIZED := tests/kernels tests/nn tests/test_operators.py -k 'kernels or conv'
# Python itself is not built with sanitizers: their library, and the C++ one whose exceptions it watches, come first.
UNDER_SANITIZERS = LD_PRELOAD="$(foreach l,libasan.so libstdc++.so,$(shell $(SANITIZE_CXX) -print-file-name=$(l)))" \
  ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 PYTHONMALLOC=malloc

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help tour test pure lint parity sanitize bench benchall jax nightly native clean
# The two environments build the extension in one folder.
.NOTPARALLEL:

help:  ## list these commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1|/' | column -t -s '|'

tour: $(VENV)/.stamp-tour  ## set up .venv, then run the guided tour on real data; writes tour.html
	@echo "== convgrad tour $(TOUR_ARGS)"
	@$(VENV)/bin/python -m convgrad tour $(TOUR_ARGS)

test: $(VENV)/.stamp-test  ## set up .venv, then run every test that needs no PyTorch
	@echo "== tests and docstring examples on $(JOBS) processes (tests/parity and the slow ones aside)"
	@$(call PYTEST,$(VENV),tests src/convgrad --doctest-modules)

pure: $(VENV)/.stamp-test  ## the same tests on a pure Python wheel, without compiled kernels
	@echo "== tests on $(JOBS) processes, with convgrad installed from a wheel without compiled kernels"
	@$(call borrow,build/pure)
	@CONVGRAD_BUILD=pure build/pure/bin/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) --no-deps .
	@$(call report,build/pure)
	@$(call PYTEST,build/pure,-o pythonpath=. tests)

# A finding ends the process. Leaks are not looked for: Python itself keeps memory to its end.
sanitize: $(VENV)/.stamp-native  ## address and undefined behaviour sanitizers over the kernel tests (needs GCC)
	@echo "== kernel tests on an extension with sanitizers, in build/sanitize"
	@$(call borrow,build/sanitize)
	@CXX=$(SANITIZE_CXX) CONVGRAD_BUILD=native build/sanitize/bin/python -m pip install --quiet --disable-pip-version-check \
	  --no-deps --no-build-isolation --config-settings cmake.define.CONVGRAD_SANITIZE=ON \
	  --config-settings build-dir=build/sanitize/cmake --config-settings install.strip=false .
	@export $(UNDER_SANITIZERS); $(call report,build/sanitize); \
	  $(call PYTEST,build/sanitize,-o pythonpath=. $(SANITIZED) $(SANITIZE_ARGS))

lint: $(VENV)/.stamp-lint  ## ruff check, ruff format --check, mypy --strict and clang-format
	@echo "== ruff check, ruff format --check, mypy, clang-format"
	@$(VENV)/bin/python -m ruff check src tests benchmarks examples
	@$(VENV)/bin/python -m ruff format --check src tests benchmarks examples
	@$(VENV)/bin/python -m mypy
	@$(VENV)/bin/clang-format --dry-run --Werror native/*.cpp native/*.hpp

parity: $(PARITY)/.stamp-parity  ## set up .venv-parity with PyTorch, then compare convgrad with it
	@echo "== comparison with PyTorch $(TORCH) on $(JOBS) processes"
	@$(call PYTEST,$(PARITY),tests/parity)

bench: $(PARITY)/.stamp-parity  ## time convgrad beside PyTorch, into benchmarks/results/ (idle machine only)
	@echo "== benchmarks, refused on a busy machine"
	@$(PARITY)/bin/python benchmarks/overhead.py $(BENCH_ARGS)
	@$(PARITY)/bin/python benchmarks/graphs.py $(BENCH_ARGS)
	@$(PARITY)/bin/python benchmarks/startup.py $(BENCH_ARGS)
	@$(PARITY)/bin/python benchmarks/train.py $(BENCH_ARGS)
	@$(PARITY)/bin/python benchmarks/eager.py $(BENCH_ARGS)
	@$(PARITY)/bin/python benchmarks/loader.py $(BENCH_ARGS)
	@$(PARITY)/bin/python benchmarks/conv.py $(BENCH_ARGS)
	@$(PARITY)/bin/python benchmarks/planner.py $(BENCH_ARGS)

benchall: bench  ## make bench, then whole trainings, convolutions with AVX2 alone and beside busy processes
	@$(PARITY)/bin/python benchmarks/train.py --learned --others $(BENCH_ARGS)
	@$(PARITY)/bin/python benchmarks/conv.py --isa avx2 $(BENCH_ARGS)
	@$(PARITY)/bin/python benchmarks/conv.py --busy $(BENCH_ARGS)

jax: $(JAX)/.stamp-others  ## set up .venv-jax with JAX and tinygrad: benchmarks then have columns for them

nightly: $(VENV)/.stamp-test $(PARITY)/.stamp-parity  ## everything: slow tests, comparison, benchmarks
	@echo "== all tests, the slow ones too"
	@$(call PYTEST,$(VENV),tests -m "")
	@$(call PYTEST,$(PARITY),tests/parity -m "")
	@$(MAKE) --no-print-directory benchall

native: $(VENV)/.stamp-native  ## compile what changed in native/ into the sources of .venv; errors are shown
	@CONVGRAD_BUILD=native $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-build-isolation \
	  --no-deps --editable .
	@find $(VENV) -maxdepth 1 -name '.stamp-*' -newer pyproject.toml -exec touch {} +
	@$(call report,$(VENV))

clean:  ## remove the environments, caches and what was built, and what the tour wrote
	@echo "== removing $(VENV), $(PARITY), $(JAX), build, dist, the compiled kernels, caches, tour.html, tour-*.wav"
	@find native/editable -mindepth 1 ! -path native/editable/CMakeLists.txt -delete
	@rm -f src/convgrad/kernels/_native.*.so src/convgrad/kernels/_native.*.pyd
	@rm -rf $(VENV) $(PARITY) $(JAX) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis tour.html tour-*.wav
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment whose Python went away (an upgrade, a moved folder) is made anew, with all that was in it.
$(foreach v,$(VENV) $(PARITY) $(JAX),$(shell test -x $(v)/bin/python || rm -f $(v)/.stamp-*))

# ---- environments: bin/python stands for the environment, a stamp for each set of packages in it
$(VENV)/bin/python:
	@$(call make_venv,$(PYTHON),$(VENV))

$(PARITY)/bin/python:
	@$(call make_venv,$(PARITY_PYTHON),$(PARITY))

$(JAX)/bin/python:
	@$(call make_venv,$(PARITY_PYTHON),$(JAX))

# Order-only: the interpreter's file date says nothing about what is installed.
$(VENV)/.stamp-tour: pyproject.toml $(NATIVE) | $(VENV)/bin/python
	@echo "== installing convgrad with the extra [data] into $(VENV)"
	@$(call INSTALL,$(VENV)) --editable '.[data]'
	@$(call report,$(VENV))
	@touch $@

$(VENV)/.stamp-test: pyproject.toml $(NATIVE) | $(VENV)/bin/python
	@echo "== installing convgrad with the extras [data,test] into $(VENV)"
	@$(call INSTALL,$(VENV)) --editable '.[data,test]'
	@$(call report,$(VENV))
	@touch $@ $(VENV)/.stamp-tour

$(VENV)/.stamp-lint: pyproject.toml $(NATIVE) | $(VENV)/bin/python
	@echo "== installing convgrad with the extras [data,test] and ruff, mypy, clang-format into $(VENV)"
	@$(call INSTALL,$(VENV)) --editable '.[data,test]' ruff mypy clang-format
	@touch $@ $(VENV)/.stamp-tour $(VENV)/.stamp-test

# What pip would fetch for an isolated build, so that `make native` and `make sanitize` do without one.
$(VENV)/.stamp-native: $(VENV)/.stamp-test
	@echo "== installing what builds the extension into $(VENV)"
	@$(call INSTALL,$(VENV)) scikit-build-core nanobind \
	  $(foreach tool,cmake ninja,$(shell command -v $(tool) >/dev/null || echo $(tool)))
	@touch $@

# PyTorch first and alone: if it cannot be had, nothing else is tried and the message says so.
$(PARITY)/.stamp-parity: pyproject.toml $(NATIVE) | $(PARITY)/bin/python
	@echo "== installing PyTorch $(TORCH) into $(PARITY); this may take minutes"
	@$(call INSTALL,$(PARITY)) 'torch==$(TORCH)' || { $(no_torch); exit 1; }
	@echo "== installing convgrad with the extras [data,test,parity] into $(PARITY)"
	@$(call INSTALL,$(PARITY)) --editable '.[data,test,parity]'
	@$(call report,$(PARITY))
	@touch $@

$(JAX)/.stamp-others: | $(JAX)/bin/python
	@echo "== installing JAX and tinygrad $(TINYGRAD) into $(JAX)"
	@$(call INSTALL,$(JAX)) jax
	@$(call INSTALL,$(JAX)) 'tinygrad==$(TINYGRAD)' || echo "convgrad: no tinygrad here; its column is left out" >&2
	@command -v clang >/dev/null || echo "convgrad: no clang here; without it, the column of tinygrad is left out" >&2
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

# pip shows nothing of a build; what came of it is said here, in one line.
define report
$(1)/bin/python -c 'from convgrad.backends import info; print("== compiled kernels:", info()["compiled"])'
endef

# An environment with the packages of .venv but not the convgrad in it: a folder named in a .pth file is searched,
# the .pth files in it, which point to these sources, are not read.
define borrow
$(VENV)/bin/python -m venv --without-pip --clear $(1); \
$(VENV)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
  > "$$($(1)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/borrowed.pth"
endef

define no_torch
echo "convgrad: PyTorch $(TORCH) could not be installed for $$($(PARITY)/bin/python --version) on $$(uname -sm)" \
  "(the reason stands above: no wheel for this Python, or no way to the package index)." >&2; \
echo "  Only the comparison needs it; 'make test' does not. With another Python:" \
  "make clean parity PARITY_PYTHON=python3.12" >&2; \
echo "  Where the index offers several builds of PyTorch, the CPU one is enough: PIP_ARGS='--index-url ...'" >&2
endef
