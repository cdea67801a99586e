# `make denoise` and `make test` work from a bare checkout: each makes what it needs first.
PYTHON ?= python3
SAMPLE := docs/images/sample_noisy.jpg
PHOTO ?= $(SAMPLE)
RECIPE ?= recipes/photo_large_gpu.toml
BIN := .venv/bin
INSTALLED := .venv/.installed
TRAINING := .venv/.training
TOOLS := .venv/.tools
SITE := .venv/.site
# A process on each core, with one thread each: more would only wait for each other.
PYTEST := OMP_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 \
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist worksteal

.PHONY: denoise setup check test test-all docs bench quality pages pictures pack web clean

denoise: $(INSTALLED)  ## Denoise the sample photo, or PHOTO=file or folder, with ARGS="--overwrite"
	@$(BIN)/python cli.py denoise "$(PHOTO)" $(if $(filter $(SAMPLE),$(PHOTO)),--overwrite) $(ARGS)
	@echo 'Next: source .venv/bin/activate, then python cli.py denoise --help'

setup: $(TOOLS)  ## Make .venv with everything: training and the development tools

check: $(TOOLS)  ## Lint, types, import directions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports

test: $(TOOLS)  ## The tests that take minutes
	$(PYTEST)

test-all: $(TOOLS)  ## Those that take longer as well
	$(PYTEST) -m "slow or not slow"

docs: $(SITE)  ## The site, in build/site, with each link checked
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

pictures: $(TRAINING)  ## The pictures in the documentation
	$(BIN)/python cli.py noise docs/images/sample_clean.png --kind camera:0.006 --seed 0 \
		-o $(SAMPLE) --overwrite
	$(BIN)/python cli.py denoise $(SAMPLE) -o build/denoised.png --overwrite
	$(BIN)/python cli.py compare $(SAMPLE) build/denoised.png \
		-o docs/images/before_after.jpg --overwrite
	$(BIN)/python experiments/gallery.py

bench: $(TRAINING)  ## Speed and memory
	@$(BIN)/python -m pip install --quiet --editable ".[train,peers]"
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/loader.py
	$(BIN)/python benchmarks/lambda_layer.py
	$(BIN)/python benchmarks/diffusion.py
	$(BIN)/python benchmarks/panorama.py
	$(BIN)/python benchmarks/batch.py
	$(BIN)/python cli.py benchmark photo

quality: $(TRAINING)  ## How well the models denoise, beside others
	@$(BIN)/python -m pip install --quiet --editable ".[train,peers]"
	$(BIN)/python experiments/quality.py

pages: $(TRAINING) pictures  ## All pages whose figures come from weights, which takes hours
	@$(BIN)/python -m pip install --quiet --editable ".[train,peers]"
	PYTHONPATH=. $(BIN)/python tools/pages.py

pack: $(TRAINING)  ## The photos of RECIPE, in build/pack, for a machine without a network
	@rm -rf build/pack
	@$(BIN)/python tools/pack.py $(RECIPE)

web:  ## The page of `kerasdenoise app`, built from apps/web by Node.js
	npm --prefix apps/web ci
	npm --prefix apps/web run build

clean:
	rm -rf .venv build dist

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else f"kerasdenoise needs Python 3.11 to 3.13, this is {v[0]}.{v[1]}; run make PYTHON=python3.12")'
	@echo "Installing 300 MB into .venv, once."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	@$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(TRAINING): $(INSTALLED)
	@echo "Installing TensorFlow and what else training needs, 2.5 GB, once; it takes minutes."
	@$(BIN)/python -m pip install --quiet --editable ".[train]"
	@touch $@

$(TOOLS): $(TRAINING)
	@$(BIN)/python -m pip install --quiet --group dev
	@touch $@

$(SITE): $(INSTALLED)
	@$(BIN)/python -m pip install --quiet --group docs
	@touch $@
