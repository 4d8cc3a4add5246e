package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/jmoiron/sqlx"
	_ "github.com/mattn/go-sqlite3"
)

const crashes = 10

// The process is killed again and again at random moments while clients start runs. Whatever was
// acknowledged must be there, a request that is repeated must not count twice, and in the end all is done.
func TestCrashesLoseAndDoubleNothing(t *testing.T) {
	t.Parallel()
	b := startBinary(t, "--delay-min", "0s", "--delay-max", "20ms", "--failure-rate", "0.3",
		"--workers", "10", "--max-crashes", "1000", "--post-rate", "0")
	clients := make([]*crashClient, 3)
	for i := range clients {
		clients[i] = &crashClient{number: i}
	}
	for range crashes {
		var posting sync.WaitGroup
		for _, c := range clients {
			posting.Go(func() { c.postUntilCut(b) })
		}
		time.Sleep(50*time.Millisecond + rand.N(250*time.Millisecond)) // when it is killed is up to chance
		b.kill()
		posting.Wait()
		b.restart()
		for _, c := range clients {
			c.checkAcknowledged(b)
		}
	}
	var wanted int64
	for _, c := range clients {
		c.repeat(b)
		wanted += int64(c.counted)
	}
	b.waitUntilDone(wanted)
	counts := b.list("/process_runs").Counts
	if !strings.Contains(b.log.String(), "interrupted by a crash") {
		t.Error("no crash interrupted any run, so this has tested nothing")
	}
	b.signal(syscall.SIGTERM)
	if status := b.wait(); status != 0 {
		t.Errorf("after SIGTERM the exit status is %d", status)
	}
	checkDatabase(t, b.database, counts, wanted)
}

// crashClient starts runs and remembers what was promised to it.
type crashClient struct {
	number, requests int
	counted          int        // runs that it asked for and must have got, once
	fresh            []int64    // those that were acknowledged since the last check
	open             url.Values // the request that got no answer
}

// postUntilCut makes one request after the other, the one that was cut off first, until the server is gone.
func (c *crashClient) postUntilCut(b *binary) {
	for c.post(b) == nil {
		time.Sleep(rand.N(10 * time.Millisecond)) // else there is more to be done in the end than there is time
	}
}

func (c *crashClient) post(b *binary) error {
	if c.open == nil {
		c.requests++
		c.open = url.Values{
			"count":           {strconv.Itoa(1 + rand.IntN(8))},
			"idempotency_key": {fmt.Sprintf("client-%d-request-%d", c.number, c.requests)},
		}
	}
	var created boardJSON
	if err := b.do(http.MethodPost, "/process_runs", c.open.Encode(), &created); err != nil {
		return err
	}
	if count := strconv.Itoa(len(created.ProcessRuns)); count != c.open.Get("count") {
		b.t.Errorf("%s runs were acknowledged instead of %s", count, c.open.Get("count"))
	}
	for _, run := range created.ProcessRuns {
		c.fresh = append(c.fresh, run.ID)
	}
	c.counted += len(created.ProcessRuns)
	c.open = nil
	return nil
}

// repeat makes the request again that got no answer.
func (c *crashClient) repeat(b *binary) {
	b.t.Helper()
	if c.open == nil {
		return
	}
	if err := c.post(b); err != nil {
		b.t.Fatal(err)
	}
	c.checkAcknowledged(b)
}

// checkAcknowledged asks for every run that was acknowledged since it was last called. That none of the
// earlier ones has gone since is seen in the end, by their number.
func (c *crashClient) checkAcknowledged(b *binary) {
	b.t.Helper()
	for _, id := range c.fresh {
		var run runJSON
		if err := b.get(fmt.Sprint("/process_runs/", id), &run); err != nil || run.ID != id {
			b.t.Errorf("run %d was acknowledged and is gone: %v", id, err)
		}
	}
	c.fresh = nil
}

// checkDatabase looks into the file that a process has left behind.
func checkDatabase(t *testing.T, path string, counts map[string]int64, total int64) {
	t.Helper()
	db := openFile(t, path)
	var verdict string
	if err := db.Get(&verdict, "PRAGMA integrity_check"); err != nil || verdict != "ok" {
		t.Errorf("the integrity check says %q, %v", verdict, err)
	}
	for i, status := range []string{"created", "started", "completed", "failed", "cancelled"} {
		counted := number(t, db, "SELECT count(*) FROM process_runs WHERE status = ?", i)
		stored := number(t, db, "SELECT n FROM status_counts WHERE status = ?", i)
		if counted != counts[status] || stored != counts[status] {
			t.Errorf("%d runs are %s, the file's own count is %d, and the page's was %d", counted, status, stored, counts[status])
		}
	}
	if n := number(t, db, "SELECT count(*) FROM process_runs"); n != total {
		t.Errorf("there are %d runs instead of %d", n, total)
	}
	// Each was created, and each crash is a start and a giving back, and then came the last start and the end.
	if n := number(t, db, "SELECT count(*) FROM process_runs WHERE version <> 3 + 2 * crashes OR attempt <> 1"); n != 0 {
		t.Errorf("%d runs have a version or an attempt that cannot be", n)
	}
	if number(t, db, "SELECT sum(crashes) FROM process_runs") == 0 {
		t.Error("no run remembers a crash")
	}
}

func openFile(t *testing.T, path string) *sqlx.DB {
	t.Helper()
	db, err := sqlx.Connect("sqlite3", "file:"+path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func number(t *testing.T, db *sqlx.DB, query string, args ...any) (n int64) {
	t.Helper()
	if err := db.Get(&n, query, args...); err != nil {
		t.Fatal(err)
	}
	return n
}

// untilStarted waits until at least n runs are being worked on.
func (b *binary) untilStarted(n int64) {
	b.t.Helper()
	eventually(b.t, fmt.Sprintf("%d runs are started", n), func() error {
		if c := b.list("/process_runs").Counts; c["started"] < n {
			return fmt.Errorf("the counts are %v", c)
		}
		return nil
	})
}

func TestSIGTERMLetsWorkEnd(t *testing.T) {
	t.Parallel()
	b := startBinary(t, inSteps...)
	closed := closeCodes(t, b, "/process_runs/live", "/process_runs/live?status=failed", "/process_runs/live")
	b.post(10)
	b.untilStarted(10)
	b.signal(syscall.SIGTERM)
	if status := b.wait(); status != 0 {
		t.Errorf("the exit status is %d", status)
	}
	for range 3 {
		if code := <-closed; code != websocket.CloseServiceRestart {
			t.Errorf("a socket was closed with %d", code)
		}
	}
	if _, err := os.Stat(b.database + "-wal"); err == nil { // whoever copies the file alone would lose it
		t.Error("the write-ahead log is left behind")
	}
	db := openFile(t, b.database)
	if n := number(t, db, "SELECT count(*) FROM process_runs WHERE status IN (2, 3)"); n != 10 {
		t.Errorf("%d of 10 runs came to their end", n)
	}
}

func TestWorkThatDoesNotEndInTimeIsGivenBack(t *testing.T) {
	t.Parallel()
	b := startBinary(t, "--delay-min", "0s", "--delay-max", "10m", "--run-timeout", "1h",
		"--workers", "1000", "--drain-timeout", "200ms")
	closed := closeCodes(t, b, "/process_runs/live")
	b.post(1000)
	b.untilStarted(1)
	b.signal(syscall.SIGTERM)
	if status := b.wait(); status != 0 {
		t.Errorf("the exit status is %d", status)
	}
	if code := <-closed; code != websocket.CloseServiceRestart {
		t.Errorf("the socket was closed with %d", code)
	}
	db := openFile(t, b.database)
	if n := number(t, db, "SELECT count(*) FROM process_runs WHERE status = 1"); n != 0 {
		t.Errorf("%d runs are left started", n)
	}
	if n := number(t, db, "SELECT count(*) FROM process_runs WHERE status = 0 AND version = 3"); n == 0 {
		t.Error("no run was given back")
	}
	if n := number(t, db, "SELECT count(*) FROM process_runs WHERE status = 0 AND (attempt <> 0 OR crashes <> 0)"); n != 0 {
		t.Errorf("%d runs lost an attempt by a shutdown", n)
	}
}

// closeCodes opens a socket for each path, and returns a channel with the codes that they were closed with.
func closeCodes(t *testing.T, b *binary, paths ...string) <-chan int {
	t.Helper()
	codes := make(chan int, len(paths))
	var reading sync.WaitGroup
	for _, path := range paths {
		conn, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(b.url, "http")+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		reading.Go(func() {
			defer conn.Close()
			for {
				if _, _, err := conn.ReadMessage(); err != nil {
					code := -1
					if closed, ok := err.(*websocket.CloseError); ok {
						code = closed.Code
					}
					codes <- code
					return
				}
			}
		})
	}
	t.Cleanup(reading.Wait)
	return codes
}

func TestTheSecondSIGTERMEndsItAtOnce(t *testing.T) {
	t.Parallel()
	// What is started here goes on for five minutes, on the average, and may: only the second signal ends it.
	b := startBinary(t, "--delay-min", "0s", "--delay-max", "10m", "--run-timeout", "1h",
		"--workers", "1000", "--drain-timeout", "1h")
	b.post(1000)
	b.untilStarted(2)
	started := b.list("/process_runs?status=started").ProcessRuns
	b.signal(syscall.SIGTERM)
	eventually(t, "it begins to shut down", func() error {
		if text := b.log.String(); !strings.Contains(text, "shutting down") {
			return fmt.Errorf("the log is %s", text)
		}
		return nil
	})
	b.signal(syscall.SIGTERM)
	if status := b.wait(); status != exitFailed {
		t.Errorf("the exit status is %d", status)
	}
	b.restart() // and nothing is lost
	if n := total(b); n != 1000 {
		t.Errorf("there are %d runs instead of 1000", n)
	}
	for _, run := range started {
		now := struct{ Crashes int }{-1}
		if err := b.get(fmt.Sprint("/process_runs/", run.ID), &now); err != nil || now.Crashes != 0 {
			t.Errorf("it is counted as a crash of run %d: %+v: %v", run.ID, now, err)
		}
	}
	if strings.Contains(b.log.String(), "interrupted by a crash") {
		t.Error("at the next start it is taken for a crash")
	}
}

func TestASecondProcessLeavesTheDatabaseAlone(t *testing.T) {
	t.Parallel()
	b := startBinary(t, atOnce...)
	b.post(3)
	b.waitUntilDone(3)
	out, status := runToEnd(t, nil, "--addr", "127.0.0.1:0", "--database-url", "sqlite:"+b.database)
	if status != exitFailed || strings.Count(out, "\n") != 1 || !strings.Contains(out, filepath.Base(b.database)) {
		t.Errorf("the second process ends with %d and says %q", status, out)
	}
	b.post(2)
	b.waitUntilDone(5)
}

// runToEnd runs a process that is to end by itself, in an empty directory that must stay empty.
func runToEnd(t *testing.T, environment []string, args ...string) (out string, status int) {
	t.Helper()
	cmd := command(t, args...)
	cmd.Dir, cmd.Env = t.TempDir(), append(cmd.Env, environment...)
	timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	said, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(cmd.Dir); err != nil || len(left) > 0 {
		t.Errorf("it left %v behind, %v", left, err)
	}
	return string(said), cmd.ProcessState.ExitCode()
}

func TestAWrongSettingIsRefusedInOneLine(t *testing.T) {
	t.Parallel()
	for _, wrong := range wrongSettings {
		flag := strings.SplitN(wrong, "=", 2)[0]
		t.Run(wrong, func(t *testing.T) {
			out, status := runToEnd(t, nil, "--addr=127.0.0.1:0", "--"+wrong)
			checkRefusal(t, flag, out, status)
		})
		t.Run(wrong+" in the environment", func(t *testing.T) {
			name, value, _ := strings.Cut(wrong, "=")
			name = strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
			out, status := runToEnd(t, []string{name + "=" + value})
			checkRefusal(t, flag, out, status)
		})
	}
	for _, args := range [][]string{{"--no-such-flag"}, {"no-such-command"}, {"--workers"}} {
		t.Run(args[0], func(t *testing.T) {
			out, status := runToEnd(t, nil, args...)
			checkRefusal(t, strings.TrimPrefix(args[0], "--"), out, status)
		})
	}
}

func checkRefusal(t *testing.T, flag, out string, status int) {
	t.Helper()
	if status != exitUsage || strings.Count(out, "\n") != 1 || !strings.Contains(out, flag) {
		t.Errorf("it ends with %d and says %q", status, out)
	}
}

var wrongSettings = []string{
	"addr=127.0.0.1", "addr=127.0.0.1:99999", "addr=:3000", "addr=0.0.0.0:3000", "addr=127.0.0.1:",
	"database-url=runboard.db", "database-url=sqlite:", "database-url=sqlite::memory:", "database-url=mysql://a:b@c/d",
	"workers=0", "workers=-1", "workers=ten", "workers=1.5", "workers=99999999999999999999",
	"delay-min=-1s", "delay-min=2", "delay-max=1s", "delay-max=soon",
	"failure-rate=1.1", "failure-rate=-0.1", "failure-rate=NaN", "failure-rate=often",
	"max-attempts=0", "max-crashes=0", "run-timeout=0s", "run-timeout=1", "drain-timeout=-1s", "drain-timeout=long",
	"synchronous=off", "max-pending=0", "max-sockets=0", "max-sockets-per-address=0",
	"upgrade-rate=-1", "upgrade-rate=Inf", "post-rate=-1", "post-rate=x",
	"public-origin=board.example", "public-origin=https://board.example/path", "auth=user", "auth=:", "log-format=xml",
}
