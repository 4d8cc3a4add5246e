package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"runboard/app"
)

// held keeps a group busy until it is let go, so that what is asked for meanwhile gathers.
func held(t *testing.T, g *coalescer, n int, ask func(i int)) {
	t.Helper()
	g.mu.Lock()
	g.leading = true
	g.mu.Unlock()
	var asking sync.WaitGroup
	for i := range n {
		asking.Go(func() { ask(i) })
	}
	until(t, "all have asked", func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return len(g.waiting) == n
	})
	g.handOver()
	asking.Wait()
}

func TestCoalescer_AnswersEveryCallerOfBatch(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	const n = 40
	var runs []app.ProcessRun
	for _, run := range create(t, store, n) {
		runs = append(runs, start(t, store, run))
	}
	_, err := store.Cancel(ctx, runs[7].ID)
	ok(t, err)
	runs = append(runs, runs[3], app.ProcessRun{ID: 1e9, FencingToken: 1}) // one twice, and one that is not there
	done, failed := make([]app.ProcessRun, len(runs)), make([]error, len(runs))
	held(t, store.completions, len(runs), func(i int) { done[i], failed[i] = store.complete(ctx, runs[i]) })
	if failed[3] == nil { // the second of the two fails
		failed[3], failed[n] = failed[n], failed[3]
	}
	for i, err := range failed {
		late := slices.Contains([]int{3, 7, n + 1}, i)
		if want := map[bool]app.Code{true: app.CodeConflict}[late]; app.CodeOf(err) != want {
			t.Errorf("the end of %+v: %v", runs[i], err)
		} else if err == nil && i < n && done[i].ID != runs[i].ID {
			t.Errorf("asked for %+v, got %+v", runs[i], done[i])
		}
	}
	if n := number(t, store, `SELECT count(DISTINCT xmin::text) FROM process_runs WHERE status = 2`); n != 1 {
		t.Errorf("they are made by %d statements", n)
	}
	if got := number(t, store,
		`SELECT count(*) FROM run_events WHERE status = 2 AND version = 3`); got != n-1 {
		t.Errorf("%d callers got a result", got)
	}
}

// Every caller gets an answer, and the next caller a coalescer that works.
func TestCoalescer_ReportsFailureToAllCallers(t *testing.T) {
	t.Parallel()
	broken, calls := errors.New("broken"), 0
	for name, do := range map[string]func(context.Context, []*updateRequest) error{
		"by an error": func(context.Context, []*updateRequest) error { calls++; return broken },
		"by a panic":  func(context.Context, []*updateRequest) error { panic(broken) },
	} {
		g := &coalescer{do: do}
		for range 2 {
			held(t, g, 10, func(int) {
				defer func() { _ = recover() }() // the leader panics again
				if _, err := g.change(ctx, &updateRequest{run: 1, expected: 1}); !errors.Is(err, broken) &&
					!errors.Is(err, errPanicked) {
					t.Errorf("broken %s, a caller gets %v", name, err)
				}
			})
		}
	}
	if calls != 2 {
		t.Errorf("it is tried %d times for two groups", calls)
	}
}

func TestCoalescer_LimitsBatchSize(t *testing.T) {
	t.Parallel()
	var sizes []int // one at a time: only one is let go
	g := &coalescer{do: func(_ context.Context,
		wanted []*updateRequest) error {
		sizes = append(sizes, len(wanted))
		return nil
	}}
	held(t, g, 2*maxBatch+1, func(int) { _, _ = g.change(ctx, &updateRequest{run: 1, expected: 1}) })
	if !slices.Equal(sizes, []int{maxBatch, maxBatch, 1}) {
		t.Errorf("they are made %v at a time", sizes)
	}
}

// refuseRun has the server refuse every change of a run.
func refuseRun(t *testing.T, store *Store, run int64) {
	t.Helper()
	execute(t, store, `CREATE FUNCTION refuse_run() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$`)
	execute(t, store, fmt.Sprintf(`CREATE TRIGGER refuse_run BEFORE UPDATE OR DELETE ON process_runs FOR EACH ROW WHEN (OLD.id = %d)
		EXECUTE FUNCTION refuse_run()`, run))
}

func TestCoalescer_FailedUpdateFailsAlone(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	const n = 39
	var runs []app.ProcessRun
	for _, run := range create(t, store, n) {
		runs = append(runs, start(t, store, run))
	}
	refuseRun(t, store, runs[9].ID)
	failed := make([]error, n)
	held(t, store.completions, n, func(i int) {
		failed[i] = store.Finish(ctx, runs[i], app.Outcome{Status: app.Completed})
	})
	for i, err := range failed {
		if refused := err != nil; refused != (i == 9) {
			t.Errorf("the end of run %d: %v", i, err)
		}
	}
	checkCounts(t, store)
}

func TestCoalescer_LockedRunFailsAlone(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	var runs []app.ProcessRun
	for _, run := range create(t, store, 10) {
		runs = append(runs, start(t, store, run))
	}
	busy, err := store.db.BeginTxx(ctx, nil)
	ok(t, err)
	defer func() { _ = busy.Rollback() }()
	// Longer than the ends take.
	_, err = busy.ExecContext(ctx, "SET LOCAL idle_in_transaction_session_timeout = 0")
	ok(t, err)
	_, err = busy.ExecContext(ctx, "SELECT id FROM process_runs WHERE id = $1 FOR UPDATE", runs[3].ID)
	ok(t, err)
	failed := make([]error, len(runs))
	held(t, store.completions, len(runs), func(i int) { _, failed[i] = store.complete(ctx, runs[i]) })
	for i, err := range failed {
		if refused := err != nil; refused != (i == 3) {
			t.Errorf("the end of run %d: %v", i, err)
		}
	}
}

// Runs that are started together often end together.
func TestCoalescer_FirstCallerWaitsForOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var sizes []int
		g := &coalescer{do: func(_ context.Context, wanted []*updateRequest) error {
			sizes = append(sizes, len(wanted))
			return nil
		}}
		for range 2 {
			var asking sync.WaitGroup
			for i := range 10 {
				asking.Go(func() {
					time.Sleep(time.Duration(i) * linger / 20)
					_, _ = g.change(t.Context(), &updateRequest{run: 1, expected: 1})
				})
			}
			asking.Wait()
		}
		if !slices.Equal(sizes, []int{10, 10}) {
			t.Errorf("they are made %v at a time", sizes)
		}
	})
}
