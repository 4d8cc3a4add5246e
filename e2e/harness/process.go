package harness

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// shared holds the cleanup functions of resources that all tests of a package share.
var shared struct {
	mu       sync.Mutex
	cleanups []func()
}

// CleanUpLater registers a function to call after the last test of the package.
func CleanUpLater(f func()) {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	shared.cleanups = append(shared.cleanups, f)
}

// cleanUpShared calls the functions of CleanUpLater, the last one first. Main calls it after the tests.
func cleanUpShared() {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	for _, f := range slices.Backward(shared.cleanups) {
		f()
	}
	shared.cleanups = nil
}

// BuiltBinary builds the program once for all tests of a package and returns its path. It builds without the
// race detector, as users do.
var BuiltBinary = sync.OnceValues(func() (path string, err error) {
	if path := os.Getenv("TEST_BINARY"); path != "" { // built by make test, or for a user who cannot build
		return path, nil
	}
	dir, err := os.MkdirTemp("", "runboard-test-")
	if err != nil {
		return "", err
	}
	CleanUpLater(func() { _ = os.RemoveAll(dir) })
	path = filepath.Join(dir, "runboard")
	build := exec.Command("go", "build", "-tags", "sqlite_fts5", "-o", path, ".")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// Process is a process of the real program.
type Process struct {
	T             testing.TB
	URL           string
	Database      string // its URL
	UseTestBinary bool   // start the test binary, which a variable in Env makes a board
	Args          []string
	Env           []string
	AllowErrors   bool   // errors in its log do not fail the test
	Files         int    // the limit of open files; 0: that of the tests
	Program       string // the path of a program to start instead of the binary
	Cmd           *exec.Cmd
	Log           *logged
	Ended         chan struct{} // closed when the process has ended
}

// Command returns a command for the program, not yet started. It inherits nothing from the environment of the
// tests.
func Command(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	path, err := BuiltBinary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = []string{}
	return cmd
}

// StartProcess starts the program with a port and a database of its own, unless args name others, and returns
// when it serves. It kills the process when the test ends.
func StartProcess(t testing.TB, args ...string) *Process {
	t.Helper()
	p := NewProcess(t, args...)
	p.Start("127.0.0.1:0")
	return p
}

// NewProcess is StartProcess without the start.
func NewProcess(t testing.TB, args ...string) *Process {
	t.Helper()
	p := &Process{T: t, Args: args, Log: &logged{}, Database: NewDatabase(t)}
	t.Cleanup(p.cleanUp)
	return p
}

// File returns the path of its SQLite file.
func (p *Process) File() string { return strings.TrimPrefix(p.Database, "sqlite:") }

// In returns the same process for a subtest, whose failures must not end the outer test.
func (p *Process) In(t testing.TB) *Process {
	other := *p
	other.T = t
	return &other
}

// Restart starts the program again with the same address and database. The previous process must have ended.
func (p *Process) Restart() {
	p.T.Helper()
	p.Start(strings.TrimPrefix(p.URL, "http://"))
}

// Start starts the process at addr, HOST:PORT, and returns when it serves.
func (p *Process) Start(addr string) {
	p.T.Helper()
	args := append([]string{"--addr", addr, "--database-url", p.Database}, p.Args...)
	p.Cmd, p.Ended = Command(p.T, args...), make(chan struct{})
	if p.UseTestBinary {
		p.Cmd.Path = os.Args[0]
	}
	if p.Program != "" {
		p.Cmd.Path = p.Program
	}
	if p.Files > 0 {
		shell := exec.Command("/bin/sh", "-c", fmt.Sprintf(`ulimit -n %d && exec "$0" "$@"`, p.Files),
			p.Cmd.Path)
		p.Cmd.Path, p.Cmd.Args = shell.Path, append(shell.Args, args...)
	}
	p.Cmd.Env = append(p.Cmd.Env, p.Env...)
	stderr, err := p.Cmd.StderrPipe()
	if err != nil {
		p.T.Fatal(err)
	}
	if err := p.Cmd.Start(); err != nil {
		p.T.Fatal(err)
	}
	first := make(chan string, 1)
	go func(cmd *exec.Cmd, ended chan struct{}) {
		defer close(ended)
		lines := bufio.NewScanner(stderr)
		lines.Buffer(nil, 1<<20) // the stack of a panic is one line
		for lines.Scan() {
			p.Log.add(lines.Text())
			select {
			case first <- lines.Text():
			default:
			}
		}
		_ = cmd.Wait() // the exit status is in ProcessState
	}(p.Cmd, p.Ended)
	select {
	case line := <-first:
		p.URL = URLIn(p.T, line)
	case <-p.Ended:
		p.T.Fatalf("the program ended instead of serving: %s", p.Log.String())
	case <-time.After(Patience):
		p.T.Fatal("the program has logged nothing")
	}
	Eventually(p.T, "the program serves", func() error {
		return p.Get("/up", nil)
	})
}

func (p *Process) cleanUp() {
	if p.Cmd == nil || p.Cmd.Process == nil {
		return
	}
	_ = p.Cmd.Process.Kill()
	<-p.Ended
	switch {
	case p.Log.hasErrors() && !p.AllowErrors, p.Log.hasPanics():
		p.T.Errorf("the program logged errors:\n%s", p.Log.summary())
	case p.T.Failed():
		p.T.Logf("the log of the program:\n%s", p.Log.summary())
	}
}

// Signal sends a signal and returns at once.
func (p *Process) Signal(signal syscall.Signal) {
	p.T.Helper()
	if err := p.Cmd.Process.Signal(signal); err != nil {
		p.T.Fatalf("%v: %v", signal, err)
	}
}

// Wait waits until the process has ended and returns its exit status.
func (p *Process) Wait() int {
	p.T.Helper()
	select {
	case <-p.Ended:
		return p.Cmd.ProcessState.ExitCode()
	case <-time.After(2 * Patience):
		p.T.Fatal("the program does not end")
		return 0
	}
}

// Kill ends the process as a crash does, at any point of its work, and waits for its end.
func (p *Process) Kill() {
	p.T.Helper()
	p.Signal(syscall.SIGKILL)
	p.Wait()
}

var listening = regexp.MustCompile(`listening on (http://[^"\s]+)`)

// URLIn returns the URL in the first line of the log.
func URLIn(t testing.TB, line string) string {
	t.Helper()
	found := listening.FindStringSubmatch(line)
	if found == nil {
		t.Fatalf("the first line of the log does not name the URL: %s", line)
	}
	return found[1]
}

// CountRunning returns the number of processes whose command line contains text.
func CountRunning(t *testing.T, text string) (n int) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		line, err := os.ReadFile(file) // fails if the process has ended meanwhile
		if err == nil && strings.Contains(string(line), text) {
			n++
		}
	}
	return n
}
