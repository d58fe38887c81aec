# What a contributor runs. Needs git, Go and a POSIX shell. Nothing here installs
# a system package: tests that need nginx, curl, jq or prometheus skip where these
# are absent. .ci/run installs them and then runs "make check".

STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOLANGCI    = github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
ACTIONLINT  = github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
GOVULNCHECK = golang.org/x/vuln/cmd/govulncheck@v1.9.0
MODULES     = $(patsubst %/,%,$(dir $(shell git ls-files 'go.mod' '*/go.mod')))
TESTED      = $(filter-out . benchmarks examples/clinic,$(MODULES)) examples/clinic
COVERED     = $(shell go list . ./internal/... | grep -v /conformance | paste -sd, -)
COUNT       = 1
# It takes two minutes with the race detector. "make test" and the nightly run have it.
SLOW        = '^TestRandomWalk$$'
FUZZTIME    = 10000x
KILLS       = 30
FREEZES     = 2
CRASHES     = 2

PLATFORMS   = linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64 \
              freebsd/386 linux/arm plan9/amd64 js/wasm wasip1/wasm
SYSTEMS     = linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
TESTS       = . ./ambienttest ./internal/...

.PHONY: help test race cover deps fuzz bench quick kills quickstart modules mutants builds check nightly \
	platforms platforms-modules bits32 fips vet staticcheck golangci lint actionlint vulncheck api api-update release release-check

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

test: ## the tests of the SDK
	go test ./...

race: ## the same with the race detector, in any order; COUNT=3 repeats them
	go test -race -shuffle=on ./examples/...
	go test -race -shuffle=on -count=$(COUNT) ./ambienttest
	go test -race -shuffle=on -timeout 20m -count=$(COUNT) -skip $(SLOW) -coverprofile=coverage.out -coverpkg=$(COVERED) . ./internal/...

modules: ## the tests of the other modules, with the race detector, in any order
	@set -e; for dir in $(TESTED); do (set -x; go -C $$dir test -race -shuffle=on -timeout 20m ./...); done

cover: race ## the race tests, and at least 95 % of the statements in them
	@go tool cover -func=coverage.out | awk 'END { sub("%", "", $$NF); print $$NF " % of statements"; exit $$NF + 0 < 95 }'

vet: ## gofmt and vet in every module
	@files=$$(gofmt -l .); [ -z "$$files" ] || { printf 'not gofmt-ed:\n%s\n' "$$files"; exit 1; }
	@set -e; for dir in $(MODULES); do (set -x; go -C $$dir vet ./...); done

staticcheck: ## staticcheck in every module
	@set -e; for dir in $(MODULES); do (set -x; go -C $$dir run $(STATICCHECK) ./...); done

golangci: ## golangci-lint in every module; the first run builds it for minutes
	@set -e; for dir in $(MODULES); do (set -x; go -C $$dir run $(GOLANGCI) run -c $(CURDIR)/.golangci.yml ./...); done

lint: vet staticcheck golangci ## vet, staticcheck and golangci-lint

# Without -shellcheck and -pyflakes the result would depend on what is installed.
actionlint: ## the workflows of GitHub Actions
	go run $(ACTIONLINT) -shellcheck= -pyflakes=

vulncheck: ## known vulnerabilities in what every module calls; asks vuln.go.dev
	@set -e; for dir in $(MODULES); do (set -x; go -C $$dir run $(GOVULNCHECK) ./...); done

deps: ## the three dependencies, and no more than they need
	go mod tidy -diff
	@[ "$$(go list -m all | wc -l)" -le 12 ] || { go list -m all; echo 'more than 12 modules'; exit 1; }

# The bound is a count: a fuzz time in seconds may end in "context deadline
# exceeded" on a busy machine until Go 1.27 (go.dev/issue/75804).
fuzz: ## each fuzz test, for FUZZTIME
	@set -e; git grep -l '^func Fuzz' -- '*_test.go' | while read -r file; do \
		sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$$file" | while read -r fuzz; do \
			go -C "$$(dirname "$$file")" test -vet=off -run '^$$' -fuzz "^$$fuzz\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 100x . || exit 1; \
		done || exit 1; \
	done

# A change may allocate for ever.
mutants: ## every small change of the core must fail a test, or be in survivors.txt; takes hours
	ulimit -v 12000000 2>/dev/null; go run -C internal/mutants .

bench: ## the benchmarks beside the rivals, and of the pipeline; writes benchmarks/RESULTS.md
	go run -C benchmarks .; held=$$?; go run -C pipeline ./internal/bench && exit $$held

kills: ## kills of the pipeline's processes on each database, and a run that must fail
	go run -C pipeline ./internal/killtest -db sqlite -kills $(KILLS)
	go run -C pipeline ./internal/killtest -db postgres -kills $(KILLS) -freezes $(FREEZES) -crashes $(CRASHES)
	! go run -C pipeline ./internal/killtest -db sqlite -kills 30 -control
	go run -C pipeline ./example | grep -q '10 visits are done'

quick: ## the benchmarks' numbers that are counts; writes nothing
	go run -C benchmarks . -quick

quickstart: ## the README's first command, and what it must print
	@go run ./examples/quickstart >quickstart.out 2>&1 || { cat quickstart.out; exit 1; }
	@for text in 'Alex Example' '"assessment"' STT_COMPLETED 'fake API'; do \
		grep -q "$$text" quickstart.out || { cat quickstart.out; echo "no $$text"; exit 1; }; done
	@rm quickstart.out

builds: ## cmd/ambient for six systems, and the sizes of its binaries
	@set -e; dir=$$(mktemp -d); trap 'rm -r "$$dir"' EXIT; \
	for os in linux darwin windows; do for arch in amd64 arm64; do \
		CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch go build -C cmd/ambient -trimpath -ldflags='-s -w' -o "$$dir/ambient" .; \
		printf '%-8s %-6s %5d KiB\n' $$os $$arch $$(($$(wc -c <"$$dir/ambient") / 1024)); \
	done; done

platforms: ## the root builds and vets on eleven systems and processors
	@set -e; for p in $(PLATFORMS); do (set -x; GOOS=$${p%/*} GOARCH=$${p#*/} CGO_ENABLED=0 go vet ./...); done
	GOARCH=386 CGO_ENABLED=0 go vet ./...

platforms-modules: ## the other modules build for linux, darwin and windows on amd64 and arm64
	@set -e; for p in $(SYSTEMS); do for dir in $(filter-out .,$(MODULES)); do \
		(set -x; GOOS=$${p%/*} GOARCH=$${p#*/} CGO_ENABLED=0 go -C $$dir vet ./...); done; done

# Not every kernel runs programs of 386, and qemu-i386 fails on Go's threads.
# qemu-arm runs them, with the same 32-bit int and the same alignment of 64-bit atomics.
# TestSilence runs itself as another process, which only a kernel can.
bits32: ## the tests with a 32-bit int, on 386 where the kernel runs it, else on arm under qemu-arm
	@set -e; dir=$$(mktemp -d); trap 'rm -r "$$dir"' EXIT; \
	GOARCH=386 CGO_ENABLED=0 go test -c -o "$$dir/t" ./internal/origin; \
	if "$$dir/t" >/dev/null 2>&1; then (set -x; GOARCH=386 CGO_ENABLED=0 go test $(TESTS)); \
	else (set -x; GOARCH=arm CGO_ENABLED=0 go test -exec qemu-arm -timeout 30m -skip '^TestSilence$$' $(TESTS)); fi

fips: ## the tests, uploads over TLS included, with Go's FIPS 140-3 module and nothing else
	GOFIPS140=v1.0.0 GODEBUG=fips140=only go test $(TESTS)

api: ## refuses what is missing from the exported API, or changed, and names it
	go run -C apicheck ./api -root ..

api-update: ## writes the golden texts of the exported API
	go run -C apicheck ./api -root .. -update

release: ## makes and tags the commit of VERSION=v0.1.0 for each published module; pushes nothing
	.ci/release $(VERSION)

release-check: ## the same in a scratch clone, then installs and builds what it tagged
	.ci/release-check

check: ## everything that must hold before a change lands
	$(MAKE) test vet staticcheck actionlint deps api fips
	$(MAKE) platforms PLATFORMS='windows/amd64 darwin/arm64 plan9/amd64 js/wasm'
	$(MAKE) cover
	$(MAKE) quickstart fuzz quick
	$(MAKE) -j2 -O kills modules # the kills mostly wait

nightly: ## what takes longer: 200 kills of the pipeline, long fuzzing
	$(MAKE) check golangci builds platforms platforms-modules bits32 release-check
	$(MAKE) kills KILLS=200 FREEZES=12 CRASHES=7
	go -C internal/conformance/transports test -race -tags nightly ./...
	$(MAKE) cover COUNT=10
	go test -race -run $(SLOW) ./internal/throttle
	$(MAKE) fuzz FUZZTIME=10m
