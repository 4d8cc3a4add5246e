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
	b := NewProcess(t, args...)
	b.Start("127.0.0.1:0")
	return b
}

// NewProcess is StartProcess without the start.
func NewProcess(t testing.TB, args ...string) *Process {
	t.Helper()
	b := &Process{T: t, Args: args, Log: &logged{}, Database: NewDatabase(t)}
	t.Cleanup(b.cleanUp)
	return b
}

// File returns the path of its SQLite file.
func (b *Process) File() string { return strings.TrimPrefix(b.Database, "sqlite:") }

// In returns the same process for a subtest, whose failures must not end the outer test.
func (b *Process) In(t testing.TB) *Process {
	other := *b
	other.T = t
	return &other
}

// Restart starts the program again with the same address and database. The previous process must have ended.
func (b *Process) Restart() {
	b.T.Helper()
	b.Start(strings.TrimPrefix(b.URL, "http://"))
}

// Start starts the process at addr, HOST:PORT, and returns when it serves.
func (b *Process) Start(addr string) {
	b.T.Helper()
	args := append([]string{"--addr", addr, "--database-url", b.Database}, b.Args...)
	b.Cmd, b.Ended = Command(b.T, args...), make(chan struct{})
	if b.UseTestBinary {
		b.Cmd.Path = os.Args[0]
	}
	if b.Program != "" {
		b.Cmd.Path = b.Program
	}
	if b.Files > 0 {
		shell := exec.Command("/bin/sh", "-c", fmt.Sprintf(`ulimit -n %d && exec "$0" "$@"`, b.Files),
			b.Cmd.Path)
		b.Cmd.Path, b.Cmd.Args = shell.Path, append(shell.Args, args...)
	}
	b.Cmd.Env = append(b.Cmd.Env, b.Env...)
	stderr, err := b.Cmd.StderrPipe()
	if err != nil {
		b.T.Fatal(err)
	}
	if err := b.Cmd.Start(); err != nil {
		b.T.Fatal(err)
	}
	first := make(chan string, 1)
	go func(cmd *exec.Cmd, ended chan struct{}) {
		defer close(ended)
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			b.Log.add(lines.Text())
			select {
			case first <- lines.Text():
			default:
			}
		}
		_ = cmd.Wait() // the exit status is in ProcessState
	}(b.Cmd, b.Ended)
	select {
	case line := <-first:
		b.URL = URLIn(b.T, line)
	case <-b.Ended:
		b.T.Fatalf("the program ended instead of serving: %s", b.Log.String())
	case <-time.After(Patience):
		b.T.Fatal("the program has logged nothing")
	}
	Eventually(b.T, "the program serves", func() error {
		return b.Get("/up", nil)
	})
}

func (b *Process) cleanUp() {
	if b.Cmd == nil || b.Cmd.Process == nil {
		return
	}
	_ = b.Cmd.Process.Kill()
	<-b.Ended
	switch {
	case b.Log.hasErrors() && !b.AllowErrors, b.Log.hasPanics():
		b.T.Errorf("the program logged errors:\n%s", b.Log.summary())
	case b.T.Failed():
		b.T.Logf("the log of the program:\n%s", b.Log.summary())
	}
}

// Signal sends a signal and returns at once.
func (b *Process) Signal(signal syscall.Signal) {
	b.T.Helper()
	if err := b.Cmd.Process.Signal(signal); err != nil {
		b.T.Fatalf("%v: %v", signal, err)
	}
}

// Wait waits until the process has ended and returns its exit status.
func (b *Process) Wait() int {
	b.T.Helper()
	select {
	case <-b.Ended:
		return b.Cmd.ProcessState.ExitCode()
	case <-time.After(2 * Patience):
		b.T.Fatal("the program does not end")
		return 0
	}
}

// Kill ends the process as a crash does, at any point of its work, and waits for its end.
func (b *Process) Kill() {
	b.T.Helper()
	b.Signal(syscall.SIGKILL)
	b.Wait()
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
