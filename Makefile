# `make demo` and `make test` are all that is needed; both set up .venv on first use.

PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

SEEDS ?= 0 2000

.PHONY: help demo bench test test-fast test-long fuzz lint docs gallery clean

help:
	@echo "make demo       how far cells remember and a language model, as a page with pictures (< 5 min)"
	@echo "make bench      measure the layers beside torch.nn and other libraries on this machine"
	@echo "make test       lint, types, import contracts and all tests"
	@echo "make test-fast  the tests that are quick and do not go through many configurations (< 1 min)"
	@echo "make test-long  kernels and modules in memory that ends at guard pages, and every line interrupted (an hour)"
	@echo "make fuzz       hold kernels against the definition for random cells; SEEDS=\"FIRST STOP\""
	@echo "make docs       write the pages that are made from the cells' equations"
	@echo "make gallery    write docs/gallery.md and its pictures"
	@echo "make clean      remove the virtual environment and caches"

.venv/core: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(INSTALL) -e .
	@touch $@

.venv/bench: .venv/core
	$(INSTALL) -e '.[bench]'
	@touch $@

.venv/dev: .venv/core
	$(INSTALL) -e '.[dev]'
	@touch $@

.venv/draw: .venv/core
	$(INSTALL) -e '.[draw]'
	@touch $@

# A page's contrast and structure are tested where chromium and this are installed.
.venv/axe: .venv/core
	npm install --silent --no-audit --no-fund --no-save --prefix $@ axe-core@4.14.1
	@touch $@

demo: .venv/draw
	$(BIN)/unrolled demo

bench: .venv/bench
	$(BIN)/unrolled bench

test: lint docs
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

test-fast: .venv/dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow and not broad"

test-long: .venv/dev
	$(BIN)/python -m tests.guard -q -p no:cacheprovider tests/kernels tests/nn
	UNROLLED_EVERY_LINE=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q tests/test_interrupts.py

fuzz: .venv/dev
	$(BIN)/python -m tests.fuzz --seeds $(SEEDS) --to fuzz.json

lint: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports --no-cache

docs: .venv/dev
	$(BIN)/python scripts/write_cells_page.py

gallery: .venv/dev
	$(BIN)/python scripts/write_gallery.py

clean:
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis .import_linter_cache dist
