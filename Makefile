# The one entry point, for people and for CI. `make` lists the targets.

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run test survival check fmt generated layers sizes words doc chart e2e chaos cluster-up cluster-down release image bench conformance-h2 bench-gate bench-workers bench-idle bench-compile bench-manifests bench-route bench-fields bench-apply bench-certs bench-restart bench-scale fuzz testssl

CARGO ?= cargo
# Where cargo builds; set CARGO_TARGET_DIR to keep builds elsewhere.
TARGET := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)
# The chart is left alone where there is no helm: neither on the PATH nor one that the end-to-end tests have built, of which it
# is the newest that is whole (e2e/cluster/build).
CACHE := $(or $(TIDEGATE_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/tidegate)
HELM := $(firstword $(shell command -v helm) $(filter-out %.part/helm,$(shell ls -t "$(CACHE)"/helm-*/helm 2>/dev/null)))
LINT_VALUES := --set controller.image.repository=example/tidegate

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-16s %s\n", $$1, $$2}'

run: ## start Tidegate on a folder of example manifests, with two backends
	@examples/run

# The tests of the data plane; of the same name in other crates there are few, and they do no harm.
DATAPLANE_TESTS = $(patsubst dataplane/tests/%.rs,--test %,$(wildcard dataplane/tests/*.rs))

test: ## all tests that need nothing but Rust; those of the data plane also over the socket of split planes
	$(CARGO) test --workspace --exclude e2e
	TIDEGATE_TEST_CHANNEL=socket $(CARGO) test --workspace --exclude e2e $(DATAPLANE_TESTS)
	$(CARGO) test -p e2e --lib --bins

survival: ## slow and flooding clients, a minute each; everybody else is served and nothing is left (make test: 2 s each)
	SURVIVAL_SECONDS=60 $(CARGO) test -p tidegate --test survival

check: ## format, lints, layers, sizes, words, documentation, chart
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	@$(MAKE) --no-print-directory layers sizes words doc chart

layers: ## who may import whom: between crates and inside them
	@$(CARGO) run --quiet -p checks -- layers

sizes: ## how long files and functions are
	@$(CARGO) run --quiet -p checks -- sizes

words: ## what must not stand in the repository
	@$(CARGO) run --quiet -p checks -- words

doc: ## the documentation of the code, private items too, warnings denied
	RUSTDOCFLAGS="-D warnings -A rustdoc::private-intra-doc-links" $(CARGO) doc --workspace --no-deps --document-private-items

chart: ## lint the chart and render it with its test values, where a helm is
	@if [ -n "$(HELM)" ]; then \
		"$(HELM)" lint --strict charts/tidegate $(LINT_VALUES) && charts/tidegate/tests/run "$(HELM)"; \
	else echo "chart: not tested, no helm here"; fi

generated: ## write anew what is made from the Rust code: crds/, the chart's copy, its lists of settings and flags
	$(CARGO) run --quiet -- crds > crds/tidegate.dev_ingressclassparameters.yaml
	cp crds/*.yaml charts/tidegate/crds/
	$(CARGO) run --quiet -- settings --chart > charts/tidegate/files/settings.json
	$(CARGO) run --quiet -- flags > charts/tidegate/files/flags.json

fmt: ## format the code
	$(CARGO) fmt --all

conformance-h2: ## the public tests of RFC 9113 (needs httpwg: cargo install --locked httpwg-cli)
	@dataplane/conformance/run

testssl: ## testssl.sh on our port: no finding above LOW (needs testssl.sh: apt-get install testssl.sh); five minutes
	@dataplane/conformance/testssl

e2e: ## end-to-end tests on a real cluster on this machine (says what it installs)
	@e2e/run

CHAOS_SECONDS ?= 3600

chaos: ## everything at random for CHAOS_SECONDS (3600) on that cluster, each answer checked; CHAOS_SEED to have it again
	@CHAOS_SECONDS=$(CHAOS_SECONDS) CHAOS_SEED=$(CHAOS_SEED) RUST_TEST_NOCAPTURE=1 e2e/run chaos

cluster-up: ## start that cluster, to try things out
	@e2e/cluster/up

cluster-down: ## stop it
	@e2e/cluster/down

release: ## the binary as it ships, static
	@e2e/build-static release tidegate tidegate

image: ## the container image, as an OCI tar
	@binary="$$(e2e/build-static release tidegate tidegate)"; \
	$(CARGO) run --quiet --locked -p e2e --bin mkimage -- --product tidegate \
		--binary "$$binary" --out $(TARGET)/tidegate-image.tar

bench: ## Tidegate beside nginx, HAProxy, Envoy and Traefik: twenty minutes, or under four minutes with QUICK=1
	@bench/run compare

bench-gate: ## system calls and instructions for a request, against the recorded ones: three minutes
	@bench/run gate

bench-workers: ## what a second worker costs: CPU for a request, two against one: a minute and a half
	@bench/run workers

bench-idle: ## memory of 6,000 idle connections, of Tidegate and the others; fewer others with QUICK=1
	@bench/run idle

bench-scale: ## 1,000 to 10,000 Ingresses on a real API server, churn, Traefik beside it: half an hour; takes root
	@bench/scale

# With the flags of e2e/build-static, so that one release build serves the image, the tests and the benches.
BENCH = RUSTFLAGS="-C target-feature=+crt-static" $(CARGO) bench --target "$$(rustc -vV | sed -n 's/^host: //p')"

bench-compile: ## how long compiling takes: 5,000 and 20,000 Ingresses
	$(BENCH) -p compile

bench-manifests: ## from 5,000 files to ready, and from a changed file to served
	$(BENCH) -p tidegate --bench manifests

bench-certs: ## memory and start-up with 1,000 certificates, a changed one, and a handshake among them
	$(BENCH) -p tidegate --bench certs

bench-restart: ## a data plane started from the state of 10,000 hosts without a controller: at most a second to its first answer
	$(BENCH) -p tidegate --bench restart

bench-route: ## finding the route among 10,000 hosts of five paths
	$(BENCH) -p dataplane --bench route

bench-fields: ## what the fields of a request and of an answer go through
	$(BENCH) -p dataplane --bench fields

bench-apply: ## from a snapshot of 5,000 hosts to what is served, and from a change of it
	$(BENCH) -p dataplane --bench apply

FUZZ_SECONDS ?= 60

fuzz: ## each fuzz target for FUZZ_SECONDS (60); needs cargo-fuzz
	@command -v cargo-fuzz >/dev/null || { echo "make fuzz needs cargo-fuzz: cargo install --locked cargo-fuzz" >&2; exit 1; }
	@for target in normalize rule head proxy_header frame; do \
		cargo fuzz run --fuzz-dir fuzz/targets -s none "$$target" "fuzz/corpus/$$target" -- -max_total_time=$(FUZZ_SECONDS); \
	done
