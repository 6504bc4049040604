# Everything a developer or a CI machine runs. `make test` is the whole gate; `make help` lists the rest.
# One target folder and one set of features for all steps, so that nothing is compiled twice.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

CARGO ?= cargo
FEATURES := --all-features
TARGET := $(or $(CARGO_TARGET_DIR),target)
# The tests wait for other processes more than they compute.
TEST_THREADS ?= 6
REPEAT ?= 1
FUZZ_SECONDS ?= 60
FUZZ_TARGETS := requests replies info hello config

# The tests' daemons and data nodes sync many small files: in memory where there is room, so that a slow disk, busy with
# what was just compiled, is not all that they show.
MEMORY := $(shell df --output=avail /dev/shm 2>/dev/null | awk 'NR == 2 && $$1 > 2000000 { print "TMPDIR=/dev/shm" }')

# For images of any make: the C library is in the program.
HOST = $(shell rustc -vV | sed -n 's/^host: //p')
STATIC_PROFILE ?= release

PREFIX ?= /usr/local
DESTDIR ?=
BIN := $(DESTDIR)$(PREFIX)/bin
SHARE := $(DESTDIR)$(PREFIX)/share

.PHONY: help build test soak fmt fmt-check lint doc deny unit model fuzz simulation real fleets kubernetes static clients conformance bench bench-table bench-kubernetes demo install clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## debug build of the daemon
	$(CARGO) build $(FEATURES) --bins

test: fmt-check deny lint doc unit model fuzz simulation real fleets kubernetes clients conformance ## everything that must hold before a change lands

fmt: ## format the sources
	$(CARGO) fmt --all

fmt-check:
	$(CARGO) fmt --all -- --check

lint: ## clippy, warnings are errors
	$(CARGO) clippy $(FEATURES) --all-targets -- -D warnings
	$(CARGO) clippy --lib --bins -- -D warnings

doc: ## API documentation, warnings are errors
	RUSTDOCFLAGS="-D warnings -A rustdoc::private-intra-doc-links" $(CARGO) doc $(FEATURES) --no-deps --document-private-items

deny: ## licences, sources and banned crates of all dependencies
	@command -v cargo-deny >/dev/null || $(CARGO) install --locked cargo-deny
	$(CARGO) deny --log-level error check bans licenses sources
	$(CARGO) deny --log-level error --manifest-path tests/fuzz/Cargo.toml --config deny.toml check bans licenses sources

unit: ## unit and documentation tests
	$(CARGO) test $(FEATURES) --lib --bins
	$(CARGO) test $(FEATURES) --doc
	$(CARGO) test $(FEATURES) --test fence --test documents --test server --test corpus

model: ## every order of events in a vote, and in a claim, of a few daemons, model-checked
	$(CARGO) test --profile sim $(FEATURES) --test model --test claim_model

fuzz: ## requests, replies, INFO, hellos and configurations that a fuzzer makes up, FUZZ_SECONDS each
	FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz/run $(FUZZ_TARGETS)

simulation: ## seeded runs of several cores in a virtual world
	$(CARGO) test --profile sim $(FEATURES) --test simulation --test fleet_simulation --test mistakes

real: build ## against real redis-server, redis-sentinel and exporters
	$(MEMORY) $(CARGO) test $(FEATURES) --test real -- --test-threads $(TEST_THREADS)
	$(MEMORY) $(CARGO) test $(FEATURES) --test demo --test process --test pod --test rewrite

fleets: build ## several kinds of daemons, hosts that lose each other, faults in a row; takes root
	$(MEMORY) $(CARGO) test $(FEATURES) --test fleets -- --test-threads $(TEST_THREADS)

kubernetes: build ## against a real Kubernetes API server with the rights that are shipped; the first build of it takes minutes
	tests/kubernetes/prepare
	tests/kubernetes/tools/prepare
	$(MEMORY) $(CARGO) test $(FEATURES) --test kubernetes -- --test-threads $(TEST_THREADS)

clients: build ## client libraries of five languages through failovers
	tests/clients/prepare
	$(MEMORY) $(CARGO) test $(FEATURES) --test clients -- --test-threads 1

conformance: build ## Redis's own Tcl suite, plain and TLS; REPEAT=5 for five in a row
	REPEAT=$(REPEAT) tests/conformance/run

soak: build ## the same in numbers, about eight hours: docs/soak.md; PARTS="model simulation real fleets conformance"
	TEST_THREADS=$(TEST_THREADS) tests/soak $(PARTS)

bench: ## the figure: no late PING, no waiting query, under SETs with a slow disk and many subscribers
	$(CARGO) bench --bench figure

bench-table: ## the figures of redis-sentinel, valkey-sentinel and this daemon in turn; ROWS=kill,idle for some of them
	$(CARGO) bench --bench table -- $(if $(ROWS),--rows $(ROWS))

static: ## a static build, tried in an empty root: minutes, and not a part of `make test`; takes root
	RUSTFLAGS="-C target-feature=+crt-static" $(CARGO) build --locked --bin vedette --target $(HOST) --profile $(STATIC_PROFILE)
	tests/static $(TARGET)/$(HOST)/$(if $(filter dev,$(STATIC_PROFILE)),debug,$(STATIC_PROFILE))/vedette

bench-kubernetes: ## the figures of a fleet on Kubernetes, redis-sentinel in turn; ROWS=kill,rest for some of them; takes root
	tests/kubernetes/prepare
	$(CARGO) bench $(FEATURES) --bench kubernetes -- $(if $(ROWS),--rows $(ROWS))

demo: ## a live topology in the terminal, with a failover to watch
	$(CARGO) run --bin vedette -- demo

install: ## binary, man page, completions; LINKS="redis-sentinel valkey-sentinel" adds these names
	$(CARGO) build --release --bins
	install -D -m 755 $(TARGET)/release/vedette "$(BIN)/vedette"
	for name in $(LINKS); do ln -sf vedette "$(BIN)/$$name"; done
	mkdir -p "$(SHARE)/man/man1" "$(SHARE)/bash-completion/completions" "$(SHARE)/zsh/site-functions" "$(SHARE)/fish/vendor_completions.d"
	$(TARGET)/release/vedette man >"$(SHARE)/man/man1/vedette.1"
	$(TARGET)/release/vedette completions bash >"$(SHARE)/bash-completion/completions/vedette"
	$(TARGET)/release/vedette completions zsh >"$(SHARE)/zsh/site-functions/_vedette"
	$(TARGET)/release/vedette completions fish >"$(SHARE)/fish/vendor_completions.d/vedette.fish"

clean: ## remove everything that was built
	$(CARGO) clean
