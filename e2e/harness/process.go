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

// Patience is how long a test waits for what must happen. It is no measure of how long that takes: it
// only has to be longer than the slowest machine needs.
const Patience = 30 * time.Second

// RescuePatience is how long it may take until the runs of a node that is lost are done by another: only a failing test
// waits so long.
const RescuePatience = 4 * time.Minute

// shared is what the tests of this package have in common, and what is put away after the last of them.
var shared struct {
	mu   sync.Mutex
	away []func()
}

func CleanUpLater(f func()) {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	shared.away = append(shared.away, f)
}

// putAwayShared ends what the tests shared: the browser, and the directory of the binary. TestMain calls
// it after the tests.
func putAwayShared() {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	for _, f := range slices.Backward(shared.away) {
		f()
	}
	shared.away = nil
}

// onServer has the programs of the tests keep their runs in a PostgreSQL, which must make no difference to them.
var onServer = flag.Bool("postgres", false, "keep runs in PostgreSQL instead of in files")

// NewDatabase is the URL of one that nobody else has, and that is not there yet or empty.
func NewDatabase(t testing.TB) string {
	t.Helper()
	if *onServer {
		return pgtest.URL(t)
	}
	return "sqlite:" + filepath.Join(t.TempDir(), "runboard.db")
}

// BuiltBinary builds the program once for all tests, without the race detector: it is to be what people run.
var BuiltBinary = sync.OnceValues(func() (path string, err error) {
	if path := os.Getenv("TEST_BINARY"); path != "" { // built already, for a user who cannot
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
	Database  string // the path of its file
	Itself    bool   // whether it is the binary of the tests, which env makes the program
	Args      []string
	Env       []string
	Complains bool   // it is to be expected that its log has errors
	Files     int    // how many files it may have open, if not as many as the tests
	Program   string // what to start, if not the binary itself
	Cmd       *exec.Cmd
	Log       *logged
	Ended     chan struct{} // closed when the process has ended
}

// command prepares a process of the program. Nothing of the environment of the tests reaches it.
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

// StartProcess starts the program on a port and with a database of its own, unless args say otherwise, and
// returns when it serves. It is killed when the test ends.
func StartProcess(t testing.TB, args ...string) *Process {
	t.Helper()
	b := NewProcess(t, args...)
	b.Start("127.0.0.1:0")
	return b
}

// NewProcess is startBinary without the start.
func NewProcess(t testing.TB, args ...string) *Process {
	t.Helper()
	b := &Process{T: t, Args: args, Log: &logged{}, Database: NewDatabase(t)}
	t.Cleanup(b.cleanUp)
	return b
}

// File is the path of its database.
func (b *Process) File() string { return strings.TrimPrefix(b.Database, "sqlite:") }

// In is the same process for a subtest, which must not end the test around it.
func (b *Process) In(t testing.TB) *Process {
	other := *b
	other.T = t
	return &other
}

// Restart starts the program again at the address and with the database that it had. The process before
// must have ended.
func (b *Process) Restart() {
	b.T.Helper()
	b.Start(strings.TrimPrefix(b.URL, "http://"))
}

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
		_ = cmd.Wait() // how it ended is read from ProcessState
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

// Wait waits for the end of the process and returns its exit status.
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

// Kill ends the process as a crash does: at once, in the middle of whatever it does.
func (b *Process) Kill() {
	b.T.Helper()
	b.Signal(syscall.SIGKILL)
	b.Wait()
}

var listening = regexp.MustCompile(`listening on (http://[^"\s]+)`)

func URLIn(t testing.TB, line string) string {
	t.Helper()
	found := listening.FindStringSubmatch(line)
	if found == nil {
		t.Fatalf("the first line of the log does not name the URL: %s", line)
	}
	return found[1]
}

// ListJSON is a page of the list, as the program answers it.
type ListJSON struct {
	ProcessRuns []RunJSON        `json:"process_runs"`
	Counts      map[string]int64 `json:"counts"`
	Older       *string          `json:"older"`
	Newer       *string          `json:"newer"`
}

type RunJSON struct {
	ID      int64  `json:"id"`
	Status  string `json:"status"`
	Version int64  `json:"version"`
}

// Client keeps no connections: one that a killed program leaves behind would be the next test's trouble.
var Client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: Patience}

func (b *Process) Get(path string, into any) error {
	return b.Do(http.MethodGet, path, "", into)
}

// Do makes a request for JSON and decodes the answer, if it is a success and into is not nil.
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

// Post starts count runs and returns them, oldest first.
func (b *Process) Post(count int) []RunJSON {
	b.T.Helper()
	var created ListJSON
	form := url.Values{"count": {strconv.Itoa(count)}}.Encode()
	if err := b.Do(http.MethodPost, "/process_runs", form, &created); err != nil {
		b.T.Fatal(err)
	}
	return created.ProcessRuns
}

// List asks for a page of the list.
func (b *Process) List(path string) ListJSON {
	b.T.Helper()
	var page ListJSON
	if err := b.Get(path, &page); err != nil {
		b.T.Fatal(err)
	}
	return page
}

// WaitUntilDone waits until there are total runs and every one of them is final.
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

// ReadUntil calls each with what a socket is sent until ctx ends or it is cut, and closes it.
func ReadUntil(ctx context.Context, conn *websocket.Conn, each func(frame string)) {
	closing := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer closing()
	defer conn.Close()
	for _, frame, err := conn.ReadMessage(); err == nil; _, frame, err = conn.ReadMessage() {
		each(string(frame))
	}
}

// Eventually waits until check returns nil. Where runs of a process that was killed are done by another one, it takes longer.
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

// logged is what a process says. Any goroutine may use it.
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

// UntilStarted waits until at least n runs are being worked on.
func (b *Process) UntilStarted(n int64) {
	b.T.Helper()
	Eventually(b.T, fmt.Sprintf("%d runs are started", n), func() error {
		var page ListJSON
		if err := b.Get("/process_runs", &page); err != nil {
			return err // its database may be away
		}
		if page.Counts["started"] < n {
			return fmt.Errorf("the counts are %v", page.Counts)
		}
		return nil
	})
}
