# What a person or a machine does with this repository. `make` alone lists it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

SCRIPTS := .ci/run agent/fuzz/run benches/run packaging/demo packaging/demo-hosts integration/prepare integration/promtool integration/schemathesis integration/playwright integration/containers \
  integration/lab/run integration/lab/kernel integration/lab/boot integration/lab/debian integration/lab/lab-command \
  packaging/build packaging/cargo-deb $(wildcard packaging/*/postinst packaging/*/postrm)
# Takes minutes by itself: a Debian machine is made, booted and booted again. .config/nextest.toml says the same.
ONLY_LONG = --skip under_systemd
test-long: ONLY_LONG =
# nextest where it is installed, else cargo's own runner.
TEST = if cargo nextest --version >/dev/null 2>&1; then \
         cargo nextest run --workspace && cargo test --workspace --doc; \
       else cargo test --workspace -- $(ONLY_LONG); fi
# The same, of the tests that run on a WireGuard kernel.
KERNEL_TEST := if cargo nextest --version >/dev/null 2>&1; then \
                 cargo nextest run --workspace -E 'binary(/^lab_/)'; \
               else cargo test --workspace --test 'lab_*'; fi
ROUNDS ?= 5

.PHONY: help demo packages test test-kernel test-long fuzz lint bench prepare

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

demo: ## a controller and three agents with moving traffic, and what to try on them
	cargo build --release -p wgfleet-agent -p wgfleet-controller --bins
	exec packaging/demo

packages: ## Debian packages of both, in target/packages
	packaging/build

prepare: ## install what tests need and this machine lacks (Debian, as root), and find a kernel
	integration/prepare

test: prepare ## build everything, run every test that is not for test-long
	cargo build --workspace --bins
	$(TEST)

test-kernel: prepare ## the tests that run on a WireGuard kernel alone, such as on another WG_LAB_KERNEL
	cargo build --workspace --bins
	$(KERNEL_TEST)

test-long: prepare ## the same with many more generated cases and kills and under systemd, then the kernel's tests ROUNDS times, then the containers, then fuzzing
	cargo build --workspace --bins
	export NEXTEST_PROFILE=long PROPTEST_CASES=20000 WGFLEET_ROUNDS=1000; $(TEST)
	for round in $$(seq $(ROUNDS)); do \
	  echo "kernel tests, round $$round of $(ROUNDS)"; \
	  $(KERNEL_TEST); \
	done
	integration/containers
	FUZZ_SECONDS=$${FUZZ_SECONDS:-600} FUZZ_SANITIZER=address agent/fuzz/run

fuzz: prepare ## arbitrary bytes for everything of the agent that reads bytes, FUZZ_SECONDS (30) for each
	agent/fuzz/run

lint: ## formatting, clippy, dependencies, shell scripts
	cargo fmt --all --check
	cargo fmt --manifest-path agent/fuzz/Cargo.toml --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	@if cargo deny --version >/dev/null 2>&1; then cargo deny check bans licenses sources; \
	else echo "cargo-deny is not installed: dependencies were not judged by deny.toml"; fi
	@if command -v shellcheck >/dev/null; then shellcheck $(SCRIPTS); \
	else echo "shellcheck is not installed: scripts were not checked"; fi

bench: ## what the README's figures are measured with, as one Markdown report
	benches/run
