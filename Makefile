# The commands of this repository. `make demo` and `make test` are all a newcomer needs; `make help` lists the others.
PYTHON ?= python3
BIN = .venv/bin

.DEFAULT_GOAL := help
.PHONY: help venv demo demo-app test lint schema bench figures check build build-arm64 layer-size

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-16s %s\n", $$1, $$2 }'

venv: .venv/installed ## the virtual environment .venv, with any Python from 3.11

.venv/installed: requirements-dev.txt layers/fastscaler/pyproject.toml layers/fastscaler/requirements.txt simulator/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is older than Python 3.11: run make PYTHON=python3.13, say" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q -r requirements-dev.txt
	@touch $@

demo: venv ## a surge answered in seconds, on this machine, without an AWS account
	$(BIN)/python -m demo

demo-app: venv ## real requests on real processes, scaled by the loop, on this machine; needs haproxy and wrk
	$(BIN)/python -m demo.app

test: venv ## unit and integration tests, and a short run of the demo
	$(BIN)/pytest -n 2 --dist loadfile

lint: venv ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

schema: venv ## policies.schema.json from the models
	$(BIN)/fastscaler schema > policies.schema.json

bench: venv ## FastScaler against other autoscalers, simulated: benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks

figures: venv ## times and calls of the loop, measured on this machine: benchmarks/figures.json
	$(BIN)/python -m benchmarks.figures

check: lint check-sam ## lint, sam validate --lint, sam build for x86_64 and arm64, size of the layer

# --- SAM: build, and what `make check` asks of it. The SAM CLI lives in .venv-sam.
# `sam build` needs the runtime's own Python: the first of PATH, pyenv, uv that really runs (an inactive pyenv shim does not).
PYTHON313_BIN = $(shell for python in python3.13 "$$(pyenv prefix 3.13 2>/dev/null)/bin/python3.13" "$$(uv python find 3.13 2>/dev/null)"; do \
    "$$python" -c 'import os, sys; assert sys.version_info[:2] == (3, 13); print(os.path.dirname(sys.executable))' 2>/dev/null && break; done)
SAM = SAM_CLI_TELEMETRY=0 PATH="$(PYTHON313_BIN):$$PATH" .venv-sam/bin/sam
NO_PYTHON313 = echo "sam build: no Python 3.13 found (looked on PATH, in pyenv and in uv)" >&2
ARM64 = .aws-sam/arm64


.venv-sam/bin/sam: requirements-sam.txt
	$(PYTHON) -m venv .venv-sam
	.venv-sam/bin/pip install -q -r requirements-sam.txt
	touch $@

build: .venv-sam/bin/sam ## sam build, for the Architecture of samconfig.toml
	@test -n "$(PYTHON313_BIN)" || { $(NO_PYTHON313); exit 1; }
	$(SAM) build

# Built and looked at, never run: each compiled module must be an aarch64 ELF file (e_machine 183).
build-arm64: .venv-sam/bin/sam
	@test -n "$(PYTHON313_BIN)" || { $(NO_PYTHON313); exit 1; }
	$(SAM) build --parameter-overrides Architecture=arm64 --build-dir $(ARM64)/build --cache-dir $(ARM64)/cache
	@libraries=$$(find $(ARM64)/build -name '*.so'); test -n "$$libraries" || { echo "arm64: no compiled module found" >&2; exit 1; }; \
	for file in $$libraries; do test "$$(od -An -tu2 -j18 -N2 "$$file" | tr -d ' ')" = 183 || { echo "$$file: not aarch64" >&2; exit 1; }; done; \
	echo "arm64: $$(echo "$$libraries" | wc -l | tr -d ' ') compiled modules, all aarch64"

layer-size: build ## unzipped size of the library layer by package; fails above 30 MB
	@cd .aws-sam/build/FastScalerLayer/python && find * -type f -exec wc -c {} + | grep -v ' total$$' | awk '\
	{ split($$2, path, "/"); size[path[1]] += $$1; all += $$1 } \
	END { for (name in size) printf "%6.2f MB  %s\n", size[name] / 1e6, name | "sort -rn"; close("sort -rn"); \
	printf "%6.2f MB  in all, 30 allowed\n", all / 1e6; exit all > 30e6 }'

.PHONY: check-sam
check-sam: .venv-sam/bin/sam
	$(SAM) validate --lint
	@if [ -n "$(PYTHON313_BIN)" ]; then $(MAKE) layer-size build-arm64; else $(NO_PYTHON313); [ -z "$$CI" ]; fi
# --- End to end: the built application. ministack runs Lambda code with its own interpreter, so .venv-e2e is made from the
# runtime's Python; what Lambda's runtime brings along (its client and boto3) is beside it, for the runs without ministack.
E2E_VENVS = .venv-e2e/installed .venv-sam/bin/sam .venv/installed
E2E = .venv-e2e/bin/python -m pytest -s

.venv-e2e/installed: requirements-e2e.txt
	@test -n "$(PYTHON313_BIN)" || { $(NO_PYTHON313); exit 1; }
	$(PYTHON313_BIN)/python3.13 -m venv .venv-e2e
	.venv-e2e/bin/pip install -q --upgrade --target .venv-e2e/lambda-runtime "awslambdaric>=4,<5" "boto3>=1.43,<2"
	.venv-e2e/bin/pip install -q -r requirements-e2e.txt
	@touch $@

.PHONY: e2e e2e-runtime e2e-local-invoke
e2e: $(E2E_VENVS) ## sam build, deploy, a surge, hand-overs, update, delete: on an emulator of AWS; then with its roles enforced
	$(E2E) tests/e2e/test_deployed.py tests/e2e/test_roles.py

e2e-runtime: $(E2E_VENVS) ## the built functions under the Lambda runtime: every event, the time-out, cold starts
	$(E2E) tests/e2e/test_runtime.py

e2e-local-invoke: $(E2E_VENVS) ## sam local invoke and start-lambda in containers; skipped where no engine can run
	$(E2E) tests/e2e/test_local_invoke.py
