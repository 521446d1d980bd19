# SPDX-License-Identifier: GPL-2.0-only
# make check: the main job.  make test: lint, types, tests.  Both create .venv first if it is not there.

PYTHON ?= python3
BIN = .venv/bin
READY = .venv/ready

.PHONY: check test test-conform test-kernels gallery proofs slow large bench lint types readme clean

check: $(READY)
	@$(BIN)/vmacheck ci

# with what schemas.sh fetches, if it can: schemas (to .schemas), and a browser
test: lint types
	@sh tests/support/schemas.sh
	$(BIN)/pytest -n 2 --dist worksteal

# the questions of the default run, of the other kernels, scopes and processes
slow: $(READY)
	$(BIN)/pytest -m slow -n 2 --dist worksteal

# Debian's 6.1 and 6.12 kernels in QEMU, which it installs and downloads (to .kernels) if apt-get is there
test-kernels: $(READY)
	sh tests/support/kernels.sh
	$(BIN)/pytest -m kernels -rs

# the gallery anew, with what its programs say on those kernels and on the running one
gallery: $(READY)
	sh tests/support/kernels.sh
	$(BIN)/python -m counterexamples.findings .kernels/vmlinuz-*
	$(BIN)/python -m counterexamples.merged
	$(BIN)/python -m counterexamples.distance

# the model of 6.18 and the running kernel, call by call; and rules that are wrong, which that exposes
test-conform: $(READY)
	$(BIN)/pytest -m conform -rs --durations=0 -vv

# what Z3 takes minutes for: proofs with three vmas, programs of five calls, and what README shows of them
proofs: $(READY)
	$(BIN)/pytest -m proofs -n 2

# searches of minutes: millions of states, killed and resumed, and with too little memory
large: $(READY)
	$(BIN)/pytest -m large

# vmacheck beside other tools, those of them that are installed, and the figures in README; on a machine with nothing to do
bench: $(READY)
	$(BIN)/python -m benchmarks.readme

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

readme: $(READY)
	$(BIN)/python -m tests.readme
	$(BIN)/python -m tests.docs
	$(BIN)/python -m counterexamples.findings

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("vmacheck needs Python 3.11 or newer") if sys.version_info < (3, 11) else 0'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $(READY)

clean:
	rm -rf .venv .kernels .schemas *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
