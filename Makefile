# Two commands need nothing but Python 3.11, make and a package index: `make demo` and `make test`.
.DEFAULT_GOAL := help
.PHONY: help install demo test lint generate controlplane bench kind-up

PYTHON ?= python3
BIN := .venv/bin
KIND_CLUSTER := nodemix

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' Makefile

install: ## Make .venv from the pinned, hashed requirements.
	@$(PYTHON) tools/environment.py

demo: install ## Observe, forecast, decide and explain on a built-in cluster; live where it can.
	@$(BIN)/python -m tools.demo

test: install controlplane ## Unit, law and control-plane tests.
	$(BIN)/pytest

lint: install ## Format, lint, types and import contracts.
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/mypy tools tests benchmarks
	$(BIN)/lint-imports

generate: install ## Write the CRDs and the dashboard from their models.
	$(BIN)/python -m nodemix.operator.api.crd
	$(BIN)/python -m nodemix.operator.report.dashboard

controlplane: ## Build the control plane and Prometheus once (about 10 min; later nothing).
	@$(PYTHON) tools/binaries.py all >/dev/null

bench: install ## Measure the optimizer against its bound on the shared instances.
	$(BIN)/python -m benchmarks.optimizer

kind-up: ## Start a real kind cluster with four nodes in three zones.
	@command -v docker >/dev/null || { echo "kind-up needs Docker: install it, or use 'make controlplane'"; exit 1; }
	@command -v kind >/dev/null || { echo "kind-up needs kind: go install sigs.k8s.io/kind@latest"; exit 1; }
	kind create cluster --name $(KIND_CLUSTER) --config kind-config.yaml
