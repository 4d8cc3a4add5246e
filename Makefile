# What is needed beside this file: Go, a C compiler (SQLite is in C), Node for npm, and for the tests
# a Chromium and a PostgreSQL, which are installed when they are missing and that is possible.

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
ERRCHECK    := github.com/kisielk/errcheck@v1.9.0
SQLCLOSE    := github.com/ryanrolds/sqlclosecheck@v0.6.0
GOSEC       := github.com/securego/gosec/v2/cmd/gosec@v2.30.0
VULNCHECK   := golang.org/x/vuln/cmd/govulncheck@v1.1.4
PACKAGES    := static/node_modules/.package-lock.json
NOTICES     := static/node_modules/NOTICES.txt
ASSETS      := $(PACKAGES) $(NOTICES)

export CGO_ENABLED := 1
# SQLite with its full-text search. Without it all works but the search in errors and logs, which then says so.
TAGS := -tags sqlite_fts5

.PHONY: run build test check vuln fuzz mutate smooth soak bench browser postgres clean

run: build
	bin/runboard

build: $(ASSETS)
	@command -v cc >/dev/null || { echo "A C compiler is missing: apt-get install gcc libc6-dev" >&2; exit 1; }
	go build $(TAGS) -trimpath -ldflags '-s -w' -o bin/runboard .

# The third-party scripts and styles that are embedded in the binary, as the lock file has them.
$(PACKAGES): static/package.json static/package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing: apt-get install nodejs npm" >&2; exit 1; }
	npm ci --prefix static --no-audit --no-fund
	@touch $@

# The licences of the third-party software in the binary, which "runboard licenses" shows, from the modules and
# packages that are installed.
$(NOTICES): $(PACKAGES) go.sum .ci/licenses/main.go
	go run ./.ci/licenses > $@.new && mv $@.new $@

# All tests, and then those of what people see once more, with runs in PostgreSQL instead of in files. The second pass is
# without the race detector, under which db/postgres and jobs/river have tested the store.
test: check browser postgres
	go test $(TAGS) -race -shuffle=on -timeout 30m ./...
	.ci/unprivileged
	go test $(TAGS) -shuffle=on -timeout 30m ./e2e/http ./e2e/browser -args -postgres

# The checks that need no run.
check: $(ASSETS)
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "gofmt would change: $$unformatted" >&2; exit 1; }
	go vet $(TAGS) ./...
	go run $(STATICCHECK) $(TAGS) ./...
	go run $(ERRCHECK) $(TAGS) -ignoretests -exclude .ci/errcheck $$(go list ./... | grep -v /e2e/)
	go run $(SQLCLOSE) $(TAGS) ./...
	go run $(GOSEC) $(TAGS) -quiet -exclude=$(NOT_HERE) -exclude-dir=db/dbtest -exclude-dir=db/pgtest -exclude-dir=.ci -exclude-dir=bench -exclude-dir=e2e ./...
	cd bench && go vet $(TAGS) ./... && go run $(STATICCHECK) $(TAGS) ./...
	go run ./.ci/mutate standing

# Rules of gosec that do not fit: G104 is errcheck's; G115 sees no bounds (ours are checked where numbers come in); G304:
# the files that are opened are those that the operator names; G404: chance only spreads load here.
NOT_HERE := G104,G115,G304,G404

# Known vulnerabilities in what is used. It asks https://vuln.go.dev, and fails where that cannot be reached.
vuln:
	go run $(VULNCHECK) $(TAGS) ./...

# Each fuzz target for FUZZTIME: every parser, the form, the query, the path, what a socket is sent, the templates.
FUZZTIME := 30s
fuzz: $(ASSETS)
	FUZZTIME=$(FUZZTIME) .ci/fuzz

# Takes the fences away that guard the promises, one at a time, and shows that a test misses each. Takes long;
# make mutate ONLY="a start" tries those with that in their names.
mutate: $(ASSETS) browser postgres
	go run ./.ci/mutate $(if $(ONLY),"$(ONLY)")

# How a page does in a browser above a million runs and while a thousand new ones a second are started: the longest task
# of its main thread, how long keys wait, how long narrowed lists take. make smooth SMOOTH_ROWS=10000 SMOOTH_TIME=5s is a quick try.
smooth: $(ASSETS) browser
	go test $(TAGS) -run '^$$' -bench Smooth -benchtime 1x ./e2e/browser

# What takes too long for every day: a hundred crashes, and mixed load for SOAK.
SOAK := 30m
soak: $(ASSETS)
	go test $(TAGS) -count=1 -v -timeout 0 -run 'Crashes|MixedLoad' -crash-rounds 100 -soak $(SOAK) -soak-sockets 2000 ./e2e/chaos

# The board beside its peers and beside what the ground allows, into bench/RESULTS.md. It installs PostgreSQL and Redis
# (and Rails, for an example) where they are missing and that is possible. make bench PART=queue is one part, PART=queue,pickup are
# two: see the list in bench/main.go. ROUNDS=1 is a quick try, which changes RESULTS.md all the same.
ROUNDS := 3
bench: $(ASSETS) browser
	cd bench && go build $(TAGS) -o ../bin/bench . && ../bin/bench -rounds $(ROUNDS) $(if $(PART),-only $(PART))

# The browser of the browser tests. CHROMIUM names another one.
browser:
	@if ! command -v $${CHROMIUM:-chromium} >/dev/null; then \
	  { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -q && apt-get install -y -q --no-install-recommends chromium; } || \
	  { echo "The browser tests need Chromium: apt-get install chromium, or name one in CHROMIUM" >&2; exit 1; }; \
	fi

# The server of the tests, of which they start one of their own. TEST_DATABASE_URL names another one.
postgres:
	@if test -z "$$TEST_DATABASE_URL" && ! command -v initdb >/dev/null && ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then \
	  { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -q && apt-get install -y -q --no-install-recommends postgresql; } || \
	  { echo "The tests need PostgreSQL: apt-get install postgresql, or name a server in TEST_DATABASE_URL" >&2; exit 1; }; \
	fi

clean:
	rm -rf bin static/node_modules
