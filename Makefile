# Everything a newcomer types. Needs python3 (3.11 or newer) with pip and venv, and nothing else.

PORT ?= 8000
# More arguments of pytest.
OPTIONS =
INTO = client
PYTHON = .venv/bin/python
# Compiled once here, since some machines forbid Python to write what it compiles.
SYNC = UV_COMPILE_BYTECODE=1 UV_PYTHON_DOWNLOADS=never .uv/bin/uv sync --locked
PYTEST = -m pytest -n logical --maxprocesses 8 --dist loadgroup $(OPTIONS)
WITHOUT_RELIABILITY = -m "not (reliability or failover)"
# The same on PostgreSQL, which what asks no database need not run twice for.
ON_POSTGRESQL = --engine postgresql -m "not (reliability or failover or engineless)"
# The tests and manage.py know theirs.
unexport DJANGO_SETTINGS_MODULE
# An environment that production accepts, to check its settings with.
RANDOM = $$($(PYTHON) -c 'import secrets; print(secrets.token_urlsafe(64))')
PRODUCTION = DJANGO_SETTINGS_MODULE=project.settings.prod DATABASE_URL=sqlite:///:memory: \
	NUM_PROXIES=1 DJANGO_ALLOWED_HOSTS=catalogue.example DJANGO_SECRET_KEY=$(RANDOM) \
	JWT_KEYS='[{"kty": "oct", "kid": "1", "k": "'$(RANDOM)'"}]'
# Every Python that uv can find, the newest first; also those that pyenv holds ready.
NEWER = PATH="$$PATH:/usr/local/bin:$$(echo $$HOME/.pyenv/versions/*/bin | tr ' ' :)" \
	.uv/bin/uv python list --only-installed 'cpython>=3.12' 2>/dev/null | awk 'NR == 1 {print $$2}'

.PHONY: help run install test test-all test-operations test-reliability test-failover test-latest test-databases has-newer-python check check-production languages generate schema answers images bench bench-writes bench-scale bench-imports bench-changes bench-bodies bench-bulk bench-offline bench-load test-clients client clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-16s %s\n", $$1, $$2}' Makefile

run: .venv/.synced ## Serve the demo catalogue at http://127.0.0.1:8000 (HOST, PORT, DATABASE_URL change it)
	@$(PYTHON) manage.py load_demo
	@echo "It begins at http://$(or $(HOST),127.0.0.1):$(PORT)/ (Ctrl-C stops the server)"
	@exec env DJANGO_SETTINGS_MODULE=project.settings.dev PORT=$(PORT) $(PYTHON) -m gunicorn \
		--config project/serve.py --log-level warning

install: .uv/bin/uv ## What a server needs and no more, and its static files (docs/operations.md)
	$(SYNC) --quiet --no-dev --python .uv/bin/python
	@rm -f .venv/.synced  # what tests need is gone
	@$(PRODUCTION) $(PYTHON) manage.py collectstatic --no-input --verbosity 0

# QUICK=1 builds what the guides build on SQLite alone.
test: .venv/.synced ## Test on SQLite and on a PostgreSQL that the tests start themselves
	$(PYTHON) $(PYTEST) $(WITHOUT_RELIABILITY)
	$(PYTHON) $(PYTEST) $(ON_POSTGRESQL) \
		$(if $(QUICK),--deselect tests/test_contributing.py)

test-reliability: .venv/.synced ## Test on both what slow clients, locks, outages and kills do
	$(PYTHON) $(PYTEST) -m reliability
	$(PYTHON) $(PYTEST) -m reliability --engine postgresql

test-failover: .venv/.synced ## Kill servers, poolers, standbys and the primary under load, in some minutes
	$(PYTHON) -m pytest -q -m failover --engine postgresql --override-ini log_level=WARNING $(OPTIONS)

test-latest: .uv/bin/uv ## As make test, on the newest Python of this machine, and so the newest Django
	@newer=$$($(NEWER)); test -n "$$newer" || { echo "No Python 3.12 or newer found." >&2; exit 1; }; \
	UV_PROJECT_ENVIRONMENT=.venv-latest $(SYNC) --python "$$newer"
	.venv-latest/bin/python $(PYTEST) $(WITHOUT_RELIABILITY)
	.venv-latest/bin/python $(PYTEST) $(ON_POSTGRESQL)

test-all: export SEED := $(shell od -An -N2 -tu2 /dev/urandom)
test-all: check test test-reliability test-failover test-latest test-databases test-clients test-operations ## All of them
	$(MAKE) bench QUICK=1  # which ends where a peer answers otherwise than the project

test-operations: .venv/.synced ## Type docs/operations.md on a Debian machine of its own, in minutes (root)
	$(PYTHON) -m pytest $(OPTIONS) tests/operations

# DATABASES="oldest:C newest:en_US.UTF-8" asks these alone, on this Python.
test-databases: .venv/.synced tests/databases/node_modules/.synced ## Test on PostgreSQL 14 to 18, the oldest and newest in five locales
	@tests/databases/install
	$(PYTHON) -m tests.databases $(DATABASES)
	@newer=$$($(NEWER)); if test -z "$(DATABASES)" && test -n "$$newer"; then \
		UV_PROJECT_ENVIRONMENT=.venv-latest $(SYNC) --python "$$newer" && \
		.venv-latest/bin/python -m tests.databases; fi

# For .ci/run: whether `make test-latest` has a Python to run on.
has-newer-python: .uv/bin/uv
	@test -n "$$($(NEWER))"

check: .venv/.synced ## Lint, format, types, import contract, migrations, production settings
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports
	$(PYTHON) manage.py makemigrations --check --dry-run
	$(MAKE) check-production

check-production:
	@$(PRODUCTION) $(PYTHON) manage.py check --deploy --fail-level WARNING

languages: .venv/.synced ## Renew the registry of language subtags, books/language_subtags.json, from npm
	@directory=$$(mktemp -d); trap "rm -rf $$directory" EXIT; \
	npm install --silent --no-save --prefix $$directory language-subtag-registry && \
	$(PYTHON) manage.py renew_languages $$directory/node_modules/language-subtag-registry/data/json

generate: .venv/.synced ## Write what follows from models and serializers: migrations, the contract
	$(PYTHON) manage.py makemigrations
	$(MAKE) schema

schema: .venv/.synced ## Write the API's contract, schema/openapi.yaml
	$(PYTHON) manage.py spectacular --validate --fail-on-warn --file schema/openapi.yaml

answers: .venv/.synced ## Record what the demo catalogue answers, as the contract's examples
	RECORD=1 $(PYTHON) -m pytest -q tests/test_answers.py
	$(MAKE) schema

images: .venv-contract/.synced ## Make the pictures of the README anew: pages in a browser, and an import
	tests/clients/install
	.venv-contract/bin/python docs/images/import_books.py
	SCREENSHOTS=docs/images .venv-contract/bin/python -m pytest -q tests/clients/test_pages.py

bench: .venv-bench/.synced ## Measure reads beside other frameworks; QUICK=1 gives the ratios within a minute
	@.venv-bench/bin/python -m benchmarks.run $(if $(QUICK),--quick)

bench-writes: .venv-bench/.synced ## Measure nested writes beside drf-writable-nested, in half a minute
	@.venv-bench/bin/python -m benchmarks.writes

bench-scale: .venv-bench/.synced ## Ask a million books everything, and time the database, in some minutes
	@.venv-bench/bin/python -m benchmarks.scale

bench-changes: .venv-bench/.synced ## Measure what the feed and its triggers cost, in some minutes
	@.venv-bench/bin/python -m benchmarks.changes

bench-imports: .venv-bench/.synced ## Measure imports beside COPY alone, in some minutes; MEMORY=1 their memory
	@.venv-bench/bin/python -m benchmarks.imports $(if $(MEMORY),--memory)

bench-bodies: .venv-bench/.synced ## Measure what the largest bodies cost the processor, in half a minute
	@.venv-bench/bin/python -m benchmarks.bodies

bench-bulk: .venv-bench/.synced ## Measure bulks beside single requests, and exports, in some minutes
	@.venv-bench/bin/python -m benchmarks.bulk

bench-offline: .venv-bench/.synced ## Measure the first synchronisation of a phone, in some minutes
	@.venv-bench/bin/python -m benchmarks.offline

bench-load: .venv-bench/.synced ## Serve a mix of clients for MINUTES (10) at 70 % of what the server can do
	@.venv-bench/bin/python -m benchmarks.load --minutes $(or $(MINUTES),10)

# The first tests are the longest: each begins with a process of its own. QUICK=1 leaves out the
# languages that need a compiler and libraries of their own.
test-clients: .venv-contract/.synced ## Generate clients in ten languages, run them; lint and fuzz the contract
ifndef QUICK
	@tests/clients/install more-languages
	UV_PROJECT_ENVIRONMENT=.venv-contract $(SYNC) --group contract --group more-languages
endif
	.venv-contract/bin/python $(PYTEST) $(if $(QUICK),-m "not more_languages") \
		--no-loadscope-reorder tests/clients

client: .venv-contract/.synced ## A client of the API: make client FOR=typescript [INTO=client]
	@.venv-contract/bin/python -m tests.clients.generators "$(FOR)" "$(INTO)"
	@echo "The $(FOR) client is in $(INTO)/; docs/clients.md has its first lines."

clean: ## Remove what these commands made, the SQLite database included
	rm -rf .uv .venv .venv-latest .venv-bench .venv-contract tests/*/node_modules .*_cache .hypothesis .schemathesis static db.sqlite3*

.uv/bin/uv:
	@python3 -c 'import sys; v = sys.version_info[:2]; sys.exit(v < (3, 11) and \
		"This project needs Python 3.11 or newer; python3 here is %d.%d." % v)'
	python3 -m venv .uv
	.uv/bin/pip install --quiet --disable-pip-version-check uv

.venv/.synced: .uv/bin/uv pyproject.toml uv.lock
	$(SYNC) --python .uv/bin/python
	@touch .venv/.synced

.venv-bench/.synced: .uv/bin/uv pyproject.toml uv.lock
	@UV_PROJECT_ENVIRONMENT=.venv-bench $(SYNC) --quiet --no-dev --group bench --python .uv/bin/python
	@touch .venv-bench/.synced

# Servers for 64-bit Linux.
tests/databases/node_modules/.synced: tests/databases/package-lock.json
	@command -v npm > /dev/null || { echo "This needs Node with npm." >&2; exit 1; }
	npm ci --prefix tests/databases --no-audit --no-fund --loglevel error
	@touch $@

# Clients need Node, and all but TypeScript's and one of Python's need Java.
.venv-contract/.synced: .uv/bin/uv pyproject.toml uv.lock tests/clients/package-lock.json
	UV_PROJECT_ENVIRONMENT=.venv-contract $(SYNC) --group contract --python .uv/bin/python
	npm ci --prefix tests/clients --no-audit --no-fund --loglevel error
	@touch .venv-contract/.synced
