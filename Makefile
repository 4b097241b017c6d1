# Everything a checkout needs is made on first use; `.ci/setup` holds how.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run test lint unit e2e bench setup lock clean

ARGS ?=

help: ## show this list
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  make %-6s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## set up what is missing, then run a node with a demo stream (ARGS="--http-port 9000")
	@.ci/setup run
	@exec .venv/bin/spillway demo $(ARGS)

test: ## set up what is missing, then run every check and every test
	@.ci/setup test
	@.ci/test all

lint: ## formatters, linters and type checkers only
	@.ci/setup test
	@.ci/test lint

unit: ## unit tests of all languages, and the simulation
	@.ci/setup test
	@.ci/test unit

e2e: ## interop, and end to end in real browsers
	@.ci/setup test
	@.ci/test e2e

bench: ## one benchmark: make bench ARGS="forward --viewers 500 --mbps 2.5"
	@.ci/setup run
	@exec .venv/bin/spillway bench $(ARGS)

setup: ## only the set-up of `make test`
	@.ci/setup test

lock: ## resolve the Python dependencies again (needs uv)
	@.ci/setup lock

clean: ## remove everything that was built or installed here
	rm -rf .venv .setup build dist web/node_modules web/dist signaling/static sfu/engine/target
	rm -f sfu/_engine*.so
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis
