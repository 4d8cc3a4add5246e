package harness

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fasthttp/websocket"

	"runboard/db/pgtest"
)

// Patience is how long a test waits for a condition. It is a deadline, not a measure: it only has to be
// longer than the slowest machine needs.
const Patience = 90 * time.Second

// RescuePatience is how long a test waits for another node to rescue the runs of a lost one. Only a failing
// test waits that long.
const RescuePatience = 4 * time.Minute

// shared holds the cleanup functions of resources that all tests of a package share.
var shared struct {
	mu   sync.Mutex
	away []func()
}

// CleanUpLater registers a function to call after the last test of the package.
func CleanUpLater(f func()) {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	shared.away = append(shared.away, f)
}

// putAwayShared calls the functions of CleanUpLater, the last one first. Main calls it after the tests.
func putAwayShared() {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	for _, f := range slices.Backward(shared.away) {
		f()
	}
	shared.away = nil
}

// onServer selects PostgreSQL as the store of the boards. It must make no difference to the tests.
var onServer = flag.Bool("postgres", false, "keep runs in PostgreSQL instead of in files")

// NewDatabase returns the URL of an empty database, or of one that does not exist yet, for this test alone.
func NewDatabase(t testing.TB) string {
	t.Helper()
	if *onServer {
		return pgtest.URL(t)
	}
	return "sqlite:" + filepath.Join(t.TempDir(), "runboard.db")
}

// BuiltBinary builds the program once for all tests of a package and returns its path. It builds without the
// race detector, as users do.
var BuiltBinary = sync.OnceValues(func() (path string, err error) {
	if path := os.Getenv("TEST_BINARY"); path != "" { // already built, for a user who cannot build
		return path, nil
	}
	dir, err := os.MkdirTemp("", "runboard-test-")
	if err != nil {
		return "", err
	}
	CleanUpLater(func() { _ = os.RemoveAll(dir) })
	path = filepath.Join(dir, "runboard")
	if out, err := exec.Command("go", "build", "-tags", "sqlite_fts5", "-o", path, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// Process is a process of the real program.
type Process struct {
	T         testing.TB
	URL       string
	Database  string // its URL
	Itself    bool   // start the test binary, which a variable in Env makes a board
	Args      []string
	Env       []string
	Complains bool   // errors in its log do not fail the test
	Files     int    // the limit of open files; 0: that of the tests
	Program   string // the path of a program to start instead of the binary
	Cmd       *exec.Cmd
	Log       *logged
	Ended     chan struct{} // closed when the process has ended
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
	if b.Itself {
		b.Cmd.Path = os.Args[0]
	}
	if b.Program != "" {
		b.Cmd.Path = b.Program
	}
	if b.Files > 0 {
		shell := exec.Command("/bin/sh", "-c", fmt.Sprintf(`ulimit -n %d && exec "$0" "$@"`, b.Files), b.Cmd.Path)
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
		b.T.Fatal("the program says nothing")
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
	if text := b.Log.String(); strings.Contains(text, "level=ERROR") && !b.Complains || strings.Contains(text, "panic") {
		b.T.Errorf("the program complains:\n%s", text)
	} else if b.T.Failed() {
		b.T.Logf("the log of the program:\n%s", text)
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

// ListJSON is a page of the list in JSON.
type ListJSON struct {
	ProcessRuns []RunJSON        `json:"process_runs"`
	Counts      map[string]int64 `json:"counts"`
	Older       *string          `json:"older"`
	Newer       *string          `json:"newer"`
}

// RunJSON is a run in JSON.
type RunJSON struct {
	ID      int64  `json:"id"`
	Status  string `json:"status"`
	Version int64  `json:"version"`
}

// Client keeps no connections open: a connection to a killed program would break the next test.
var Client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: Patience}

// Get requests JSON from path and decodes it into into, if that is not nil.
func (b *Process) Get(path string, into any) error {
	return b.Do(http.MethodGet, path, "", into)
}

// Do makes a request for JSON and decodes the answer into into, if that is not nil. It fails if the status is
// 300 or higher.
func (b *Process) Do(method, path, form string, into any) error {
	request, err := http.NewRequestWithContext(context.Background(), method, b.URL+path, strings.NewReader(form))
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "application/json")
	if form != "" {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := Client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return err
	case response.StatusCode >= 300:
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, body)
	case into == nil:
		return nil
	}
	return json.Unmarshal(body, into)
}

// Post creates count runs and returns them, oldest first.
func (b *Process) Post(count int) []RunJSON {
	b.T.Helper()
	var created ListJSON
	form := url.Values{"count": {strconv.Itoa(count)}}.Encode()
	if err := b.Do(http.MethodPost, "/process_runs", form, &created); err != nil {
		b.T.Fatal(err)
	}
	return created.ProcessRuns
}

// List returns the page of the list at path.
func (b *Process) List(path string) ListJSON {
	b.T.Helper()
	var page ListJSON
	if err := b.Get(path, &page); err != nil {
		b.T.Fatal(err)
	}
	return page
}

// WaitUntilDone waits until there are total runs and all of them are final.
func (b *Process) WaitUntilDone(total int64) {
	b.T.Helper()
	Eventually(b.T, fmt.Sprintf("%d runs are done", total), func() error {
		var page ListJSON
		if err := b.Get("/process_runs", &page); err != nil {
			return err
		}
		if c := page.Counts; c["completed"]+c["failed"]+c["cancelled"] != total || c["created"]+c["started"] != 0 {
			return fmt.Errorf("the counts are %v", c)
		}
		return nil
	})
}

// ReadUntil calls each with every frame of a socket until ctx ends or the connection is lost. It then closes
// the socket.
func ReadUntil(ctx context.Context, conn *websocket.Conn, each func(frame string)) {
	closing := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer closing()
	defer conn.Close()
	for _, frame, err := conn.ReadMessage(); err == nil; _, frame, err = conn.ReadMessage() {
		each(string(frame))
	}
}

// Eventually waits until check returns nil. It fails the test after Patience or, with PostgreSQL, after
// RescuePatience, because another node may have to rescue runs. what completes the sentence "waited in vain
// until …".
func Eventually(t testing.TB, what string, check func() error) {
	t.Helper()
	limit := Patience
	if *onServer {
		limit = RescuePatience
	}
	err := errors.New("it was never looked at")
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	t.Fatalf("waited in vain until %s: %v", what, err)
}

// logged collects the log of a process. It is safe for concurrent use.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.WriteString(line + "\n")
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// UntilStarted waits until at least n runs are started.
func (b *Process) UntilStarted(n int64) {
	b.T.Helper()
	Eventually(b.T, fmt.Sprintf("%d runs are started", n), func() error {
		var page ListJSON
		if err := b.Get("/process_runs", &page); err != nil {
			return err // its database may be unreachable
		}
		if page.Counts["started"] < n {
			return fmt.Errorf("the counts are %v", page.Counts)
		}
		return nil
	})
}
