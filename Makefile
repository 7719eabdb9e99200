# Two commands: `make demo` shows the product, `make test` proves it. Both install what they need into .venv.
PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed

.PHONY: demo test check clean

demo: $(VENV)/.demo
	$(VENV)/bin/sharegate demo $(ARGS)

test: $(STAMP)
	PYTHON=$(VENV)/bin/python scripts/programs
	PYTHON=$(VENV)/bin/python scripts/check
	PYTHON=$(VENV)/bin/python scripts/test $(ARGS)

check: $(STAMP)
	PYTHON=$(VENV)/bin/python scripts/check

$(VENV)/.demo: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -e ".[lab]"
	@touch $@

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -e ".[lab,dev]"
	@touch $@ $(VENV)/.demo

clean:
	rm -rf $(VENV)
