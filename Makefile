# `make serve` and `make test` do all their own set-up. They need python3 with venv, make and git.
PYTHON ?= python3
ROOT ?= $(if $(EYELET_ROOT),$(EYELET_ROOT),$(HOME)/.eyelet)
PORT ?=
DATASETTE ?= 0.65
VENV_1 := .venv-datasette-1.0
# A memory file system on which programs may run, with 2 GiB left.
IN_MEMORY := $(shell awk '$$2 == "/dev/shm" && $$4 !~ /noexec/' /proc/mounts 2>/dev/null | grep -q . \
  && df -Pk /dev/shm | awk 'NR == 2 && $$4 > 2097152 { print "PYTEST_DEBUG_TEMPROOT=/dev/shm" }')
SOURCES := ingest datasette_eyelet tests benchmarks hatch_build.py

.PHONY: serve test check ext optional-ext ext-coverage soak bench wheel clean

# Records a generated demonstration first where the root is empty; never reads private files unasked.
serve: .venv/installed optional-ext
	.venv/bin/eyelet demo --root "$(ROOT)" --unless-used
	.venv/bin/eyelet serve --root "$(ROOT)" $(if $(PORT),--port $(PORT),)

# The store's tests on one core; the plugin's on the other, first with the one Datasette, then with the other. Days are
# made in memory where that can be: half of the suite's time was a disk's, and what a kill leaves is the same.
# `make soak` uses the disk.
test: check
	@beside=$$(mktemp); { status=0; \
	  echo "The plugin:"; $(IN_MEMORY) .venv/bin/python -m pytest -m "not store" || status=$$?; \
	  echo "The same with Datasette 1.0:"; $(IN_MEMORY) $(VENV_1)/bin/python -m pytest -m "not store" || status=$$?; \
	  exit $$status; } >"$$beside" 2>&1 & other=$$!; \
	status=0; $(IN_MEMORY) .venv/bin/python -m pytest -m store || status=$$?; \
	wait $$other || status=$$?; cat "$$beside"; rm -f "$$beside"; exit $$status

check: .venv/installed-test $(VENV_1)/installed-test optional-ext
	.venv/bin/ruff check $(SOURCES)
	.venv/bin/ruff format --check $(SOURCES)
	.venv/bin/mypy

# The extension in C, for SQL over all days. It needs a C compiler and SQLite's headers (Debian: gcc, libsqlite3-dev).
ext: .venv/installed
	.venv/bin/python -m eyelet_ingest.extension.build

# Which branches of it the tests take.
ext-coverage: .venv/installed-test
	.venv/bin/python tests/extension/branches.py

# The long proofs in full: hours of processes and kills where `make test` runs a short seeded form.
soak: .venv/installed-test $(VENV_1)/installed-test
	EYELET_SOAK=1 .venv/bin/python -m pytest tests/store tests/extension tests/ingest tests/sources tests/cli/test_import_history.py tests/web/test_churn.py
	EYELET_SOAK=1 $(VENV_1)/bin/python -m pytest tests/web/test_churn.py

bench: .venv/installed-test $(VENV_1)/installed-test
	.venv/bin/python benchmarks/capture.py
	.venv/bin/python benchmarks/http_hook.py
	.venv/bin/python benchmarks/writing.py
	.venv/bin/python benchmarks/metrics.py
	.venv/bin/python benchmarks/busy.py
	.venv/bin/python benchmarks/ingest.py
	-.venv/bin/python benchmarks/redaction.py
	.venv/bin/python benchmarks/history.py
	.venv/bin/python benchmarks/search.py
	.venv/bin/python benchmarks/sessions.py
	.venv/bin/python benchmarks/page.py
	.venv/bin/python benchmarks/text.py
	.venv/bin/python benchmarks/aggregates.py
	.venv/bin/python benchmarks/scale.py
	.venv/bin/python benchmarks/sql.py
	.venv/bin/python benchmarks/moving.py
	.venv/bin/python benchmarks/startup.py
	.venv/bin/python benchmarks/many_days.py
	$(VENV_1)/bin/python benchmarks/many_days.py

wheel: .venv/installed optional-ext
	.venv/bin/pip wheel --quiet --no-deps --wheel-dir dist .

clean:
	rm -f ingest/eyelet_ingest/extension/eyelet.so ingest/eyelet_ingest/extension/eyelet.dylib
	rm -rf .venv $(VENV_1) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

# Says which Datasette .venv holds: another `make DATASETTE=…` installs that one.
.venv/datasette-$(DATASETTE):
	@rm -f .venv/installed .venv/datasette-*

.venv/installed: pyproject.toml constraints/datasette-$(DATASETTE).txt .venv/datasette-$(DATASETTE)
	@$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 10)' \
	  || { echo "Python 3.10 or later is needed; name one with: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "python3 with venv is needed (Debian: apt install python3-venv)" >&2; exit 1; }
	.venv/bin/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints/datasette-$(DATASETTE).txt --editable .
	@touch .venv/datasette-$(DATASETTE) $@

# Without a compiler all but SQL over all days works: one line says what is missing, and the next make tries again.
optional-ext: .venv/installed
	@.venv/bin/python -m eyelet_ingest.extension.build --if-needed --optional

.venv/installed-test: .venv/installed
	.venv/bin/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints/datasette-$(DATASETTE).txt --editable '.[test]'
	@touch $@

$(VENV_1)/installed-test: pyproject.toml constraints/datasette-1.0.txt
	@$(PYTHON) -m venv $(VENV_1)
	$(VENV_1)/bin/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints/datasette-1.0.txt --editable '.[test]'
	@touch $@
