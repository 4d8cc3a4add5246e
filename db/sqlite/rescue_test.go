package sqlite

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"runboard/app"
)

// crashed returns the path of a file as a crash leaves it: with two runs in each status, and the given number
// of earlier crashes.
func crashed(t *testing.T, crashes int) (path string, before []app.ProcessRun) {
	t.Helper()
	store := newStore(t, Options{MaxCrashes: crashes + 1})
	for _, run := range create(t, store, 2*app.StatusCount) {
		switch status := app.Status(run.ID % app.StatusCount); status {
		case app.Created:
		case app.Started:
			start(t, store, run)
		default:
			if err := store.Finish(ctx, start(t, store, run), app.Outcome{Status: status}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range crashes {
		store = openStore(t, Options{Path: copyOf(t, store.options.Path), MaxCrashes: crashes + 1})
		for id := range int64(2 * app.StatusCount) {
			if app.Status((id+1)%app.StatusCount) == app.Started {
				start(t, store, get(t, store, id+1))
			}
		}
	}
	page, err := store.Page(ctx, app.Query{})
	if err != nil {
		t.Fatal(err)
	}
	return copyOf(t, store.options.Path), page.Runs
}

func TestCrash_RequeuesStartedRuns(t *testing.T) {
	t.Parallel()
	path, before := crashed(t, 0)
	now := time.UnixMilli(1e12).UTC()
	store := openStore(t, Options{Path: path, Now: func() time.Time { return now }})
	for _, want := range before {
		if want.Status == app.Started {
			want.Status, want.UpdatedAt = app.Created, now
			want.Version, want.Crashes, want.Attempt = want.Version+1, want.Crashes+1, want.Attempt-1
		}
		if got := get(t, store, want.ID); got != want {
			t.Errorf("after the crash this is\n%+v and not\n%+v", got, want)
		}
	}
	if counts := checkCounts(t, store); counts != (app.Counts{4, 0, 2, 2, 2}) {
		t.Errorf("the counts are %v", counts)
	}
	if got := store.Recovered(); got != (Recovery{Requeued: 2}) {
		t.Errorf("it says that it recovered %+v", got)
	}
}

func TestCrash_KilledProcessLosesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "runs.db")
	process := exec.Command(os.Args[0], "-test.run=^$")
	process.Env = append(os.Environ(), hangInstead+"="+path)
	if _, err := process.StdinPipe(); err != nil { // keeps the process running
		t.Fatal(err)
	}
	output, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	var started [3]int64
	_, scanErr := fmt.Fscan(output, &started[0], &started[1], &started[2])
	killErr := process.Process.Kill()
	_ = process.Wait() // the error is that the process was killed
	if scanErr != nil || killErr != nil {
		t.Fatal(scanErr, killErr)
	}
	store := openStore(t, Options{Path: path})
	for _, id := range started {
		if run := get(t, store, id); run.Status != app.Created || run.Crashes != 1 || run.Version != 3 ||
			run.Attempt != 0 {
			t.Errorf("after the kill, the run is %+v", run)
		}
	}
	checkCounts(t, store)
}

func TestCrash_FailsRunAtLimit(t *testing.T) {
	t.Parallel()
	path, before := crashed(t, 2)
	now := time.UnixMilli(1e12).UTC()
	store := openStore(t, Options{Path: path, MaxCrashes: 3, Now: func() time.Time { return now }})
	for _, want := range before {
		if want.Status != app.Started {
			continue
		}
		got := get(t, store, want.ID)
		if !strings.HasPrefix(got.Error, "crashed") || !strings.Contains(got.Error, "3 times") {
			t.Errorf("its error is %q", got.Error)
		}
		want.Status, want.Version, want.Crashes = app.Failed, want.Version+1, 3
		want.UpdatedAt, want.FinishedAt, want.Error, want.Failure = now, now, got.Error, got.Failure
		if got != want {
			t.Errorf("after the last crash this is\n%+v and not\n%+v", got, want)
		}
	}
	if counts := checkCounts(t, store); counts != (app.Counts{2, 0, 2, 4, 2}) {
		t.Errorf("the counts are %v", counts)
	}
	if got := store.Recovered(); got != (Recovery{Failed: 2}) {
		t.Errorf("it says that it recovered %+v", got)
	}
}

func TestCrash_MakesFencingTokensStale(t *testing.T) {
	t.Parallel()
	path, before := crashed(t, 0)
	store := openStore(t, Options{Path: path})
	for _, stale := range before {
		if stale.Status != app.Started {
			continue
		}
		start(t, store, stale)
		wantCode(t, store.Finish(ctx, stale, app.Outcome{Status: app.Completed}), app.CodeConflict)
		wantCode(t, store.Requeue(ctx, stale), app.CodeConflict)
	}
}

func TestCrash_IsRecoveredOnce(t *testing.T) {
	t.Parallel()
	path, _ := crashed(t, 0)
	closeStore(t, openStore(t, Options{Path: path}))
	store := openStore(t, Options{Path: path})
	if got := store.Recovered(); got != (Recovery{}) {
		t.Errorf("the second time %+v were recovered", got)
	}
}

// wrongCounts are statements that make the counts of crashed(t, 0) wrong.
var wrongCounts = map[string]string{
	"too many":               "UPDATE status_counts SET n = n + 7 WHERE status = 2",
	"too few of the started": "UPDATE status_counts SET n = 0 WHERE status = 1",
	"too few of the created": "UPDATE status_counts SET n = n - 1 WHERE status = 0",
	"one is missing":         "DELETE FROM status_counts WHERE status = 3",
	"one that is 0 is missing": "UPDATE process_runs SET status = 2 WHERE status = 3; UPDATE status_counts " +
		"SET n = 4 WHERE status = 2; DELETE FROM status_counts WHERE status = 3",
	"all are missing": "DELETE FROM status_counts",
}

func TestCounts_AreRepairedAtOpen(t *testing.T) {
	t.Parallel()
	for name, spoil := range wrongCounts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path, _ := crashed(t, 0)
			change(t, path, spoil)
			store, _ := openLogged(t, path)
			if r := store.Recovered(); !r.Repaired || r.Is.Total() != 2*app.StatusCount {
				t.Errorf("it reports %+v", r)
			}
			if counts := checkCounts(t, store); counts[app.Created] != 4 ||
				counts.Total() != 2*app.StatusCount {
				t.Errorf("the counts are %v", counts)
			}
			start(t, store, create(t, store, 1)[0])
			if err := store.Finish(ctx, get(t, store, 11), app.Outcome{Status: app.Failed}); err != nil {
				t.Fatal(err)
			}
			checkCounts(t, store)
			closeStore(t, store)
			if again, log := openLogged(t, path); log.String() != "" || again.Recovered().Repaired {
				t.Errorf("the second time the log is %q", log)
			}
		})
	}
}

// The runs of a large file are not counted while its counts are plausible, because that may take long.
func TestCounts_OfLargeFileAreRepairedIfImpossible(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil string
		right bool // whether Open corrects the counts
	}{
		"one is missing":                        {wrongCounts["one is missing"], true},
		"the started are not those that are":    {wrongCounts["too few of the started"], true},
		"the completed are more than there are": {wrongCounts["too many"], false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path, _ := crashed(t, 0)
			change(t, path, c.spoil+"; CREATE TABLE ballast (b); INSERT INTO ballast VALUES (zeroblob("+
				fmt.Sprint(quickCheckLimit)+"))")
			store, _ := openLogged(t, path)
			page, err := store.Page(ctx, app.Query{})
			if right := page.Counts == (app.Counts{4, 0, 2, 2, 2}); err != nil || right != c.right {
				t.Errorf("the counts are %v: %v", page.Counts, err)
			}
		})
	}
}
