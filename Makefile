# What is needed beside this file: Go, a C compiler (SQLite is in C), Node for npm, and for the tests
# a Chromium, which is installed when it is missing and that is possible.

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
ASSETS      := static/node_modules/.package-lock.json

export CGO_ENABLED := 1
# SQLite with its full-text search. Without it all works but the search in errors and logs, which then says so.
TAGS := -tags sqlite_fts5

.PHONY: run build test check browser clean

run: build
	bin/runboard

build: $(ASSETS)
	@command -v cc >/dev/null || { echo "A C compiler is missing: apt-get install gcc libc6-dev" >&2; exit 1; }
	go build $(TAGS) -trimpath -ldflags '-s -w' -o bin/runboard .

# The third-party scripts and styles that are embedded in the binary, as the lock file has them.
$(ASSETS): static/package.json static/package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing: apt-get install nodejs npm" >&2; exit 1; }
	npm ci --prefix static --no-audit --no-fund
	@touch $@

test: check browser
	go test $(TAGS) -race -shuffle=on -timeout 15m ./...

# The checks that need no run.
check: $(ASSETS)
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "gofmt would change: $$unformatted" >&2; exit 1; }
	go vet $(TAGS) ./...
	go run $(STATICCHECK) $(TAGS) ./...

# The browser of the browser tests. CHROMIUM names another one.
browser:
	@if ! command -v $${CHROMIUM:-chromium} >/dev/null; then \
	  { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -q && apt-get install -y -q --no-install-recommends chromium; } || \
	  { echo "The browser tests need Chromium: apt-get install chromium, or name one in CHROMIUM" >&2; exit 1; }; \
	fi

clean:
	rm -rf bin static/node_modules
