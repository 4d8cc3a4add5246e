package main

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

// patience is how long a test waits for what must happen. It is no measure of how long that takes: it
// only has to be longer than the slowest machine needs.
const patience = 30 * time.Second

// rescuePatience is how long it may take until the runs of a node that is lost are done by another: only a failing test
// waits so long.
const rescuePatience = 4 * time.Minute

// shared is what the tests of this package have in common, and what is put away after the last of them.
var shared struct {
	mu   sync.Mutex
	away []func()
}

func putAwayLater(f func()) {
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

// newDatabase is the URL of one that nobody else has, and that is not there yet or empty.
func newDatabase(t testing.TB) string {
	t.Helper()
	if *onServer {
		return pgtest.URL(t)
	}
	return "sqlite:" + filepath.Join(t.TempDir(), "runboard.db")
}

// builtBinary builds the program once for all tests, without the race detector: it is to be what people run.
var builtBinary = sync.OnceValues(func() (path string, err error) {
	if path := os.Getenv("TEST_BINARY"); path != "" { // built already, for a user who cannot
		return path, nil
	}
	dir, err := os.MkdirTemp("", "runboard-test-")
	if err != nil {
		return "", err
	}
	putAwayLater(func() { _ = os.RemoveAll(dir) })
	path = filepath.Join(dir, "runboard")
	if out, err := exec.Command("go", "build", "-tags", "sqlite_fts5", "-o", path, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// binary is a process of the real program.
type binary struct {
	t         testing.TB
	url       string
	database  string // the path of its file
	itself    bool   // whether it is the binary of the tests, which env makes the program
	args      []string
	env       []string
	complains bool   // it is to be expected that its log has errors
	files     int    // how many files it may have open, if not as many as the tests
	program   string // what to start, if not the binary itself
	cmd       *exec.Cmd
	log       *logged
	ended     chan struct{} // closed when the process has ended
}

// command prepares a process of the program. Nothing of the environment of the tests reaches it.
func runCommand(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	path, err := builtBinary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = []string{}
	return cmd
}

// startBinary starts the program on a port and with a database of its own, unless args say otherwise, and
// returns when it serves. It is killed when the test ends.
func startBinary(t testing.TB, args ...string) *binary {
	t.Helper()
	b := newBinary(t, args...)
	b.start("127.0.0.1:0")
	return b
}

// newBinary is startBinary without the start.
func newBinary(t testing.TB, args ...string) *binary {
	t.Helper()
	b := &binary{t: t, args: args, log: &logged{}, database: newDatabase(t)}
	t.Cleanup(b.cleanUp)
	return b
}

// file is the path of its database.
func (b *binary) file() string { return strings.TrimPrefix(b.database, "sqlite:") }

// in is the same process for a subtest, which must not end the test around it.
func (b *binary) in(t testing.TB) *binary {
	other := *b
	other.t = t
	return &other
}

// restart starts the program again at the address and with the database that it had. The process before
// must have ended.
func (b *binary) restart() {
	b.t.Helper()
	b.start(strings.TrimPrefix(b.url, "http://"))
}

func (b *binary) start(addr string) {
	b.t.Helper()
	args := append([]string{"--addr", addr, "--database-url", b.database}, b.args...)
	b.cmd, b.ended = runCommand(b.t, args...), make(chan struct{})
	if b.itself {
		b.cmd.Path = os.Args[0]
	}
	if b.program != "" {
		b.cmd.Path = b.program
	}
	if b.files > 0 {
		shell := exec.Command("/bin/sh", "-c", fmt.Sprintf(`ulimit -n %d && exec "$0" "$@"`, b.files), b.cmd.Path)
		b.cmd.Path, b.cmd.Args = shell.Path, append(shell.Args, args...)
	}
	b.cmd.Env = append(b.cmd.Env, b.env...)
	stderr, err := b.cmd.StderrPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := b.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	first := make(chan string, 1)
	go func(cmd *exec.Cmd, ended chan struct{}) {
		defer close(ended)
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			b.log.add(lines.Text())
			select {
			case first <- lines.Text():
			default:
			}
		}
		_ = cmd.Wait() // how it ended is read from ProcessState
	}(b.cmd, b.ended)
	select {
	case line := <-first:
		b.url = urlIn(b.t, line)
	case <-b.ended:
		b.t.Fatalf("the program ended instead of serving: %s", b.log.String())
	case <-time.After(patience):
		b.t.Fatal("the program says nothing")
	}
	eventually(b.t, "the program serves", func() error {
		return b.get("/up", nil)
	})
}

func (b *binary) cleanUp() {
	if b.cmd == nil || b.cmd.Process == nil {
		return
	}
	_ = b.cmd.Process.Kill()
	<-b.ended
	if text := b.log.String(); strings.Contains(text, "level=ERROR") && !b.complains || strings.Contains(text, "panic") {
		b.t.Errorf("the program complains:\n%s", text)
	} else if b.t.Failed() {
		b.t.Logf("the log of the program:\n%s", text)
	}
}

// signal sends a signal and returns at once.
func (b *binary) signal(signal syscall.Signal) {
	b.t.Helper()
	if err := b.cmd.Process.Signal(signal); err != nil {
		b.t.Fatalf("%v: %v", signal, err)
	}
}

// wait waits for the end of the process and returns its exit status.
func (b *binary) wait() int {
	b.t.Helper()
	select {
	case <-b.ended:
		return b.cmd.ProcessState.ExitCode()
	case <-time.After(2 * patience):
		b.t.Fatal("the program does not end")
		return 0
	}
}

// kill ends the process as a crash does: at once, in the middle of whatever it does.
func (b *binary) kill() {
	b.t.Helper()
	b.signal(syscall.SIGKILL)
	b.wait()
}

var listening = regexp.MustCompile(`listening on (http://[^"\s]+)`)

func urlIn(t testing.TB, line string) string {
	t.Helper()
	found := listening.FindStringSubmatch(line)
	if found == nil {
		t.Fatalf("the first line of the log does not name the URL: %s", line)
	}
	return found[1]
}

// boardJSON is a page of the list, as the program answers it.
type boardJSON struct {
	ProcessRuns []runJSON        `json:"process_runs"`
	Counts      map[string]int64 `json:"counts"`
	Older       *string          `json:"older"`
	Newer       *string          `json:"newer"`
}

type runJSON struct {
	ID      int64  `json:"id"`
	Status  string `json:"status"`
	Version int64  `json:"version"`
}

// client keeps no connections: one that a killed program leaves behind would be the next test's trouble.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}

func (b *binary) get(path string, into any) error {
	return b.do(http.MethodGet, path, "", into)
}

// do makes a request for JSON and decodes the answer, if it is a success and into is not nil.
func (b *binary) do(method, path, form string, into any) error {
	request, err := http.NewRequestWithContext(context.Background(), method, b.url+path, strings.NewReader(form))
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "application/json")
	if form != "" {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := client.Do(request)
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

// post starts count runs and returns them, oldest first.
func (b *binary) post(count int) []runJSON {
	b.t.Helper()
	var created boardJSON
	form := url.Values{"count": {strconv.Itoa(count)}}.Encode()
	if err := b.do(http.MethodPost, "/process_runs", form, &created); err != nil {
		b.t.Fatal(err)
	}
	return created.ProcessRuns
}

// list asks for a page of the list.
func (b *binary) list(path string) boardJSON {
	b.t.Helper()
	var page boardJSON
	if err := b.get(path, &page); err != nil {
		b.t.Fatal(err)
	}
	return page
}

// waitUntilDone waits until there are total runs and every one of them is final.
func (b *binary) waitUntilDone(total int64) {
	b.t.Helper()
	eventually(b.t, fmt.Sprintf("%d runs are done", total), func() error {
		var page boardJSON
		if err := b.get("/process_runs", &page); err != nil {
			return err
		}
		if c := page.Counts; c["completed"]+c["failed"]+c["cancelled"] != total || c["created"]+c["started"] != 0 {
			return fmt.Errorf("the counts are %v", c)
		}
		return nil
	})
}

// readUntil calls each with what a socket is sent until ctx ends or it is cut, and closes it.
func readUntil(ctx context.Context, conn *websocket.Conn, each func(frame string)) {
	closing := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer closing()
	defer conn.Close()
	for _, frame, err := conn.ReadMessage(); err == nil; _, frame, err = conn.ReadMessage() {
		each(string(frame))
	}
}

// eventually waits until check returns nil. Where runs of a process that was killed are done by another one, it takes longer.
func eventually(t testing.TB, what string, check func() error) {
	t.Helper()
	limit := patience
	if *onServer {
		limit = rescuePatience
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

// untilStarted waits until at least n runs are being worked on.
func (b *binary) untilStarted(n int64) {
	b.t.Helper()
	eventually(b.t, fmt.Sprintf("%d runs are started", n), func() error {
		var page boardJSON
		if err := b.get("/process_runs", &page); err != nil {
			return err // its database may be away
		}
		if page.Counts["started"] < n {
			return fmt.Errorf("the counts are %v", page.Counts)
		}
		return nil
	})
}
