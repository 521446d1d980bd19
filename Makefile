# SPDX-License-Identifier: GPL-2.0-only
# make check: the main job.  make test: lint, types, tests.  Each sets up .venv with what it needs.

PYTHON ?= python3
BIN = .venv/bin
READY = .venv/ready
TESTED = .venv/tested
ROOMS = model properties checker counterexamples

.PHONY: check test slow large proofs fuzz test-conform test-kernels gallery bench lint types readme clean

check: $(READY)
	@$(BIN)/vmacheck ci

# with what tests/support/schemas.sh fetches, if it can: schemas (to .schemas), and a browser
test: lint types
	@sh tests/support/schemas.sh
	$(BIN)/pytest -n 2 --dist worksteal

# more cases of the questions that the default tests ask
slow: $(TESTED)
	$(BIN)/pytest -m slow -n 2 --dist worksteal

# searches of minutes: millions of states, killed and resumed, and with too little memory
large: $(TESTED)
	$(BIN)/pytest -m large

# what Z3 takes minutes for: proofs with three vmas, programs of five calls, and blocks of docs/ that are marked so
proofs: $(TESTED)
	$(BIN)/pytest -m proofs -n 2

# random patches, answered by every run that can: MINUTES=60 SEED=1; a seed for each night by default
fuzz: $(TESTED)
	$(BIN)/python -m tests.fuzz.run --minutes $(or $(MINUTES),60) $(if $(SEED),--seed $(SEED))

# the model of 6.18 and the running kernel, call by call; and rules that are wrong, which that exposes
test-conform: $(TESTED)
	$(BIN)/pytest -m conform -rs --durations=0 -vv

# Debian's 6.1 and 6.12 kernels in QEMU, which it installs and downloads (to .kernels) if apt-get is there
test-kernels: $(TESTED)
	sh tests/support/kernels.sh
	$(BIN)/pytest -m kernels -rs

# rewrites the gallery, with what its programs say on those kernels and on the running one
gallery: $(TESTED)
	sh tests/support/kernels.sh
	$(BIN)/python -m vmacheck.counterexamples.gallery.make .kernels/vmlinuz-*
	$(BIN)/python -m vmacheck.counterexamples.gallery.merged
	$(BIN)/python -m vmacheck.counterexamples.gallery.distance

# the figures in docs/performance.md, with other tools, if they are installed; on a machine with nothing else to do
bench: $(TESTED)
	$(BIN)/python -m benchmarks.performance

lint: $(TESTED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# mypy finds vmacheck.model in model/ by links
types: $(TESTED)
	@mkdir -p .types/vmacheck
	@ln -sfn $(foreach name,$(ROOMS) vmacheck/__init__.py vmacheck/__main__.py,../../$(name)) .types/vmacheck/
	$(BIN)/mypy

readme: $(TESTED)
	$(BIN)/python -m tests.documents.pages
	$(BIN)/python -m tests.commands.schema
	$(BIN)/python -m vmacheck.counterexamples.gallery.make

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("vmacheck needs Python 3.11 or newer") if sys.version_info < (3, 11) else 0'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $(READY)

$(TESTED): $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $(TESTED)

clean:
	rm -rf .venv .kernels .schemas .types build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
