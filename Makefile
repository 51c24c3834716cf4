# Every target makes .venv first if need be; `make` alone lists the targets.

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.install-stamp
QUIET_CORES := OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false
OFFLINE := HF_HUB_OFFLINE=1

.DEFAULT_GOAL := help
.PHONY: help install demo test check bench proof clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  \1\t/' | expand -t 12

install: $(STAMP) ## make .venv and install the tested versions into it

demo: $(STAMP) ## fine-tune on real product reviews, with the final test, into ./runs
	@data="$$($(BIN)/tunewright example reviews)" && \
	$(BIN)/tunewright run "$$data" --group review --name reviews --test

test: $(STAMP) ## the fast tests, in two processes and without a network
	$(QUIET_CORES) $(OFFLINE) $(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile

check: $(STAMP) ## lint, format, types, import direction
	$(BIN)/ruff check --no-cache .
	$(BIN)/ruff format --check --no-cache .
	$(BIN)/mypy
	$(QUIET_CORES) $(OFFLINE) $(BIN)/python -m pytest -q tests/test_layout.py

bench: $(STAMP) ## measure beside others, on this machine
	$(BIN)/python -m bench.run

proof: $(STAMP) ## the slow tests: hundreds of killed runs, and the docs that need a network
	$(QUIET_CORES) $(BIN)/python -m pytest -m slow

clean: ## remove .venv, caches and build output; runs stay
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache build dist src/*.egg-info
	find src tests bench docs examples -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { \
	echo "error: there is no $(PYTHON)" >&2; \
	echo "fix: install Python 3.11 or newer, or: make PYTHON=/path/to/python3.12" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	echo "error: $(PYTHON) is $$($(PYTHON) -V 2>&1), and 3.11 or newer is needed" >&2; \
	echo "fix: make PYTHON=/path/to/python3.12" >&2; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev,bench,gguf,onnx,quantized,tensorflow]"
	@touch $@
