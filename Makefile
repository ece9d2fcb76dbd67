# Everything is done by Go; make only remembers how. `make` alone lists the targets.

GO      ?= go
CACHE   := .cache
BIN     := $(CURDIR)/$(CACHE)/bin
TIMEOUT ?= 15m

# The tools of `make check`, each built once into .cache/bin.
STATICCHECK   := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOLANGCI_LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOSEC         := github.com/securego/gosec/v2/cmd/gosec@v2.29.0

TOOLS := $(STATICCHECK) $(GOLANGCI_LINT) $(GOSEC)
built  = $(BIN)/$(notdir $(subst @,-,$(1)))

# Not asked of gosec: G104 is errcheck's; G115 and G602 cannot follow a bound that was checked; G204 and G304 are the trade of who starts programs
# and opens the files that its operator names; G404 is for jitter, where chance need not be secret. The lab's servers live for one test.
GOSEC_FLAGS := -quiet -exclude=G104,G115,G204,G304,G404,G602 -exclude-dir=$(CACHE) -exclude-dir=internal/lab -exclude-dir=internal/sim

# VERSION is the tag that is built, or what follows it.
VERSION  ?= $(shell git describe --tags --dirty 2>/dev/null || echo 0.0.0-dev)
REVISION ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
BRANCH   ?= $(shell git rev-parse --abbrev-ref HEAD 2>/dev/null || echo unknown)
LDFLAGS  := -s -w \
	-X github.com/prometheus/common/version.Version=$(VERSION:v%=%) \
	-X github.com/prometheus/common/version.Revision=$(REVISION) \
	-X github.com/prometheus/common/version.Branch=$(BRANCH)

# The race detector needs a C compiler. Packages that only calculate, or talk to themselves, are fast enough for it; those with real servers are not.
CC_FOUND := $(shell command -v $$($(GO) env CC) 2>/dev/null)
RACE     := $(if $(CC_FOUND),-race)
PURE     := ./topology/... ./analysis/... ./remediation ./remediation/hook/... ./ledger/... ./api/... ./internal/config/... ./internal/sim/...
present   = $(foreach p,$(1),$(if $(wildcard $(patsubst %/...,%,$(p))/*.go),$(p)))
FUZZTIME ?= 10s

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## list the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z][a-z0-9-]*:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: build ## run a whole fleet on this machine: real servers, Baton, Prometheus and Alertmanager
	bin/baton demo

.PHONY: build
build: ## build bin/baton
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/baton ./cmd/baton

.PHONY: test
test: ## run all tests, those with real servers included
	$(if $(RACE),,@echo 'note: no C compiler was found, so nothing runs under the race detector')
	$(GO) test $(RACE) -timeout $(TIMEOUT) $(call present,$(PURE))
	$(GO) test -timeout $(TIMEOUT) $$($(GO) list ./... | grep -vxF "$$($(GO) list $(call present,$(PURE)))")

.PHONY: e2e
e2e: ## run only the tests with real servers, aloud and without remembered results
	$(GO) test -count=1 -v -p 1 -timeout 30m \
		$$($(GO) list -f '{{range .TestImports}}{{$$.ImportPath}} {{.}}{{"\n"}}{{end}}{{range .XTestImports}}{{$$.ImportPath}} {{.}}{{"\n"}}{{end}}' ./... \
		| awk '/\/internal\/lab$$/ || /\/internal\/(lab|demo) / { print $$1 }' | sort -u)

.PHONY: check
check: format vet staticcheck golangci-lint gosec fresh ## everything that can be said without running: format, vet, linters, generated files

.PHONY: format vet staticcheck golangci-lint gosec
format:
	@unformatted=$$(gofmt -l $$($(GO) list -f '{{.Dir}}' ./...) | sort -u); \
	if [ -n "$$unformatted" ]; then printf 'run gofmt -w on\n%s\n' "$$unformatted"; exit 1; fi
vet:
	$(GO) vet ./...
staticcheck: $(call built,$(STATICCHECK))
	$< ./...
golangci-lint: $(call built,$(GOLANGCI_LINT))
	$< run ./...
gosec: $(call built,$(GOSEC))
	$< $(GOSEC_FLAGS) ./...

# A generated file is compared by a test next to what it is generated from, whose name begins with TestGenerated or TestReference.
.PHONY: fresh
fresh:
	$(GO) test -count=1 -run '^(TestGenerated|TestReference)' ./internal/...

.PHONY: generate
generate: ## write the files that repeat a table: reference documentation, rules, dashboards
	$(GO) generate ./...

RUNS ?= 5

.PHONY: bench
bench: build ## run the benchmarks, and every drill RUNS=5 times on real servers, with medians beside the floor
	$(GO) test -run '^$$' -bench . -benchmem $(call present,$(PURE) ./collector)
	@for flavor in mysql mariadb; do for drill in failover hang takeover backlog; do \
		bin/baton demo --once $$drill --flavor $$flavor --runs $(RUNS) || exit 1; \
	done; done

.PHONY: fuzz
fuzz: ## fuzz every parser, each for FUZZTIME=10s
	@grep -rlE '^func Fuzz' --include='*_test.go' $$($(GO) list -f '{{.Dir}}' ./...) | sort -u | while read -r file; do \
		for name in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]+)\(.*/\1/p' "$$file"); do \
			echo "$$name in $$(dirname "$$file" | sed "s|^$(CURDIR)/||")"; \
			$(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "$$(dirname "$$file")" </dev/null || exit 1; \
		done; \
	done

.PHONY: clean
clean: ## remove what was built; the tools and servers that were fetched stay in .cache
	rm -rf bin
	$(GO) clean -testcache

# A tool is built under a name that holds its version.
$(BIN)/%:
	@echo 'building $(filter %/$(subst -v,@v,$*),$(TOOLS))'
	@GOBIN=$(BIN) $(GO) install $(filter %/$(subst -v,@v,$*),$(TOOLS))
	@mv $(BIN)/$(firstword $(subst -v, ,$*)) $@
