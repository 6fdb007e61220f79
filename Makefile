# What a person or a runner does with drwatch. `make help` lists the targets.

SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

GO     ?= go
GOFMT  ?= $(shell $(GO) env GOROOT)/bin/gofmt
BIN    := bin/drwatch

# The stamp. It comes from the commit alone, so that the same commit built twice
# with the same Go gives the same bytes. Each can be given on the command line.
VERSION  ?= $(shell cat VERSION)
REVISION ?= $(shell git describe --always --abbrev=40 --exclude='*' --dirty=-modified 2>/dev/null || echo unknown)
BRANCH   ?= $(shell git rev-parse --abbrev-ref HEAD 2>/dev/null || echo unknown)
DATE     ?= $(shell TZ=UTC git log -1 --date=format-local:%Y%m%d-%H:%M:%S --format=%cd 2>/dev/null || echo unknown)

STAMP   := github.com/prometheus/common/version
LDFLAGS  = -s -w -X $(STAMP).Version=$(VERSION) -X $(STAMP).Revision=$(REVISION) \
	-X $(STAMP).Branch=$(BRANCH) -X $(STAMP).BuildDate=$(DATE)

# What may be passed through.
DEMO_FLAGS   ?=
TEST_FLAGS   ?=
CHAOS_FLAGS  ?=
PROOF_SEEDS  ?= 100000
HISTORIES    ?= 10000
HISTORIES_FLAGS ?=
SOAK         ?= 30m
SOAK_FLAGS   ?=
TEST_TIMEOUT ?= 15m
BENCH        ?= .
BENCH_FLAGS  ?=
MEASURE_FLAGS ?=
FUZZTIME     ?= 10s
FUZZCPU      ?= 600
MUTATE_FLAGS ?=
LINT_FLAGS   ?=

# Packages whose tests run daemons, stores and clouds as real processes: one after
# the other, so that they measure the daemon and not each other.
ALONE := /(test|internal/demo|internal/quorum)(/|$$)

GOLANGCI_LINT := $(GO) tool -modfile=tools/golangci-lint/go.mod golangci-lint

.PHONY: help
help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

.PHONY: build
build: ## Build bin/drwatch: static, stripped, stamped with the commit.
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/drwatch

.PHONY: demo
demo: build ## Build, then lose a simulated site and watch its groups fail over (DEMO_FLAGS=…).
	$(BIN) demo $(DEMO_FLAGS)

# The last command tells how the observers of test/chaos are parted from each other
# (network namespaces or loopback, and why), and what only `make chaos` runs.
# vet is given -race so that it and the tests share one build of every package;
# the tests then need not vet again.
.PHONY: test
test: test-deps fmt-check ## Check the formatting, vet, and run all tests with the race detector (TEST_FLAGS=…).
	$(GO) vet -race ./...
	$(GO) test -race -vet=off -timeout $(TEST_TIMEOUT) $(TEST_FLAGS) $$($(GO) list ./... | grep -vE '$(ALONE)')
	$(GO) test -race -vet=off -timeout $(TEST_TIMEOUT) -p 1 $(TEST_FLAGS) $$($(GO) list ./... | grep -E '$(ALONE)' | grep -v '/test/chaos$$')
	$(GO) test -race -vet=off -timeout $(TEST_TIMEOUT) -v $(TEST_FLAGS) ./test/chaos $(CHAOS_FLAGS)

.PHONY: chaos
chaos: ## Run real observers through every failure, five to ten minutes (CHAOS_FLAGS=-chaos.network=namespaces|loopback forces one).
	$(GO) test -race -vet=off -count=1 -timeout 40m -v -skip '^TestHowLong' $(TEST_FLAGS) ./test/chaos -chaos.long $(CHAOS_FLAGS)

.PHONY: measure
measure: ## Measure how long decisions take, in turn with Debian's redis-sentinel, about ten minutes (MEASURE_FLAGS=…).
	$(GO) test -count=1 -timeout 40m -v -run '^TestHowLongDecisionsTake$$' ./test/chaos -chaos.measure $(MEASURE_FLAGS)

.PHONY: proof
proof: ## Play 100,000 simulated stories, take each protection out once, and search all scopes, hours (PROOF_SEEDS=…).
	$(GO) test -count=1 -timeout 0 -v ./internal/simtest -run '^TestStories$$' -seeds $(PROOF_SEEDS)
	$(GO) test -count=1 -timeout 60m -v ./internal/simtest -run '^Test(EveryStep|Controls)$$' -steps -controls .
	GOGC=400 $(GO) test -count=1 -timeout 0 -v ./internal/exhaust -full -controls .

.PHONY: histories
histories: ## Hold the simulation's model of the store against etcd in 10,000 random histories, half an hour (HISTORIES=…).
	$(GO) test -count=1 -timeout 180m -v ./internal/quorum -run '^Test(RandomHistories|LedgerHistories|LeasesRunOutAlike|ClientsAtOnce|RivalsClaim)$$' -histories $(HISTORIES) $(HISTORIES_FLAGS)

.PHONY: soak
soak: build ## Run three observers with churn for SOAK (default 30m): nothing grows, each loss acts once (SOAK_FLAGS=…).
	$(GO) run ./test/soak -for $(SOAK) -drwatch $(BIN) $(SOAK_FLAGS)

# The core: what the decision is made of, the states, and the transactions of the
# ledger that a rule's failover is written with. The calls: what carries it out.
CORE  := $(addprefix internal/failover/,decide.go conditions.go nearest.go rule.go votes.go tiers.go states.go) \
	$(addprefix internal/quorum/ledger/,claim.go write.go)
CALLS := $(addprefix internal/failover/,execute.go verify.go claim.go drive.go late.go owed.go)

.PHONY: mutate
mutate: ## Change the core in 1,700 ways, one at a time, and see that the tests notice (MUTATE_FLAGS=-trust is quicker).
	$(GO) run ./tools/mutate $(MUTATE_FLAGS) $(CORE)

.PHONY: mutate-calls
mutate-calls: ## The same of what carries a failover out, hours: its survivors are not explained.
	$(GO) run ./tools/mutate $(MUTATE_FLAGS) $(CALLS)

.PHONY: test-deps
test-deps:
	@tools/test-deps

.PHONY: fmt-check
fmt-check:
	@unformatted=$$($(GOFMT) -l $(wildcard cmd internal rules bench test)); \
	if [[ -n $$unformatted ]]; then \
		printf 'gofmt would change these files, run gofmt -w on them:\n%s\n' "$$unformatted" >&2; exit 1; \
	fi

.PHONY: lint
lint: ## Run golangci-lint, pinned in tools/golangci-lint (LINT_FLAGS=…).
	$(GOLANGCI_LINT) run $(LINT_FLAGS) ./...

.PHONY: bench
bench: ## Run the benchmarks, then the programs under bench/ (BENCH=regexp, BENCH_FLAGS=…).
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem $(BENCH_FLAGS) ./...
	@$(MAKE) --no-print-directory sizing

.PHONY: sizing
sizing: ## Run the programs under bench/ alone, about half an hour: what docs/sizing.md tells.
	@for program in $(sort $(dir $(wildcard bench/*/main.go))); do \
		echo "== $$program"; $(GO) run "./$$program"; \
	done

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (default 10s).
	@tools/fuzz run $(FUZZTIME)

.PHONY: fuzz-campaign
fuzz-campaign: ## Give each fuzz target FUZZCPU seconds of CPU time (default 600) on one core, seven hours; a line on each.
	@tools/fuzz campaign $(FUZZCPU)

.PHONY: clean
clean: ## Remove what the build and the tests left behind.
	rm -rf bin dist coverage.out
