.DEFAULT_GOAL := help
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
WORKERS ?= 2

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1: /' | sort

$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than Python 3.11: make PYTHON=python3.13" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch  # first, so that nothing else picks another build
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group dev --editable .
	@touch $@

environment: $(VENV)/.ready  ## Build the virtual environment

validate: $(VENV)/.ready  ## Hold every layer against its real module, and print the table
	$(BIN)/python -m pytest tests/layers -m "not latency" --dsocr-require all --dsocr-baseline baselines

test: $(VENV)/.ready  ## Run everything that can fail
	$(BIN)/python -m pytest -n $(WORKERS) --dsocr-baseline baselines
	$(BIN)/python -m pytest tests/layers -q -n $(WORKERS) -m "not latency" --dsocr-attention eager --dsocr-require all
	$(BIN)/python -m pytest tests/layers -q -n $(WORKERS) -m "not latency" --dsocr-attention flash --dsocr-require all
	$(BIN)/python -m pytest tests/layers tests/e2e -q -n $(WORKERS) -m "not gpu and not latency" --dsocr-config tests/data/odd_config.json --dsocr-require all

$(VENV)/.oracle: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-deps --group oracle
	@touch $@

baseline: $(VENV)/.ready  ## Store what has moved, of layers and the whole model, in baselines/
	$(BIN)/python -m pytest tests/layers tests/e2e -q -n $(WORKERS) -m "not latency and not gpu" --dsocr-baseline baselines --dsocr-update-baseline

oracle: $(VENV)/.oracle  ## Hold the forms of kernel time against tables that others measured; 137 MB, some minutes
	$(BIN)/python -m pytest tests/oracle -m oracle

check: $(VENV)/.ready  ## Lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: $(VENV)/.ready  ## Format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

pages: $(VENV)/.ready  ## Write docs/published.md and docs/layers.md anew
	$(BIN)/python -m pytest_dsocr.published docs/published.md
	$(BIN)/python docs/layers_page.py

docs: $(VENV)/.ready  ## Build the documentation as a site, build/docs/index.html
	$(BIN)/python -m sphinx -c docs -b html -W -n --keep-going -q . build/docs

measured-pages: $(VENV)/.ready  ## Measure all 90 grids anew, then write docs/published.md
	$(BIN)/python -m pytest_dsocr.published docs/published.md --measure-grids

benchmark: $(VENV)/.ready  ## A million workloads, the time of ten thousand, and a report of all grids, each against another way
	$(BIN)/python -m pytest benchmarks/bench_sweep.py benchmarks/bench_latency.py benchmarks/bench_report.py

gpu-memory: $(VENV)/.ready  ## On a card: predicted memory against torch's allocator; keeps the rows under results/
	@mkdir -p results
	$(BIN)/python -m pytest tests/e2e/test_whole_on_gpu.py -p no:xdist -v --dsocr-device cuda --dsocr-require gpu --dsocr-json results/gpu-memory.json

latency: $(VENV)/.ready  ## Calibrate this CPU, then hold every layer and stage against the clock; minutes, on an idle machine
	@mkdir -p build
	$(BIN)/dsocr calibrate --device cpu -o build/cpu.json
	$(BIN)/python -m pytest tests/layers tests/e2e -p no:xdist -m latency -v --dsocr-device cpu --dsocr-profile build/cpu.json --dsocr-require latency --dsocr-json build/cpu-latency.json

gpu-latency: $(VENV)/.ready  ## On a card: the same, kernels back to back and as they are launched; keeps profile and rows under results/
	@mkdir -p results
	$(BIN)/dsocr calibrate --device cuda -o results/gpu-profile.json
	$(BIN)/python -m pytest tests/layers tests/e2e tests/sweeps -p no:xdist -m latency -v --dsocr-device cuda --dsocr-profile results/gpu-profile.json --dsocr-launch graph --dsocr-require gpu --dsocr-grids model --dsocr-json results/gpu-latency-graph.json
	$(BIN)/python -m pytest tests/layers tests/e2e -p no:xdist -m latency -v --dsocr-device cuda --dsocr-profile results/gpu-profile.json --dsocr-launch eager --dsocr-require gpu --dsocr-json results/gpu-latency-eager.json

blind-spot: $(VENV)/.ready  ## Show what torch's own counter does not see of a prefill
	$(BIN)/python examples/blind_spot.py

clean:  ## Remove the environment and all caches
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .benchmarks

.PHONY: help environment validate test check fmt pages docs blind-spot benchmark measured-pages gpu-memory latency gpu-latency oracle clean baseline
