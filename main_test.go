package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"runboard/app"
	"runboard/board"
	"runboard/jobs"
	"runboard/jobs/command"
)

// tests are those of this package, and what they shared is put away after the last of them.
type tests struct{ *testing.M }

func (t tests) Run() int {
	defer putAwayShared()
	return t.M.Run()
}

func TestMain(m *testing.M) {
	command.Main() // the tests are the program that commands are supervised by
	if os.Getenv(poisonVariable) != "" {
		runPoisoned()
	}
	if path := os.Getenv(notesVariable); path != "" {
		runNoting(path)
	}
	goleak.VerifyTestMain(tests{m},
		// fasthttp starts these once, or ends them some seconds later, and offers no way to wait for that.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp/stackless.funcWorker"),
	)
}

// testProgram is the program as main runs it, on a port of its own and with a database of its own.
type testProgram struct {
	*board.Board
	url    string
	addr   string // HOST:PORT of the url
	config board.Config
	store  testStore
	stop   func() // ends it as SIGTERM does; may be called more than once
}

// testStore is the store of a board, with the changes that only engines make.
type testStore interface {
	app.Store
	app.WorkStore
}

// startProgram starts a board whose simulated runs start and complete at once, unless the test wants otherwise.
func startProgram(t *testing.T, change func(*board.Config), kinds ...board.Kind) *testProgram {
	t.Helper()
	config, err := board.ParseConfig([]string{
		"--addr=127.0.0.1:0", "--database-url=" + newDatabase(t),
		"--delay-min=0s", "--delay-max=0s", "--failure-rate=0",
	})
	if err != nil {
		t.Fatal(err)
	}
	config.Logger = slog.New(slog.DiscardHandler)
	if change != nil {
		change(&config)
	}
	b, err := board.New(config, kinds...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	stop := func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the program ended with %v", err)
		}
	}
	program := &testProgram{
		Board: b, config: config, url: b.URL(), addr: strings.TrimPrefix(b.URL(), "http://"), store: b.Store().(testStore), stop: sync.OnceFunc(stop),
	}
	t.Cleanup(program.stop)
	eventually(t, "the program is up", b.Ready)
	return program
}

// on has a program of the tests keep its runs in a database of this URL.
func on(database string) func(*app.Config) {
	return func(c *app.Config) { c.DatabaseURL = database }
}

func TestAVariableThatIsEmptyIsAsGoodAsAbsent(t *testing.T) {
	for _, name := range []string{"WORKERS", "ADDR", "DELAY_MIN", "INSECURE", "DATABASE_URL", "PUBLIC_ORIGIN"} {
		t.Setenv(name, "")
	}
	t.Setenv("DELAY_MAX", "9s")
	config, err := board.ParseConfig(nil)
	if err != nil || config.Workers != 10 || config.Addr != "127.0.0.1:3000" || config.DelayMax.String() != "9s" {
		t.Errorf("it is taken for %+v: %v", config, err)
	}
}

func TestListsMayHaveBlanksAfterTheirCommas(t *testing.T) {
	t.Setenv("PUBLIC_ORIGIN", " https://a.example, https://b.example ")
	t.Setenv("TRUSTED_PROXY", "127.0.0.1, 10.0.0.0/8")
	config, err := board.ParseConfig(nil)
	if err != nil || !slices.Equal(config.PublicOrigin, []string{"https://a.example", "https://b.example"}) ||
		!slices.Equal(config.TrustedProxy, []string{"127.0.0.1", "10.0.0.0/8"}) {
		t.Errorf("they are taken for %q and %q: %v", config.PublicOrigin, config.TrustedProxy, err)
	}
}

// gate is a kind whose work waits until the test lets it go on.
func gate(name string) (kind jobs.Kind, open func()) {
	opened := make(chan struct{})
	work := func(ctx context.Context, _ *jobs.Run) error {
		select {
		case <-opened:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return jobs.Kind{Name: name, Work: work}, sync.OnceFunc(func() { close(opened) })
}

// TestImportsPointOneWay holds the packages to the plan: everybody may know app, nobody knows those
// beside it, and only handlers knows Fiber.
func TestImportsPointOneWay(t *testing.T) {
	allowed := map[string][]string{
		"runboard":               {"runboard/board"},
		"runboard/app":           {},
		"runboard/db/sqlite":     {"runboard/app", "runboard/db/query"},
		"runboard/db/query":      {"runboard/app"},
		"runboard/db/postgres":   {"runboard/app", "runboard/db/query"},
		"runboard/db/dbtest":     {"runboard/app"},
		"runboard/db/pgtest":     {},
		"runboard/jobs":          {"runboard/app", "runboard/jobs/command"},
		"runboard/jobs/river":    {"runboard/app", "runboard/jobs"},
		"runboard/jobs/jobstest": {"runboard/app", "runboard/jobs"},
		"runboard/jobs/command":  {},
		"runboard/static":        {},
		"runboard/templates":     {"runboard/app"},
		"runboard/handlers/live": {"runboard/app", "runboard/templates"},
		"runboard/handlers":      {"runboard/app", "runboard/static", "runboard/templates", "runboard/handlers/live"},
	}
	for name, imports := range importsOf(t, "./...") {
		for _, imported := range imports {
			ours := strings.HasPrefix(imported, "runboard/")
			rule, ruled := allowed[name]
			switch {
			case ruled && ours && !slices.Contains(rule, imported):
				t.Errorf("%s may not import %s", name, imported)
			case name == "runboard/app" && strings.Contains(imported, "."):
				t.Errorf("app may only import the standard library, not %s", imported)
			case strings.Contains(imported, "gofiber") && name != "runboard/handlers":
				t.Errorf("only handlers may know Fiber, and not %s", name)
			}
		}
	}
}

func importsOf(t *testing.T, pattern string) map[string][]string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", pattern).Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := map[string][]string{}
	for decoder := json.NewDecoder(strings.NewReader(string(out))); decoder.More(); {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := decoder.Decode(&p); err != nil {
			t.Fatal(err)
		}
		packages[p.ImportPath] = p.Imports
	}
	return packages
}
