package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
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

var crashRounds = flag.Int("crash-rounds", 20, "how often the program is killed")

// The process is killed again and again at random moments while clients start runs and sockets watch. Whatever was
// acknowledged must be there, a request that is repeated must not count twice, nobody may see a run go back, and in
// the end all is done.
func TestCrashesLoseAndDoubleNothing(t *testing.T) {
	t.Parallel()
	notes := filepath.Join(t.TempDir(), "notes")
	b := newBinary(t, "--workers", "10", "--max-attempts", "2", "--max-crashes", "1000", "--post-rate", "0", "--upgrade-rate", "0")
	b.itself, b.env = true, []string{notesVariable + "=" + notes}
	b.start("127.0.0.1:0")
	stopWatching := watchThroughCrashes(t, b, "/process_runs/live", "/process_runs/live?status=completed", "/process_runs/5/live")
	clients := make([]*crashClient, 3)
	for i := range clients {
		clients[i] = &crashClient{number: i}
	}
	for range *crashRounds {
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
	stopWatching()
	b.signal(syscall.SIGTERM)
	if status := b.wait(); status != 0 {
		t.Errorf("after SIGTERM the exit status is %d", status)
	}
	checkDatabase(t, b.file(), counts, wanted)
	checkWork(t, b.file(), readNotes(t, notes))
}

// watchThroughCrashes keeps sockets open until stop is called, and opens them again when they are cut. It fails when
// one of them ever sees an older version of a run than before.
func watchThroughCrashes(t *testing.T, b *binary, paths ...string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	address := "ws" + strings.TrimPrefix(b.url, "http")
	var watching sync.WaitGroup
	for _, path := range paths {
		watching.Go(func() {
			seen, cuts := screen{}, 0
			for ; ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
				conn, _, err := websocket.DefaultDialer.DialContext(ctx, address+path, nil)
				if err != nil {
					continue // until it is back
				}
				readUntil(ctx, conn, func(frame string) { seen.apply(t, frame) })
				cuts++
			}
			if len(seen) == 0 || cuts == 0 {
				t.Errorf("%s was cut %d times and showed %d runs", path, cuts, len(seen))
			}
		})
	}
	return func() { cancel(); watching.Wait() }
}

// checkWork compares what was done with what the file says about it.
func checkWork(t *testing.T, path string, work noted) {
	t.Helper()
	var runs []struct {
		ID       int64
		Attempts int `db:"attempt"`
		Crashes  int
	}
	if err := openFile(t, path).Select(&runs, "SELECT id, attempt, crashes FROM process_runs"); err != nil {
		t.Fatal(err)
	}
	for _, run := range runs {
		if begun, ended := work.begun[run.ID], work.ended[run.ID]; ended < run.Attempts || begun > run.Attempts+run.Crashes {
			t.Errorf("run %d was begun %d times and came to its end %d times, after %d attempts and %d crashes",
				run.ID, begun, ended, run.Attempts, run.Crashes)
		}
	}
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
	// Each was created, each attempt is a start and an end, and each crash is a start and a giving back.
	if n := number(t, db, "SELECT count(*) FROM process_runs WHERE version <> 1 + 2 * (attempt + crashes) OR attempt NOT IN (1, 2)"); n != 0 {
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
