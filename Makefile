# Requires Go, a C compiler (for SQLite) and npm. The tests also need Chromium, PostgreSQL, PgBouncer and
# nginx: make installs them if they are missing, as root on a system with apt-get.

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
ERRCHECK    := github.com/kisielk/errcheck@v1.9.0
SQLCLOSE    := github.com/ryanrolds/sqlclosecheck@v0.6.0
GOSEC       := github.com/securego/gosec/v2/cmd/gosec@v2.30.0
VULNCHECK   := golang.org/x/vuln/cmd/govulncheck@v1.1.4
PACKAGES    := static/node_modules/.package-lock.json
NOTICES     := static/node_modules/NOTICES.txt
ASSETS      := $(PACKAGES) $(NOTICES)

export CGO_ENABLED := 1
# Builds SQLite with full-text search. Without the tag, everything works except the search in errors and logs,
# which then says so.
TAGS := -tags sqlite_fts5

.PHONY: run build test check vuln fuzz mutate smooth paint soak soak-cluster bench browser postgres proxies clean

run: build
	bin/runboard

build: $(ASSETS)
	@command -v cc >/dev/null || \
	  { echo "A C compiler is missing: apt-get install gcc libc6-dev" >&2; exit 1; }
	go build $(TAGS) -trimpath -ldflags '-s -w' -o bin/runboard .

# Installs the third-party scripts and styles that the binary embeds, in the versions of the lock file.
$(PACKAGES): static/package.json static/package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing: apt-get install nodejs npm" >&2; exit 1; }
	npm ci --prefix static --no-audit --no-fund
	@touch $@

# Collects the licences of the third-party software in the binary from the installed modules and packages.
# "runboard licenses" prints them.
$(NOTICES): $(PACKAGES) go.mod go.sum .ci/licenses/main.go
	go run ./.ci/licenses > $@.new && mv $@.new $@

# Runs the checks and all tests. The race detector sees only the process of the test, so it runs where that
# process does the work. The browser, crash and cluster tests drive processes of the real program or Chromium,
# and mostly wait.
PROCESSES := ./e2e/browser ./e2e/chaos ./e2e/cluster
test: export TEST_BINARY := $(CURDIR)/bin/runboard
test: check build browser postgres proxies
	go test $(TAGS) -race -shuffle=on -timeout 30m \
	  $$(go list ./... | grep -v $(patsubst ./%,-e /%,$(PROCESSES)))
	go test $(TAGS) -shuffle=on -timeout 30m -parallel 4 $(PROCESSES)
	.ci/unprivileged
	go test $(TAGS) -shuffle=on -timeout 30m ./e2e/http -args -postgres

# Runs the static checks only.
check: $(ASSETS)
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || \
	  { echo "gofmt would change: $$unformatted" >&2; exit 1; }
	go vet $(TAGS) ./...
	go run $(STATICCHECK) $(TAGS) ./...
	go run $(ERRCHECK) $(TAGS) -ignoretests -exclude .ci/errcheck $$(go list ./... | grep -v /e2e/)
	go run $(SQLCLOSE) $(TAGS) ./...
	go run $(GOSEC) $(TAGS) -quiet -exclude=$(GOSEC_EXCLUDED) $(patsubst %,-exclude-dir=%,$(ONLY_TESTS)) ./...
	cd bench && go vet $(TAGS) ./... && go run $(STATICCHECK) $(TAGS) ./...
	go run ./.ci/mutate standing

# Directories with nothing but tests and tools.
ONLY_TESTS := db/dbtest db/pgtest .ci bench e2e

# Rules of gosec that do not apply. G104: errcheck covers it. G115: it ignores bounds checks, and this program
# checks numbers where it parses them. G304, G703: the operator names the files to open. G404: random numbers
# only spread load. G706: log/slog escapes what it logs.
GOSEC_EXCLUDED := G104,G115,G304,G404,G703,G706

# Checks the dependencies for known vulnerabilities. It queries https://vuln.go.dev, and fails without access
# to it.
vuln:
	go run $(VULNCHECK) $(TAGS) ./...

# Runs each fuzz target for FUZZTIME: all parsers, forms, queries, paths, socket input and templates.
FUZZTIME := 30s
fuzz: $(ASSETS)
	FUZZTIME=$(FUZZTIME) .ci/fuzz

# Runs the mutation tests: applies one mutant at a time, and shows that a test kills it. This takes long;
# make mutate ONLY="a start" applies only mutants whose names contain that text.
mutate: $(ASSETS) browser postgres proxies
	go run ./.ci/mutate $(if $(ONLY),"$(ONLY)")

# Measures a page in a browser, above a million runs and while a thousand runs a second are created: the
# longest task of its main thread, how long keys wait, and how long filtered lists take. For a quick try:
# make smooth SMOOTH_ROWS=10000 SMOOTH_TIME=5s
smooth: $(ASSETS) browser
	go test $(TAGS) -run '^$$' -bench Smooth -benchtime 1x ./e2e/browser

# Measures how long it takes until a page shows its first text, with an empty cache and in a browser that is
# slowed down four times. The goal is 300 ms on a machine that does nothing else.
paint: $(ASSETS) browser
	go test $(TAGS) -run '^$$' -bench FirstPaint -benchtime 1x ./e2e/browser

# Runs the tests that take too long for every day: a hundred crashes, and mixed load for the duration SOAK.
SOAK := 30m
soak: $(ASSETS)
	go test $(TAGS) -count=1 -v -timeout 0 -run 'Crashes|MixedLoad' \
	  -crash-rounds 100 -soak $(SOAK) -soak-sockets 2000 ./e2e/chaos

# Runs three nodes with PostgreSQL for the duration SOAK_CLUSTER under mixed load, while nodes are killed,
# stopped and restarted, connections are cut, and the server crashes. Afterwards the history of all runs is
# checked.
SOAK_CLUSTER := 10m
soak-cluster: $(ASSETS) postgres
	go test $(TAGS) -count=1 -v -timeout 0 -run TestSoak_HistoryIsRight ./e2e/cluster \
	  -args -soak $(SOAK_CLUSTER)

# Compares the board with its peers and with the limits of the machine, and writes bench/RESULTS.md. It
# installs PostgreSQL, Redis and Rails (for an example) if they are missing and it can. PART=queue runs one
# part, PART=queue,pickup two; bench/main.go lists them. ROUNDS=1 is a quick try, but it also changes
# RESULTS.md. OLDER=PATH, the binary of an older version, makes PART=page compare with it.
ROUNDS := 3
bench: $(ASSETS) browser
	cd bench && go build $(TAGS) -o ../bin/bench .
	cd bench && ../bin/bench -rounds $(ROUNDS) $(if $(PART),-only $(PART)) $(if $(OLDER),-older $(OLDER))

# Installs a package as root on a system with apt-get, or else fails.
APT_INSTALL := test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -q && \
  apt-get install -y -q --no-install-recommends

# Installs Chromium for the browser tests, unless it or the browser in CHROMIUM exists.
browser:
	@if ! command -v $${CHROMIUM:-chromium} >/dev/null; then \
	  { $(APT_INSTALL) chromium; } || \
	  { echo "The browser tests need Chromium: apt-get install chromium, or name one in CHROMIUM" >&2; \
	    exit 1; }; \
	fi

# Installs PostgreSQL, of which the tests start their own server. With TEST_DATABASE_URL, they use that server
# instead.
postgres:
	@if test -z "$$TEST_DATABASE_URL" && ! command -v initdb >/dev/null && \
	  ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then \
	  { $(APT_INSTALL) postgresql; } || \
	  { echo "The tests need PostgreSQL: apt-get install postgresql, or name a server in" \
	      "TEST_DATABASE_URL" >&2; exit 1; }; \
	fi

# Installs PgBouncer and nginx, which tests put in front of PostgreSQL and of nodes.
proxies:
	@for program in pgbouncer nginx; do \
	  PATH=$$PATH:/usr/sbin command -v $$program >/dev/null || \
	  { $(APT_INSTALL) $$program; } || \
	  { echo "The tests need $$program: apt-get install $$program" >&2; exit 1; }; \
	done

clean:
	rm -rf bin static/node_modules
