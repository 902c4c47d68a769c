SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Outside the checkout: a throw-away clone does not compile RocksDB again.
export STATUSQUO_CACHE ?= $(HOME)/.cache/statusquo
export CARGO_TARGET_DIR ?= $(STATUSQUO_CACHE)/target
# Another wrapper compiles RocksDB again, so every target here uses the same.
ifneq ($(shell sccache --version 2> /dev/null),)
export RUSTC_WRAPPER ?= sccache
endif

.PHONY: help demo build release test k3 mutants lint fmt openapi bench bench-unchanged jars packages-build packages-test first-build-notice clean-cache

help: ## List these targets
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' Makefile | while IFS=$$'\t' read -r name what; do printf '  make %-12s %s\n' "$$name" "$$what"; done

demo: packages-build first-build-notice ## Run the service on made-up user profiles; needs no Kafka
	cargo run -- demo

build: packages-build first-build-notice ## Compile for development
	cargo build

release: packages-build ## Compile the binary to ship
	cargo build --release

test: packages-test jars lint ## Run every check and every test, as CI does
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps
	@if cargo deny --version > /dev/null 2>&1; then cargo deny check; else echo "cargo deny is not installed: licences and advisories are not checked"; fi
	scripts/kafka-report cargo test

k3: packages-test jars first-build-notice ## Run the tests that need three nodes of Kafka; CI does not
	cargo test --test it -- --ignored --test-threads=1 three_nodes

lint: packages-build first-build-notice ## Check the format and the lints
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings

fmt: ## Format the code
	cargo fmt

openapi: packages-build ## Write docs/openapi.json and docs/openapi-ops.json as the code says
	STATUSQUO_WRITE_DOCUMENTS=1 cargo test --lib the_committed_documents

bench: packages-build jars ## Measure against a consumer and a server that do nothing; under 5 minutes
	@scripts/install-packages bench
	BENCH_DIR="$(CURDIR)/target/bench" cargo bench --bench measure

bench-unchanged: packages-build jars ## Measure look-ups against the last commit before the query API, which is built once
	@scripts/install-packages bench
	before=$$(scripts/before); BENCH_DIR="$(CURDIR)/target/bench-unchanged" cargo bench --bench measure -- unchanged "$$before"

mutants: packages-test jars first-build-notice ## Break the code on purpose; the tests must notice each time; takes half an hour
	@scripts/mutants $(MUTANTS)

jars: packages-test ## Fetch the Apache Kafka the tests run against
	@scripts/kafka-jars > /dev/null

packages-build:
	@scripts/install-packages build

packages-test:
	@scripts/install-packages test

first-build-notice:
	@compgen -G "$$CARGO_TARGET_DIR/debug/build/librocksdb-sys-*/out/librocksdb.a" > /dev/null \
		|| echo "The first build compiles RocksDB and librdkafka: 10 to 20 minutes, once. It is kept in $$CARGO_TARGET_DIR"

clean-cache: ## Delete what the builds and tests keep outside the checkout
	rm -rf "$$STATUSQUO_CACHE/target" "$$STATUSQUO_CACHE/kafka" "$$STATUSQUO_CACHE/mutants" "$$STATUSQUO_CACHE/before"
