# medomicslab_nb: every target works alone on a fresh clone; needed are python3 >= 3.11 with venv, and a C compiler.
#   make install   .venv with the medomicslab command (core only)       make demo   install, then the main job on real patients
#   make test      the whole suite (with its own set-up)                make prove  nulls, kill loops, full sizes -> prove/*.json
#   make lab       JupyterLab on the demo study                         make bench  benchmarks
#   make lint      ruff, mypy, import-linter                            make system what only root can install (Debian)

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help check install test-install demo lab test lint prove bench system clean

# The first Python on the path that the package supports; PYTHON=... overrules it.
NEW_ENOUGH := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
ifndef PYTHON
PYTHON := $(shell for name in python3 python3.13 python3.12 python3.11; do \
	"$$name" -c '$(NEW_ENOUGH)' 2>/dev/null && echo "$$name" && break; done)
endif
HEADER := -c 'import sysconfig; print(sysconfig.get_path("include") + "/Python.h")'

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
CONSTRAINTS = constraints/py$$($(BIN)/python -c 'import sys; print("%d%d" % sys.version_info[:2])').txt
# Pinned and first: left to itself, pip takes the newest build with gigabytes of GPU libraries.
TORCH := torch==2.13.0
EXTRAS := all,fast,ibsi,peers,ray,viewer3d,test,lint
JOBS ?= 2
PYTEST_ARGS ?=
DEMO ?= demo-study
PROVE := prove
WIDGET_TESTS := tests/widgets

# One BLAS thread per process: results do not depend on the number of cores, and workers do not fight over them.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export MKL_NUM_THREADS := 1

help:
	@sed -n '1,/^$$/s/^# \{0,1\}//p' $(firstword $(MAKEFILE_LIST))

# --- Installation -----------------------------------------------------------------------------------------------------

check:
	@missing=""
	need() { missing+="  $$1: apt-get install $$2"$$'\n'; }
	if [ -z "$(PYTHON)" ]; then need "Python 3.11, 3.12 or 3.13" "python3 python3-venv python3-dev"
	elif ! "$(PYTHON)" -c '$(NEW_ENOUGH)' 2>/dev/null; then need "Python 3.11, 3.12 or 3.13 (PYTHON=$(PYTHON) is none)" python3
	else
	    "$(PYTHON)" -c 'import venv, ensurepip' 2>/dev/null || need "Python's venv" python3-venv
	    [ -f "$$("$(PYTHON)" $(HEADER))" ] || need "Python's headers" python3-dev
	fi
	command -v cc >/dev/null || command -v gcc >/dev/null || need "a C compiler" gcc
	if [ -n "$$missing" ]; then
	    printf 'Missing on this machine:\n%sAs root on Debian, "make system" installs everything.\n' "$$missing" >&2
	    exit 1
	fi

$(VENV)/.made: | check
	@"$(PYTHON)" -m venv $(VENV)
	touch $@

$(VENV)/.installed: pyproject.toml $(wildcard constraints/*.txt) | $(VENV)/.made
	@echo "Installing medomicslab_nb into $(VENV) (one to three minutes) ..."
	$(PIP) --constraint $(CONSTRAINTS) --editable .
	touch $@

# Everything at once: after the core alone, pip would resolve most of it a second time.
$(VENV)/.installed-test: pyproject.toml $(wildcard constraints/*.txt) | $(VENV)/.made
	@echo "Installing medomicslab_nb, its extras and the test tools into $(VENV) (three to seven minutes) ..."
	$(PIP) --constraint $(CONSTRAINTS) '$(TORCH)'
	$(PIP) --constraint $(CONSTRAINTS) --editable '.[$(EXTRAS)]'
	touch $(VENV)/.installed $@

# What checks the widgets' modules; nothing of it is needed to use or to change them.
$(WIDGET_TESTS)/node_modules/.installed: $(WIDGET_TESTS)/package.json $(WIDGET_TESTS)/package-lock.json
	@cd $(WIDGET_TESTS)
	npm ci --silent --no-audit --no-fund
	touch node_modules/.installed

install: $(VENV)/.installed
	@echo "Installed: $(BIN)/medomicslab"

test-install: $(VENV)/.installed-test $(WIDGET_TESTS)/node_modules/.installed

# --- Use --------------------------------------------------------------------------------------------------------------

demo: install
	$(BIN)/medomicslab demo $(DEMO)

lab: install
	@test -e $(DEMO)/study.yaml || $(BIN)/medomicslab demo $(DEMO)
	$(BIN)/medomicslab lab $(DEMO)

# --- Tests ------------------------------------------------------------------------------------------------------------

# A file's tests stay on one worker: some share what is slow to make, or go on where the last one ended.
test: test-install lint
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m 'not prove' $(PYTEST_ARGS)

lint: test-install
	@$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	cd $(WIDGET_TESTS) && npm run --silent check

prove: test-install
	@mkdir -p $(PROVE)
	$(BIN)/python -m pytest -m prove $(PYTEST_ARGS) || [ $$? -eq 5 ]  # 5: no test is marked so
	prove() { echo "== benchmarks/$$*"; $(BIN)/python benchmarks/"$$1".py "$${@:3}" --json "$(PROVE)/$$2.json"; }
	prove null null
	prove null null_transbig --transbig
	prove leaks leaks
	prove coverage coverage
	prove nested_speed nested_speed
	prove kill kill
	prove template_overhead template_overhead
	prove kill kill_radiomics --stage radiomics --kills 10
	prove scale scale
	prove synthetic synthetic
	prove viewer viewer
	prove text_scale text_scale
	if command -v python3.12 >/dev/null; then  # pictologics needs it
	    python3.12 -m venv .venv312
	    .venv312/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints/py312.txt \
	        --editable '.[fast,test]'
	    .venv312/bin/python -m pytest tests/radiomics/test_pictologics.py
	fi
	if [ -n "$${MEDOMICSLAB_DATA:-}" ]; then
	    prove sts sts
	    tables=$$(mktemp -d)
	    $(BIN)/python benchmarks/model_tables.py --data "$$MEDOMICSLAB_DATA" --out "$$tables" | while read -r arguments; do
	        echo "== benchmarks/models $$arguments"
	        $(BIN)/python benchmarks/models.py $$arguments
	    done
	    federated() { echo "== benchmarks/federated $$*"; $(BIN)/python benchmarks/federated.py --site hospital "$$@"; }
	    federated --csv "$$tables/heart_hospitals.csv" --id patient --outcome disease
	    federated --csv "$$MEDOMICSLAB_DATA/hn/hn_train_hospitals.csv" --id patient_id --time death_time_days \
	        --event death_event --features age_years,t_stage,n_stage,tnm_stage
	    prove federation federation --csv "$$tables/heart_hospitals.csv" --id patient --site hospital --outcome disease
	    for language in fr en; do
	        prove text text_$$language --gold "$$MEDOMICSLAB_DATA/e3c/e3c_layer1_$$language.jsonl" --lang $$language --folds 5
	    done
	    echo "== benchmarks/deidentify"
	    $(BIN)/python benchmarks/deidentify.py --e3c "$$MEDOMICSLAB_DATA/e3c"
	    prove cohort cohort --sts "$$MEDOMICSLAB_DATA/sts" --modality PET
	    ibsi="$$MEDOMICSLAB_DATA/ibsi"
	    for engine in pyradiomics mirp; do
	        $(BIN)/python benchmarks/ibsi.py --images "$$ibsi" --reference "$$ibsi/ibsi1_reference_values.csv" \
	            --configs "$$ibsi/configs.json" --engine $$engine
	    done
	fi

bench: test-install
	@for name in omics template_overhead images bootstrap; do
	    echo "== benchmarks/$$name"
	    $(BIN)/python "benchmarks/$$name.py"
	done

# --- Machine ----------------------------------------------------------------------------------------------------------

system:
	@missing=()
	have() { command -v "$$1" >/dev/null; }
	have cc || have gcc || missing+=(gcc libc6-dev)
	have node || missing+=(nodejs)
	have npm || missing+=(npm)
	have chromium || have chromium-browser || missing+=(chromium)
	have strace || missing+=(strace)
	have ip || missing+=(iproute2)
	if [ -z "$(PYTHON)" ]; then missing+=(python3 python3-venv python3-dev)
	else
	    "$(PYTHON)" -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
	    [ -f "$$("$(PYTHON)" $(HEADER))" ] || missing+=(python3-dev)
	fi
	if [ $${#missing[@]} -eq 0 ]; then echo "Everything that only root can install is there."; exit; fi
	if ! have apt-get; then echo "There is no apt-get here; install by hand: $${missing[*]}" >&2; exit 1; fi
	root=(); [ "$$(id -u)" -eq 0 ] || root=(sudo)
	echo "Installing: $${missing[*]}"
	"$${root[@]}" apt-get update -qq
	"$${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$${missing[@]}"

clean:
	rm -rf $(VENV) .venv312 build dist $(PROVE) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
