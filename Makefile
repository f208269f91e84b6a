# weft: build, test and run. `make` alone lists the targets.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
IMAGE ?= weft:latest
# Nodes beside the bootstrap node in `make cluster`.
N ?= 5
# Arguments for `make run`, as ARGS="--bootstrap /ip4/…", and `make bench-discovery` and
# `make bench-gossip`.
ARGS ?=
# How long each target of `make fuzz` runs.
FUZZTIME ?= 10s

# Pinned here and run from the module cache, so that the tool's dependencies do
# not become ours.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
COMPOSE ?= $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)
CLUSTER = IMAGE=$(IMAGE) $(COMPOSE) -p weft -f docker/compose.yaml --profile monitoring

# Static, so that it runs in an empty image; no paths of the builder inside.
GOBUILD = CGO_ENABLED=0 go build -trimpath -ldflags="-s -w -X github.com/weftnet/weft/node.Version=$(VERSION)"
# Every file, also those that only some tests build.
ALL_TAGS := -tags docker,interop,slow,netns
GENERATED = git ls-files --cached --others --exclude-standard '*.pb.go' '*.connect.go'

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^##@ / {print "\n" substr($$0, 5) ":"} /^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ run

.PHONY: run
run: build ## run a node with its data in ./data; it prints its address for others to join
	bin/weft run --data-dir data --addr-file data/addr $(ARGS)

.PHONY: build
build: ## build bin/weft
	$(GOBUILD) -o bin/weft ./cmd/weft

.PHONY: image
image: ## build the Docker image IMAGE
	mkdir -p bin/image/empty
	GOOS=linux $(GOBUILD) -o bin/image/weft ./cmd/weft
	docker build -t $(IMAGE) -f docker/Dockerfile .

.PHONY: cluster
cluster: image ## start a bootstrap node and N others in containers
	$(CLUSTER) up -d --scale node=$(N) bootstrap node
	@echo "Try: $(COMPOSE) -p weft -f docker/compose.yaml exec bootstrap /weft peers; end with: make cluster-down"

.PHONY: cluster-down
cluster-down: ## stop that cluster and delete its data
	$(CLUSTER) down -v

##@ test

.PHONY: test
test: ## run the tests; needs Go, nothing else
	go test ./...

.PHONY: test-race
test-race: ## run the tests with the race detector; needs a C compiler
	go test -race ./...

.PHONY: sim
sim: ## simulate networks of 1,000 and 5,000 nodes, and a million claims; two hours of CPU, 10 GB
	WEFT_SIM=full go test -count=1 -v -timeout 5h ./protocols/simtest ./protocols/infect
	WEFT_SIM=full go test -count=1 -v -run SimulatedHosts ./node

.PHONY: test-slow
test-slow: ## kill -9 a node and its store 100 times each, pause nodes, join 120 nodes through one, a long log, a full disk, bursts: six minutes
	go test -tags slow -count=1 -p 1 -parallel 8 -timeout 15m -run 'Killed|APause|Silently|JoinsThrough|AHundred|ALongLog|ABurst|ADaemon' ./cmd/weft ./node ./adapters/store

.PHONY: test-netns
test-netns: ## nodes on machines of their own, behind firewalls, cut off, banned by address; needs root, iproute2, iptables
	@[[ $$(id -u) == 0 ]] || { echo "network namespaces are root's: run it as root" >&2; exit 1; }
	go test -tags netns -count=1 -parallel 8 -timeout 15m -run 'Machine|Accepts' ./cmd/weft

.PHONY: test-docker
test-docker: ## run the image and the cluster in Docker; needs docker, docker-compose, prometheus
	@docker info >/dev/null 2>&1 || { echo "no Docker daemon answers: start it (systemctl start docker, or dockerd as root)" >&2; exit 1; }
	go test -tags docker -count=1 -parallel 8 -timeout 15m ./docker/...

.PHONY: test-interop
test-interop: ## talk with js-libp2p, plain go-libp2p and kubo, decide in JavaScript; needs node and npm
	go test -tags interop -count=1 -v -run Interop -timeout 30m ./cmd/weft

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME
	@grep -rHoE '^func Fuzz[A-Za-z0-9_]+' --include='*_test.go' . | while IFS=: read -r file func; do \
		echo "== $${file%/*} $${func#func }"; \
		go test -run '^$$' -fuzz "^$${func#func }\$$" -fuzztime $(FUZZTIME) "$${file%/*}"; \
	done

.PHONY: bench
bench: ## run the benchmarks
	go test -run '^$$' -bench . -benchmem ./...

.PHONY: bench-objects
bench-objects: ## compare objects, from put to delivery, with plain gossipsub
	go test -run '^$$' -bench Objects -benchtime 1x ./node

# A module of its own, with AvalancheGo's network package. ARGS="-n 10 -rounds 1"
# makes it short; without, it takes half an hour.
.PHONY: bench-discovery
bench-discovery: ## compare discovery with AvalancheGo's; needs a C compiler; ARGS="-n 10 -rounds 1" for a short one
	cd node/testdata/bench-discovery && go run . $(ARGS) && go test -run '^$$' -bench . .
	WEFT_BENCH_LARGE=1 go test -run '^$$' -bench Lookup256 -benchtime 1x ./adapters/kaddht

# Other arguments: -size BYTES, -messages, -warmup, -interval, -strategies A,B,
# -loss, -churn, -kill. Tables go to stdout, results.json and plots to bin/bench-gossip.
.PHONY: bench-gossip
bench-gossip: ## measure how messages spread in simulated networks; ARGS="-n 100 -seeds 1" for a short one
	go test ./adapters/simhost -run '^TestBench$$' -count=1 -timeout 6h -v -args -bench -out $(CURDIR)/bin/bench-gossip $(ARGS)
	cd adapters/simhost/testdata/plot && go run . $(CURDIR)/bin/bench-gossip/results.json $(CURDIR)/bin/bench-gossip

##@ code

.PHONY: check
check: lint check-generated test ## all that a change must pass: lint, generated code, tests

.PHONY: lint
lint: ## formatting, go vet, staticcheck, go.mod
	@files=$$(gofmt -l .); [[ -z $$files ]] || { echo "not formatted, run make fmt:" $$files >&2; exit 1; }
	go vet $(ALL_TAGS) ./...
	go run $(STATICCHECK) $(ALL_TAGS) ./...
	go mod tidy -diff

.PHONY: fmt
fmt: ## format the code
	gofmt -w .

.PHONY: generate
generate: ## generate code from the .proto files
	@command -v protoc >/dev/null || { echo "protoc is missing: apt-get install protobuf-compiler libprotobuf-dev, or see https://protobuf.dev/installation" >&2; exit 1; }
	go generate ./...

# Compares what is there with what the sources give, committed or not; the
# comment with protoc's version does not count.
.PHONY: check-generated
check-generated: ## fail when generated code is not up to date
	@sums() { $(GENERATED) | while read -r f; do echo "$$f $$(grep -v '^//.*protoc ' "$$f" | sha256sum)"; done; }; \
	before=$$(sums); $(MAKE) --no-print-directory generate; \
	diff <(echo "$$before") <(sums) || { echo "generated code was out of date: commit what make generate made" >&2; exit 1; }

.PHONY: clean
clean: ## delete what was built; ./data stays
	rm -rf bin
