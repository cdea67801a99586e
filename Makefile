# `make denoise` and `make test` work from a bare checkout: each makes what it needs first.
PYTHON ?= python3
PHOTO ?= docs/images/sample_noisy.jpg
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: denoise setup check test test-all bench pictures clean

denoise: $(INSTALLED)  ## Denoise the sample photo, or PHOTO=path
	@$(BIN)/python cli.py denoise "$(PHOTO)" --overwrite

setup: $(INSTALLED)  ## Make .venv with the package and the development tools

check: $(INSTALLED)  ## Lint, types, import directions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports

test: $(INSTALLED)  ## The tests that take minutes
	$(BIN)/python -m pytest

test-all: $(INSTALLED)  ## Those that take longer as well
	$(BIN)/python -m pytest -m "slow or not slow"

pictures: $(INSTALLED)  ## The pictures in the documentation
	$(BIN)/python cli.py noise docs/images/sample_clean.png --kind camera:0.006 --seed 0 \
		-o docs/images/sample_noisy.jpg --overwrite
	$(BIN)/python cli.py denoise docs/images/sample_noisy.jpg -o build/denoised.png --overwrite
	$(BIN)/python cli.py compare docs/images/sample_noisy.jpg build/denoised.png \
		-o docs/images/before_after.jpg --overwrite

bench: $(INSTALLED)  ## Speed and memory
	$(BIN)/python benchmarks/memory.py

clean:
	rm -rf .venv build dist

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else f"kerasdenoise needs Python 3.11 to 3.13, this is {v[0]}.{v[1]}; run make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $@
