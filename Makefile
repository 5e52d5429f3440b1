# The tools are pinned in tools/go.mod and built by Go itself.
GOLANGCI := go tool -modfile=tools/go.mod golangci-lint
FUZZTIME ?= 30s
# Packages of "make race"; fewer make it faster: make race PKG=./commands/...
PKG ?= ./...
# What a build calls itself; empty where there is no git.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)
BIN ?= bin/admitone

.DEFAULT_GOAL := help
.PHONY: help run build test proof race fuzz bench lint contract deploy-check generate clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## start AdmitOne with its data in ./data; ADMITONE_… variables configure it
	@exec $(BIN) serve

build: ## compile bin/admitone; VERSION=v is what git says unless given
	@go build -ldflags '-X main.version=$(VERSION)' -o $(BIN) ./cmd/admitone

test: ## run all tests but the long ones, with a CQL server of their own
	scripts/with-cql.sh go test -timeout 10m ./...

# One package after the other: some watch how much time the process itself takes.
proof: ## run the long tests: thousands of aggregates, many copies, kill -9
	ADMITONE_PROOF=1 scripts/with-cql.sh go test -count=1 -p 1 -timeout 40m -run Proof ./...

# What differs in nothing but the store is run on SQLite alone here: the detector is slow.
race: ## run the tests under the race detector; PKG=./commands/... for fewer
	scripts/with-cql.sh go test -race -timeout 30m -skip CQL $(PKG)

fuzz: ## run each fuzz target for FUZZTIME (30s)
	scripts/fuzz.sh $(FUZZTIME)

bench: ## measure beside the raw parts, 15 minutes: FILTER=regexp ROUNDS=n LONG=1 SMOKE=1 PROFILES=dir
	cd bench && go build -o ../bin/admitone-bench .
	CQL_JVM=-XX:+TieredCompilation scripts/with-cql.sh bin/admitone-bench -filter '$(FILTER)' -rounds $(or $(ROUNDS),5) -profiles '$(PROFILES)' $(if $(LONG),-long) $(if $(SMOKE),-smoke)

lint: ## check the format, vet and lint
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo 'not formatted, run gofmt -w on:'; gofmt -l $$(git ls-files '*.go'); exit 1; }
	go vet ./... && go -C bench vet ./...
	$(GOLANGCI) run ./...
	cd bench && go tool -modfile=../tools/go.mod golangci-lint run ./...

contract: ## hold the served contract against the server, with schemathesis: SEED=n EXAMPLES=n
	scripts/contract.sh

deploy-check: ## check the compose file and the Kubernetes manifests
	go tool -modfile=tools/go.mod github.com/compose-spec/compose-go/v2/cmd deploy/compose.yaml >/dev/null
	@cd deploy/kubernetes && listed=$$(sed -n 's/^resources: \[\(.*\)\]$$/\1/p' kustomization.yaml | tr -d ' ' | tr ',' '\n' | sort) && \
		there=$$(ls *.yaml | grep -v '^kustomization.yaml$$' | sort) && \
		{ [ "$$listed" = "$$there" ] || { printf 'kustomization.yaml lists:\n%s\nand there are:\n%s\n' "$$listed" "$$there"; exit 1; }; }
	@for f in $$(ls deploy/kubernetes/*.yaml | grep -v kustomization); do \
		scripts/python.sh kubernetes-validate --quiet --strict $$f || exit 1; done

generate: ## generate the API's code from api/openapi.yaml, and docs/events from the code
	go generate ./...

clean: ## remove what was built; ./data stays
	rm -rf bin
