package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"runboard/app"
	"runboard/db/sqlite"
	"runboard/jobs"
)

// logOf returns the whole log of a run, as far as the store keeps it.
func logOf(t *testing.T, store *sqlite.Store, run int64) app.Log {
	t.Helper()
	log, err := store.Log(t.Context(), app.LogQuery{Run: run, Bytes: math.MaxInt, Lines: math.MaxInt})
	if err != nil {
		t.Fatal(err)
	}
	return log
}

func textOf(log app.Log) string {
	var text strings.Builder
	for _, line := range log.Lines {
		text.WriteString(line.Text)
	}
	return text.String()
}

func TestLog_IsSavedDuringTheWork(t *testing.T) {
	t.Parallel()
	goOn := make(chan struct{})
	store := openStore(t)
	start(t, newQueue(store, jobs.Kind{Name: "report", Work: func(_ context.Context, run *jobs.Run) error {
		run.Log("working")
		<-goOn
		run.Logf("%d done", 3)
		return nil
	}}))
	id := create(t, store, "report", 1)
	waitUntil(t, store, "the first line", func() bool { return textOf(logOf(t, store, id)) == "working\n" })
	if run := read(t, store, id); run.Status != app.Started || run.Version != 2 {
		t.Errorf("meanwhile the run is %+v", run)
	}
	close(goOn)
	waitForStatus(t, store, id, app.Completed)
	if text := textOf(logOf(t, store, id)); text != "working\n3 done\n" {
		t.Errorf("in the end the log is %q", text)
	}
}

func TestLog_NewAttemptsHaveAHeader(t *testing.T) {
	t.Parallel()
	var attempts atomic.Int32
	store := openStore(t)
	queue := newQueue(store, jobs.Kind{Name: "report", Work: func(_ context.Context, run *jobs.Run) error {
		if attempts.Add(1) == 2 {
			return jobs.RetryAfter(0, errors.New("it says nothing"))
		}
		run.Logf("this is %d", run.Attempt)
		return jobs.RetryAfter(0, errBroken)
	}})
	queue.Executor.MaxAttempts = 3
	start(t, queue)
	id := create(t, store, "report", 1)
	waitForStatus(t, store, id, app.Failed)
	log := logOf(t, store, id)
	if text := textOf(log); text != "this is 1\nattempt 3 of 3\nthis is 3\n" {
		t.Fatalf("the log is %q", text)
	}
	if log.Lines[0].Stream != app.Stdout || log.Lines[1].Stream != app.ServerLog {
		t.Errorf("the lines are by %s and %s", log.Lines[0].Stream, log.Lines[1].Stream)
	}
}

func TestLog_ConcurrentWritersLoseNothing(t *testing.T) {
	t.Parallel()
	const writers, lines = 8, 500
	store := openStore(t)
	start(t, newQueue(store, jobs.Kind{Name: "report", Work: func(_ context.Context, run *jobs.Run) error {
		var all sync.WaitGroup
		for w := range writers {
			all.Go(func() {
				for i := range lines {
					run.Logf("%d %d %s", w, i, strings.Repeat("x", 50))
				}
			})
		}
		all.Wait()
		return nil
	}}))
	id := create(t, store, "report", 1)
	waitForStatus(t, store, id, app.Completed)
	next := map[int]int{}
	for _, line := range logOf(t, store, id).Lines {
		var writer, number int
		if _, err := fmt.Sscanf(line.Text, "%d %d", &writer, &number); err != nil || number != next[writer] {
			t.Fatalf("after line %d of writer %d comes %q", next[writer]-1, writer, line.Text)
		}
		next[writer]++
	}
	for w := range writers {
		if next[w] != lines {
			t.Errorf("of writer %d there are %d lines", w, next[w])
		}
	}
}

func TestLog_WaitsForTheDatabase(t *testing.T) {
	t.Parallel()
	fault := failing(3)
	store := &hookedStore{Store: openStore(t),
		beforeProgress: func(app.ProgressUpdate) error { return fault() }}
	start(t, newQueue(store, jobs.Kind{Name: "report", Work: func(_ context.Context, run *jobs.Run) error {
		for i := range 100 {
			run.Logf("line %d", i)
		}
		return nil
	}}))
	id := create(t, store.Store, "report", 1)
	waitForStatus(t, store.Store, id, app.Completed)
	if log := logOf(t, store.Store, id); len(log.Lines) != 100 || log.Lines[99].Text != "line 99\n" {
		t.Errorf("there are %d lines", len(log.Lines))
	}
}

func TestRun_DropsReportsAfterTheEnd(t *testing.T) {
	t.Parallel()
	late := make(chan struct{})
	store := openStore(t)
	kept := make(chan *jobs.Run, 1)
	start(t, newQueue(store, jobs.Kind{Name: "report", Work: func(_ context.Context, run *jobs.Run) error {
		run.Log("in time")
		kept <- run
		return nil
	}}))
	id := create(t, store, "report", 1)
	waitForStatus(t, store, id, app.Completed)
	go func() {
		defer close(late)
		report := <-kept
		for range 1000 {
			report.Log(strings.Repeat("late", 100))
		}
	}()
	receive(t, late, "the late lines")
	if text := textOf(logOf(t, store, id)); text != "in time\n" {
		t.Errorf("the log is %q", text)
	}
}
