PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test slow lint docs clean

demo: .venv/.core
	$(BIN)/sxtbench demo --out sxtbench-demo

test: .venv/.dev
	OMP_NUM_THREADS=1 $(BIN)/pytest -m "not slow and not gpu and not network and not browser and not install" -n 2 --dist loadfile

slow: .venv/.dev
	$(BIN)/pytest -m "slow"

lint: .venv/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: .venv/.dev
	$(BIN)/mkdocs build --strict --quiet

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.core: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[networks]"
	touch $@

.venv/.dev: .venv/.core
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[cluster,dev,formats,hub,learn]"
	touch $@

clean:
	rm -rf .venv build dist site sxtbench-demo sxtbench-run
