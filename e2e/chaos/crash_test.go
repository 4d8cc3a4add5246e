package chaos

import (
	"context"
	"flag"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/jmoiron/sqlx"
	_ "github.com/mattn/go-sqlite3"

	"runboard/e2e/harness"
)

var crashRounds = flag.Int("crash-rounds", 20, "how often the program is killed")

// The test kills the process again and again at random moments while clients create runs and sockets watch.
// Acknowledged runs must exist, a repeated request must not count twice, no socket may see a run go back to
// an older version, and in the end all runs must be done.
func TestCrashes_LoseAndDoubleNothing(t *testing.T) {
	t.Parallel()
	notes := filepath.Join(t.TempDir(), "notes")
	b := harness.NewProcess(t, "--workers", "10", "--max-attempts", "2", "--max-crashes", "1000",
		"--post-rate", "0", "--upgrade-rate", "0")
	b.UseTestBinary, b.Env = true, []string{harness.NotesVariable + "=" + notes}
	b.Start("127.0.0.1:0")
	stopWatching := watchThroughCrashes(t, b, "/process_runs/live", "/process_runs/live?status=completed",
		"/process_runs/5/live")
	clients := make([]*harness.CrashClient, 3)
	for i := range clients {
		clients[i] = &harness.CrashClient{Number: i}
	}
	for range *crashRounds {
		var posting sync.WaitGroup
		for _, c := range clients {
			posting.Go(func() { c.PostUntilCut(b) })
		}
		time.Sleep(50*time.Millisecond + rand.N(250*time.Millisecond)) // a random moment for the kill
		b.Kill()
		posting.Wait()
		b.Restart()
		for _, c := range clients {
			c.CheckAcknowledged(b)
		}
	}
	var wanted int64
	for _, c := range clients {
		c.Repeat(b)
		wanted += int64(c.Counted)
	}
	b.WaitUntilDone(wanted)
	counts := b.List("/process_runs").Counts
	if !strings.Contains(b.Log.String(), "interrupted by a crash") {
		t.Error("no crash interrupted any run, so this has tested nothing")
	}
	stopWatching()
	b.Signal(syscall.SIGTERM)
	if status := b.Wait(); status != 0 {
		t.Errorf("after SIGTERM the exit status is %d", status)
	}
	checkDatabase(t, b.File(), counts, wanted)
	checkWork(t, b.File(), harness.ReadNotes(t, notes))
}

// watchThroughCrashes keeps sockets open until stop is called, and reopens them after each crash. The test
// fails if a socket sees an older version of a run after a newer one.
func watchThroughCrashes(t *testing.T, b *harness.Process, paths ...string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	address := "ws" + strings.TrimPrefix(b.URL, "http")
	var watching sync.WaitGroup
	for _, path := range paths {
		watching.Go(func() {
			seen, cuts := harness.Screen{}, 0
			for ; ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
				conn, _, err := websocket.DefaultDialer.DialContext(ctx, address+path, nil)
				if err != nil {
					continue // retries until the server is back
				}
				harness.ReadUntil(ctx, conn, func(frame string) { seen.Apply(t, frame) })
				cuts++
			}
			if len(seen) == 0 || cuts == 0 {
				t.Errorf("%s was cut %d times and showed %d runs", path, cuts, len(seen))
			}
		})
	}
	return func() { cancel(); watching.Wait() }
}

// checkWork compares the notes of the work with the attempts and crashes in the database.
func checkWork(t *testing.T, path string, work harness.Notes) {
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
		if begun, ended := work.Begun[run.ID], work.Ended[run.ID]; ended < run.Attempts ||
			begun > run.Attempts+run.Crashes {
			t.Errorf("run %d was begun %d times and came to its end %d times, after %d attempts and "+
				"%d crashes",
				run.ID, begun, ended, run.Attempts, run.Crashes)
		}
	}
}

// checkDatabase checks the file that a process has left behind.
func checkDatabase(t *testing.T, path string, counts map[string]int64, total int64) {
	t.Helper()
	db := openFile(t, path)
	var verdict string
	if err := db.Get(&verdict, "PRAGMA integrity_check"); err != nil || verdict != "ok" {
		t.Errorf("the integrity check says %q, %v", verdict, err)
	}
	for i, status := range []string{"created", "started", "completed", "failed", "cancelled"} {
		counted := harness.NumberIn(t, db, "SELECT count(*) FROM process_runs WHERE status = ?", i)
		stored := harness.NumberIn(t, db, "SELECT n FROM status_counts WHERE status = ?", i)
		if counted != counts[status] || stored != counts[status] {
			t.Errorf("%d runs are %s, the file's own count is %d, and the page's was %d", counted, status,
				stored, counts[status])
		}
	}
	if n := harness.NumberIn(t, db, "SELECT count(*) FROM process_runs"); n != total {
		t.Errorf("there are %d runs instead of %d", n, total)
	}
	// Creation is version 1. Each attempt adds a start and an end, and each crash a start and a rescue.
	if n := harness.NumberIn(t, db,
		"SELECT count(*) FROM process_runs WHERE version <> 1 + 2 * (attempt + crashes) OR attempt NOT "+
			"IN (1, 2)"); n != 0 {
		t.Errorf("%d runs have a version or an attempt that cannot be", n)
	}
	if harness.NumberIn(t, db, "SELECT sum(crashes) FROM process_runs") == 0 {
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
