# The verbs of this project. `make` alone lists them.
.PHONY: help demo web test test-v2 test-languages e2e chaos check bench bench-5000 panels deny
CARGO ?= cargo

help: ## List the verbs
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' Makefile | expand -t 18

demo: ## Build, judge the example problems with every language found, print the table
	@scripts/toolchains core || echo "going on with the languages that are there"
	$(CARGO) build --release -p evalx
	examples/generate
	"$${CARGO_TARGET_DIR:-target}/release/evalx" verify examples/problems/*

web: ## Build the web page, and test it in Chromium (installed where missing, as root)
	@scripts/web test

test: ## Install what the tests need (as root), then run everything
	@scripts/test

test-v2: ## The sandbox on cgroup v2, in emulated guests with Linux 6.1 and 6.12 (QEMU by apt, as root; minutes)
	@scripts/test-v2

test-languages: ## Install every toolchain (as root), then test every language
	scripts/toolchains full
	EVALX_TEST_TIER=full $(CARGO) test -p judge --test languages

e2e: ## evalX in the pods of a true Kubernetes node, and as containers (as root, with apt; minutes)
	@scripts/test e2e

chaos: ## 100,000 jobs while workers and Redis are killed, stopped and cut off (minutes)
	EVALX_CHAOS=100000 $(CARGO) test --locked -p evalx --test chaos -- --nocapture

check: ## Format and lints, as CI wants them
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

bench: ## Print the figures of SPEC.md beside a bare process and other queues; fails where the operator misses its own
	$(CARGO) build --release --locked -p evalx
	$(CARGO) bench --locked -p sandbox --bench overhead
	$(CARGO) bench --locked -p evalx --bench judge
	$(CARGO) bench --locked -p queue --bench queue
	$(CARGO) bench --locked -p evalx --bench worker
	$(CARGO) bench --locked -p evalx --bench service
	$(CARGO) bench --locked -p e2e --bench scale

bench-5000: ## The operator's figures with 5,000 simulated nodes (8 GB, a quarter of an hour)
	EVALX_SCALE=5000 EVALX_SCALE_IDLE=60 $(CARGO) bench --locked -p e2e --bench scale

panels: ## Draw the dashboards of a real run for the docs, by Grafana's components in Chromium (as root; minutes)
	$(CARGO) build --release --locked -p evalx
	@scripts/panels

deny: ## Licences, advisories and duplicates of the dependencies (needs cargo-deny)
	cargo deny check
