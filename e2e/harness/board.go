package harness

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"runboard/app"
	"runboard/board"
	"runboard/jobs/command"
)

// tests runs the tests of a package and then releases what they shared.
type tests struct{ *testing.M }

func (t tests) Run() int {
	defer cleanUpShared()
	return t.M.Run()
}

// Main runs the tests of a package and then releases what they shared. In a process that a test has started
// from its own binary, Main runs a board with kinds of the tests instead. TestMain must call it.
func Main(m *testing.M) {
	command.Main() // the test binary is also the supervisor of commands
	enterModule()
	if os.Getenv(PoisonVariable) != "" {
		runPoisoned()
	}
	if path := os.Getenv(NotesVariable); path != "" {
		runNoting(path)
	}
	goleak.VerifyTestMain(tests{m},
		// fasthttp starts these goroutines once, or ends them some seconds later, and has no way to wait for
		// that.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp/stackless.funcWorker"),
	)
}

// Program is a board in the process of the test, with a port and a database of its own.
type Program struct {
	*board.Board
	URL    string
	Addr   string // HOST:PORT of URL
	Config board.Config
	Store  testStore
	Stop   func() // shuts the board down as SIGTERM does; may be called more than once
}

// testStore is the store of a board, including the changes that only engines make.
type testStore interface {
	app.Store
	app.WorkStore
}

// StartProgram starts a board and stops it when the test ends. Its simulated runs start and complete at once.
// With PostgreSQL, it is given a key for secrets, which a board with a SQLite file makes by itself. change,
// if not nil, changes the settings first.
func StartProgram(t *testing.T, change func(*board.Config), kinds ...board.Kind) *Program {
	t.Helper()
	config, err := board.ParseConfig([]string{
		"--addr=127.0.0.1:0", "--database-url=" + NewDatabase(t),
		"--delay-min=0s", "--delay-max=0s", "--failure-rate=0",
	})
	if err != nil {
		t.Fatal(err)
	}
	config.Logger = slog.New(slog.DiscardHandler)
	if config.UsesPostgres() {
		config.SecretKey = NewSecretKey(t)
	}
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
	program := &Program{
		Board: b, Config: config, URL: b.URL(), Addr: strings.TrimPrefix(b.URL(), "http://"),
		Store: b.Store().(testStore), Stop: sync.OnceFunc(stop),
	}
	t.Cleanup(program.Stop)
	Eventually(t, "the program is up", b.Ready)
	return program
}

// OnDatabase returns a change for StartProgram that sets the database URL.
func OnDatabase(database string) func(*board.Config) {
	return func(c *board.Config) { c.DatabaseURL = database }
}

// Drain stops a board and returns when it is draining. The channel is closed when it has stopped.
func Drain(t *testing.T, p *Program) (stopped <-chan struct{}) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.Stop()
	}()
	Eventually(t, "the program drains", func() error {
		if p.Ready() == nil {
			return errors.New("it still serves")
		}
		return nil
	})
	return done
}
