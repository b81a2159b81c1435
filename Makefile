# `make` lists the targets. Needs Python 3.10 to 3.13 with pip, make and git; the rest goes into .venv.

PYTHON ?= python3
# An installer that takes a quarter of pip's time; UV=false goes straight to pip.
UV_VERSION := 0.13.9
UV ?= $(VENV)/bin/uv
PROFILE ?= quick
PYTEST_ARGS ?= -n 2
LOCK_ARGS ?=
BENCHMARKS_ARGS ?=
# What prints the book: Chromium, or a browser like it.
QRLIB_BROWSER ?= chromium

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# What the benchmarks compare with is installed apart: it is large, and nothing else needs it.
BENCHMARKS := .venv-benchmarks
WEB := web/node_modules/.package-lock.json
SHELL := /bin/sh
START := $(shell date +%s)
# The last message must not fail what it is about, when nobody reads it any more.
ELAPSED = trap '' PIPE; elapsed=$$(( $$(date +%s) - $(START) )); \
	elapsed="$$(( elapsed / 60 )) min $$(( elapsed % 60 )) s"

# Nothing from the caller's own Python leaks into .venv.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV PIP_TARGET PIP_PREFIX PIP_ROOT PIP_USER UV_TARGET UV_PREFIX
# Without bytecode on disk each of many processes would compile all of torch that it imports.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONNOUSERSITE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# As pip does, so that a network's own certificate authority is trusted.
export UV_SYSTEM_CERTS := true

# A misspelt setting would have no effect.
SETTINGS := PYTHON UV UV_VERSION PROFILE PYTEST_ARGS LOCK_ARGS BENCHMARKS_ARGS QRLIB_BROWSER
$(foreach name,$(.VARIABLES),$(if $(findstring command line,$(origin $(name))),\
	$(if $(filter $(name),$(SETTINGS)),,$(error unknown setting $(name); valid: $(SETTINGS)))))

# Where the home folder is not ours to write to, installers keep their caches in .venv.
ifneq ($(shell [ -w "$$HOME" ] && echo writable),writable)
export UV_CACHE_DIR := $(abspath $(VENV))/cache/uv
export PIP_CACHE_DIR := $(abspath $(VENV))/cache/pip
export npm_config_cache := $(abspath $(VENV))/cache/npm
endif

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup book pdf quick profile test lint benchmarks archive lock clean distclean

help: ## list the targets
	@echo "Targets:"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 18
	@echo "Settings:"
	@echo "  PYTHON=python3.12   the Python that .venv is made of (3.10 to 3.13)"
	@echo "  PROFILE=name        a file of profiles/ without its ending, for 'make profile'"
	@echo "  PYTEST_ARGS='...'   arguments of pytest, now: $(PYTEST_ARGS)"
	@echo "  BENCHMARKS_ARGS='...' arguments of python -m benchmarks, such as --only step"
	@echo "  QRLIB_BROWSER=...   the Chromium that prints the book, for 'make pdf', now: $(QRLIB_BROWSER)"
	@echo "  LOCK_ARGS=--upgrade newest versions within the bounds, for 'make lock'"

setup: $(STAMP) $(WEB) ## create .venv and web/node_modules from their locks
	@echo "== environment: $(VENV) is ready"

book: setup ## train and evaluate the quick profile, build the book
	@echo "== quick profile and book"
	@$(BIN)/python -m qrlib book
	@$(ELAPSED); echo "== done in $$elapsed: open _build/html/index.html" || :

pdf: book ## the whole book in one file, printed by a browser from the same pages
	@echo "== book as one page, then as PDF"
	@$(BIN)/jupyter-book build book --config _config.yml --toc '$(CURDIR)/book/_executed/_toc.yml' --path-output . \
		--builder singlehtml --quiet
	@'$(QRLIB_BROWSER)' --headless --no-sandbox --disable-gpu --no-pdf-header-footer \
		--print-to-pdf=_build/book.pdf 'file://$(CURDIR)/_build/singlehtml/index.html'
	@$(ELAPSED); echo "== done in $$elapsed: _build/book.pdf"

quick: $(STAMP) ## train and evaluate the quick profile
	@echo "== quick profile"
	@$(BIN)/python -m qrlib run quick
	@$(ELAPSED); echo "== done in $$elapsed: records are in results/quick" || :

profile: $(STAMP) ## train and evaluate another profile: make profile PROFILE=name
	@echo "== $(PROFILE) profile"
	@$(BIN)/python -m qrlib run '$(PROFILE)'
	@$(ELAPSED); echo "== done in $$elapsed: records are in results/$(PROFILE)" || :

test: setup ## run the tests
	@echo "== tests"
	@$(BIN)/python -m pytest $(PYTEST_ARGS)
	@$(ELAPSED); echo "== tests passed in $$elapsed: the summary is the line above, the tests are in tests/" || :

lint: $(STAMP) ## check style, types, the floors, and that notebooks carry no outputs
	@echo "== lint: ruff check"
	@# What a module's imports count as depends on files that ruff's cache does not watch.
	@$(BIN)/ruff check --no-cache .
	@echo "== lint: ruff format"
	@$(BIN)/ruff format --check .
	@echo "== lint: mypy"
	@$(BIN)/mypy
	@echo "== lint: imports run downwards (the floors in pyproject.toml)"
	@$(BIN)/lint-imports --no-cache --no-logo
	@echo "== lint: notebooks carry no outputs"
	@set -- notebooks/*.ipynb; \
	if [ -e "$$1" ]; then $(BIN)/nbstripout --keep-id --keep-count --verify "$$@"; else echo "no notebooks"; fi
	@echo "== lint passed"

benchmarks: $(BENCHMARKS)/.installed ## measure speed and memory beside other libraries
	@echo "== benchmarks"
	@$(BENCHMARKS)/bin/python -m benchmarks $(BENCHMARKS_ARGS)
	@$(ELAPSED); echo "== done in $$elapsed" || :

archive: book ## one file with code, records, weights and book, for a deposit
	@rm -rf _build/archive
	@$(BIN)/python -m qrlib archive _build/archive/qrlib.zip
	@$(ELAPSED); echo "== done in $$elapsed: _build/archive/qrlib.zip" || :

lock: $(BIN)/pip ## rewrite the locks from pyproject.toml and benchmarks/
	@echo "== lock"
	@[ -x $(BIN)/uv ] || $(BIN)/python -m pip install --quiet 'uv==$(UV_VERSION)'
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.10 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --all-extras $(LOCK_ARGS) \
		--custom-compile-command 'make lock' --output-file requirements.lock pyproject.toml
	@# The same versions as above, and what the benchmarks compare with.
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.10 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --extra dev $(LOCK_ARGS) \
		--constraint requirements.lock \
		--custom-compile-command 'make lock' --output-file benchmarks/requirements.lock \
		pyproject.toml benchmarks/requirements.in
	@echo "== requirements.lock and benchmarks/requirements.lock are written; 'make setup' installs the first"

clean: ## remove what was built and run here (never data/ or committed results)
	rm -rf _build runs book/index.ipynb book/_executed results/quick results/smoke .snakemake
	rm -rf build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './$(VENV)*' -prune -exec rm -rf {} +

distclean: clean ## the same, and .venv
	rm -rf $(VENV) $(BENCHMARKS) web/node_modules qrlib.egg-info

# The stamp is written last, so that an interrupted installation is done again.
$(STAMP): requirements.lock pyproject.toml
	@echo "== environment: checking $(PYTHON)"
	@$(CHECK_PYTHON)
	@$(MAKE_VENV)
	@echo "== environment: installing requirements.lock into $(VENV) (5 GB; minutes the first time)"
	@rm -f $@
	@uv=; if [ '$(UV)' != '$(BIN)/uv' ] || $(BIN)/python -m pip install --quiet 'uv==$(UV_VERSION)'; then \
		$(UV) pip install --python $(BIN)/python --require-hashes -r requirements.lock \
		&& uv=worked; \
	fi; \
	if [ "$$uv" != worked ]; then \
		echo "== environment: uv did not work here, so pip does it (slower, reads pip.conf)"; \
		$(BIN)/python -m pip install --require-hashes -r requirements.lock; \
	fi
	@echo "== environment: installing qrlib itself"
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@$(STAMP_IT)

$(BENCHMARKS)/.installed: benchmarks/requirements.lock
	@$(CHECK_PYTHON)
	@echo "== environment: installing benchmarks/requirements.lock into $(BENCHMARKS) (6 GB)"
	@'$(PYTHON)' -m venv --clear $(BENCHMARKS)
	@bin=$(BENCHMARKS)/bin; \
	{ $$bin/python -m pip install --quiet 'uv==$(UV_VERSION)' && $$bin/uv pip install \
		--python $$bin/python --require-hashes -r benchmarks/requirements.lock; } \
	|| $$bin/python -m pip install --require-hashes -r benchmarks/requirements.lock
	@$(STAMP_IT)

# npm writes it last.
$(WEB): web/package-lock.json | $(STAMP)
	@echo "== environment: installing web/package-lock.json into web/node_modules"
	@cd web && '$(abspath $(BIN))/npm' ci --ignore-scripts --no-audit --no-fund --loglevel error

$(BIN)/pip:
	@$(CHECK_PYTHON)
	@$(MAKE_VENV)

define CHECK_PYTHON
command -v '$(PYTHON)' >/dev/null || { \
	echo "$(PYTHON) is not there; name a Python from 3.10 to 3.13: make PYTHON=python3.12" >&2; \
	exit 1; \
}; \
'$(PYTHON)' -c 'import sys; \
v = sys.version_info; \
ok = (3, 10) <= tuple(v[:2]) < (3, 14); \
sys.stderr.write("" if ok else "$(PYTHON) is Python %d.%d, but 3.10 to 3.13 is needed; name another: make PYTHON=python3.12\n" % tuple(v[:2])); \
sys.exit(not ok)'
endef

# No older than what it is of, also where that is dated in the future.
STAMP_IT = touch $@; for file in $^; do [ ! "$$file" -nt $@ ] || touch -r "$$file" $@; done

# Made anew where it is missing, broken, or of another Python version.
define MAKE_VENV
version='import sys; print(sys.version_info[:3])'; \
if [ "$$($(BIN)/python -c "$$version" 2>/dev/null)" != "$$('$(PYTHON)' -c "$$version")" ] \
	|| ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	echo "== environment: creating $(VENV)"; \
	'$(PYTHON)' -m venv --clear $(VENV); \
fi
endef
