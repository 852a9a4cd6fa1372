# `make run` and `make test` are all that anybody needs; both make the environment first.

PYTHON ?= python3
UV ?= uv
PYTEST_ARGS ?=
RUN_ARGS ?=

bin := .venv/bin
installed := .venv/.installed

.PHONY: install run test lint lock words

install: $(installed)
	@:

# Only with Python and its venv module: the rest comes by hash from the lock.
$(installed): requirements-dev.lock pyproject.toml setup.py
	@command -v $(PYTHON) >/dev/null || { \
		echo "Dockrev needs Python 3.11 to 3.13, and there is no $(PYTHON)." \
			"Install it, or say: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { \
		echo "Dockrev needs Python 3.11 to 3.13, and $(PYTHON) is `$(PYTHON) -V`." \
			"Say which to use: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) lacks its venv module. Install it; on Debian: apt install python3-venv" \
			>&2; exit 1; }
	@$(bin)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@echo "Installing what requirements-dev.lock lists."
	@$(bin)/python -m pip install --quiet --disable-pip-version-check \
		--require-hashes -r requirements-dev.lock
	@$(bin)/python -m pip install --quiet --disable-pip-version-check \
		--no-deps --no-build-isolation --editable .
	@touch $@

run: $(installed)
	@exec $(bin)/python manage.py run --end-with-parent $(RUN_ARGS)

# Tests start Python some hundred times: each time to compile everything anew takes a second.
test: $(installed)
	@exec env -u PYTHONDONTWRITEBYTECODE $(bin)/python -m pytest $(PYTEST_ARGS)

# The checks of a deployment need keys; these are nobody's.
lint: export DOCKREV_DATA_DIR := .venv/lint
lint: $(installed)
	$(bin)/ruff format --check .
	$(bin)/ruff check .
	$(bin)/mypy .
	$(bin)/lint-imports
	$(bin)/python manage.py makemigrations --check --dry-run
	DOCKREV_PUBLIC_URL=https://dockrev.example.org \
		$(bin)/python manage.py check --deploy --fail-level WARNING

# After a text for people was changed: collect them all, and compile what is translated.
words: $(installed)
	@command -v xgettext >/dev/null || { \
		echo "GNU gettext is not installed. On Debian: apt install gettext" >&2; exit 1; }
	$(bin)/python manage.py makemessages --all --no-location --no-obsolete --no-wrap \
		$(patsubst %,--ignore=%,.venv build data tests benchmarks staticfiles)
	$(bin)/python manage.py compilemessages --ignore=.venv

# With extras: the installer takes a name without them for another one, and looks for its newest.
lock:
	@command -v $(UV) >/dev/null || { \
		echo "The lock files are made with uv. Install it, or say: make lock UV=/path/to/uv" >&2; \
		exit 1; }
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
		--no-header --no-strip-extras --extra build pyproject.toml -o requirements.lock
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
		--no-header --no-strip-extras --extra build --extra dev -c requirements.lock \
		pyproject.toml -o requirements-dev.lock
