# anyk: `make demo` shows it, `make test` checks it. Both need only Python 3.11 or newer (with venv) and make.

PYTHON ?=
PYTEST_ARGS ?= -n 3 --dist loadgroup

VENV := .venv
RUN := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
CODE := src tests benchmarks docs $(wildcard examples papers conftest.py)

# Nothing set outside may redirect an installation or an import; indexes, proxies and certificates stay as they are.
unexport PIP_USER PIP_TARGET PIP_PREFIX PIP_ROOT PIP_CONSTRAINT PIP_REQUIREMENT PIP_REQUIRE_VIRTUALENV PIP_NO_DEPS
unexport PIP_PYTHON PIP_DRY_RUN PIP_EDITABLE PIP_REQUIRE_HASHES PIP_NO_BUILD_ISOLATION PIP_REPORT PIP_LOG
unexport PYTHONPATH PYTHONHOME PYTHONSTARTUP VIRTUAL_ENV
export PIP_USER := 0
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONNOUSERSITE := 1

step = @printf '\n── %s\n' '$(1)'

.DEFAULT_GOAL := help
.PHONY: help setup test test-slow demo bench docs lint format clean

help:
	@printf '%s\n' \
	  'make demo        see it work: real processes killed, products recovered' \
	  'make test        every check: format, lint, types, imports, docs, tests' \
	  'make test-slow   the tests that `make test` leaves out' \
	  'make bench       measure' \
	  'make docs        the manual, into docs/_build' \
	  'make lint        the checks that run nothing' \
	  'make format      let ruff put the code in form' \
	  'make setup       the environment alone, into .venv' \
	  'make clean       remove all that make made'

setup: $(INSTALLED)
	@:

$(INSTALLED): pyproject.toml requirements/dev.in requirements/constraints.txt
	@set -e; rm -f '$@'; \
	if ! $(RUN) -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	  python=''; \
	  for candidate in '$(PYTHON)' python3 python3.13 python3.12 python3.11; do \
	    if "$$candidate" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	      python="$$candidate"; break; \
	    fi; \
	  done; \
	  if [ -z "$$python" ]; then \
	    printf '%s\n' 'make setup needs Python 3.11 or newer with its venv module, and found none.' \
	      'Install one (on Debian also the package python3-venv), or name it: make setup PYTHON=/path/to/python3' >&2; \
	    exit 1; \
	  fi; \
	  printf 'setup: new environment in $(VENV) (%s)\n' "$$("$$python" --version)"; \
	  "$$python" -m venv --clear $(VENV); \
	fi; \
	echo 'setup: installing the pinned tools (about a minute the first time)'; \
	$(RUN) -m pip install -qq --constraint requirements/constraints.txt --requirement requirements/dev.in; \
	echo 'setup: installing anyk, editable'; \
	$(RUN) -m pip install -qq --constraint requirements/constraints.txt --no-build-isolation --editable .; \
	touch '$@'; \
	echo 'setup: done'

test: lint docs
	$(call step,tests and doctests)
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 \
	  $(RUN) -m pytest --quiet -m 'not slow' $(PYTEST_ARGS)
	@printf '\nmake test: all is well\n'

test-slow: setup
	$(call step,slow tests)
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 $(RUN) -m pytest --quiet -m slow $(PYTEST_ARGS)

lint: setup
	$(call step,format)
	@$(RUN) -m ruff format --check $(CODE)
	$(call step,lint)
	@$(RUN) -m ruff check $(CODE)
	$(call step,types)
	@$(RUN) -m mypy
	$(call step,imports)
	@$(VENV)/bin/lint-imports --no-logo

docs: setup
	$(call step,documentation)
	@$(RUN) -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo 'docs/_build/html/index.html'

demo: setup
	@$(VENV)/bin/anyk demo

bench: setup
	@$(RUN) -m benchmarks

format: setup
	@$(RUN) -m ruff format $(CODE)
	@$(RUN) -m ruff check --fix --exit-zero --quiet $(CODE)
	@$(RUN) -m ruff format --quiet $(CODE)

clean:
	rm -rf $(VENV) docs/_build benchmarks/results build dist htmlcov .coverage
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
