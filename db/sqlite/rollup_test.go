package sqlite

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"runboard/app"
	"runboard/db/dbtest"
	"runboard/db/query"
)

// table returns a function that reads the rollups on a separate connection: the number of steps, and their
// sum.
func table(t *testing.T, store *Store) (written func(step time.Duration) (steps int, flow app.Counters)) {
	t.Helper()
	pool := openReadOnly(t, store.options.Path)
	return func(step time.Duration) (steps int, flow app.Counters) {
		t.Helper()
		var row struct {
			Steps int
			app.Counters
		}
		err := pool.Get(&row, `SELECT COUNT(*) AS steps, ifnull(SUM(created), 0) AS created, ifnull(SUM(requeued), 0) AS requeued,
			ifnull(SUM(started), 0) AS started, ifnull(SUM(completed), 0) AS completed, ifnull(SUM(failed), 0) AS failed, ifnull(SUM(cancelled), 0) AS cancelled
			FROM rollups WHERE step = ?`, step.Milliseconds())
		if err != nil {
			t.Fatal(err)
		}
		return row.Steps, row.Counters
	}
}

func wantWritten(t *testing.T, store *Store, want app.Counters) {
	t.Helper()
	written := table(t, store)
	for _, step := range []time.Duration{app.Last15Minutes.Step(), app.Last24Hours.Step()} {
		if _, flow := written(step); flow != want {
			t.Errorf("in steps of %s there is %+v, and not %+v", step, flow, want)
		}
	}
}

func TestRollups_AreSavedWithLaterTransaction(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{rollEvery: time.Nanosecond})
	written := table(t, store)
	release := hold(t, store) // so that the writer's ticker does not fire between the two
	first := enqueue(t, store, func(tx *transaction) error {
		_, err := tx.InsertRuns(newRuns(2))
		return err
	})
	release()
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	var commits int
	onCommit(t, store, func() bool { commits++; return true })
	create(t, store, 3)
	if _, flow := written(app.Last15Minutes.Step()); flow.Created < 2 || commits > 2 {
		t.Errorf("after %d commits there is %+v", commits, flow)
	}
}

func TestRollups_AreSavedWithoutOtherWrites(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	written := table(t, store)
	notified, stop := store.Changed().Subscribe()
	defer stop()
	create(t, store, 5)
	<-notified
	until(t, "it is written", func() bool {
		_, flow := written(app.Last24Hours.Step())
		return flow.Created == 5
	})
	wantWritten(t, store, app.Counters{Created: 5})
	if len(notified) > 0 {
		t.Error("subscribers were notified although no run has changed")
	}
}

func TestRollups_AreSavedByClose(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{rollEvery: time.Hour})
	start(t, store, create(t, store, 5)[0])
	wantWritten(t, store, app.Counters{})
	closeStore(t, store)
	wantWritten(t, store, app.Counters{Created: 5, Started: 1})
}

func TestRollups_IgnoreRolledBackWrites(t *testing.T) {
	t.Parallel()
	for name, spoil := range spoilers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := newStore(t, Options{rollEvery: time.Hour})
			run := create(t, store, 1)[0]
			release := hold(t, store)
			var group sync.WaitGroup
			group.Go(func() { _ = startIt(store, run) })
			waitForWrites(t, store, 1)
			spoilt := enqueue(t, store, spoil)
			release()
			group.Wait()
			if err := <-spoilt; err == nil {
				t.Error("it was not spoilt")
			}
			onCommit(t, store, func() bool { return false })
			if _, err := store.Create(ctx, app.CreateRequest{Kind: kind, Count: 7}); err == nil {
				t.Error("it was committed")
			}
			onCommit(t, store, func() bool { return true })
			closeStore(t, store)
			wantWritten(t, store, app.Counters{Created: 1, Started: 1})
		})
	}
}

func TestRollups_AddUpWithinStep(t *testing.T) {
	t.Parallel()
	clock := dbtest.NewClock()
	clock.Advance(time.Minute) // from the end of a step to the middle of one
	store := newStore(t, Options{Now: clock.Now, rollEvery: time.Nanosecond})
	written := table(t, store)
	for i := range 5 { // each transaction writes the statistics of the earlier ones
		run := start(t, store, create(t, store, 1)[0])
		if err := store.Finish(ctx, run, app.Outcome{Status: app.Completed}); err != nil {
			t.Fatal(err)
		}
		if i == 3 {
			clock.Advance(app.Last15Minutes.Step())
		}
	}
	until(t, "all is written",
		func() bool { _, flow := written(app.Last24Hours.Step()); return flow.Completed == 5 })
	recent, _ := written(app.Last15Minutes.Step())
	day, _ := written(app.Last24Hours.Step())
	stats, err := store.Statistics(ctx, app.Last24Hours)
	if err != nil || recent != 2 || day != 1 || stats.Recent.Kinds[0].QueueTime.Count != 5 ||
		stats.Period.Kinds[0].RunTime.Count != 5 {
		t.Errorf("in %d and %d steps there are the times %+v: %v", recent, day, stats.Recent.Kinds, err)
	}
}

// Statistics survive the rollback of the transaction that would have saved them; the next one saves them.
func TestRollups_SurviveFailedCommit(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{rollEvery: time.Nanosecond})
	onCommit(t, store, func() bool { return true })
	create(t, store, 1)
	onCommit(t, store, func() bool { return false })
	for range 3 {
		if _, err := store.Create(ctx, app.CreateRequest{Kind: kind, Count: 7}); err == nil {
			t.Fatal("it was committed")
		}
	}
	onCommit(t, store, func() bool { return true })
	create(t, store, 2)
	closeStore(t, store)
	wantWritten(t, store, app.Counters{Created: 3})
}

func TestRollups_FailureDoesNotFailRuns(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{rollEvery: time.Nanosecond})
	release := hold(t, store)
	spoilt := enqueue(t, store, func(tx *transaction) error {
		_, err := tx.conn.ExecContext(ctx, "DROP TABLE rollups")
		return err
	})
	release()
	if err := <-spoilt; err != nil {
		t.Fatal(err)
	}
	for _, run := range create(t, store, 3) {
		if err := store.Finish(ctx, start(t, store, run), app.Outcome{Status: app.Completed}); err != nil {
			t.Error(err)
		}
	}
	if counts := checkCounts(t, store); counts != (app.Counts{app.Completed: 3}) || store.Ready() != nil {
		t.Errorf("the counts are %v, and it is ready: %v", counts, store.Ready())
	}
}

func TestRollups_AreDroppedWhenOld(t *testing.T) {
	t.Parallel()
	clock := dbtest.NewClock()
	store := newStore(t, Options{Now: clock.Now})
	written := table(t, store)
	total := 0
	add := func() {
		t.Helper()
		create(t, store, 1)
		total++
		until(t, "it is written", func() bool {
			_, flow := written(app.Last24Hours.Step())
			return flow.Created == min(int64(total), 3)
		})
	}
	// The clock advances by 16 hours per round, so the fourth step begins more than two days after the first.
	for _, want := range [][2]int{{1, 1}, {1, 2}, {1, 3}} {
		add()
		recent, _ := written(app.Last15Minutes.Step())
		day, _ := written(app.Last24Hours.Step())
		if recent != want[0] || day != want[1] {
			t.Fatalf("there are %d and %d steps, and not %v", recent, day, want)
		}
		clock.Advance(16*time.Hour + time.Minute)
	}
	create(t, store, 1)
	until(t, "the first one is dropped", func() bool {
		recent, _ := written(app.Last15Minutes.Step())
		day, flow := written(app.Last24Hours.Step())
		return recent == 1 && day == 3 && flow.Created == 3
	})
}

func TestRollups_SkipDamagedHistogram(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/runs.db"
	closeStore(t, openStore(t, Options{Path: path}))
	now := time.Now()
	change(t, path, fmt.Sprintf(`INSERT INTO rollups VALUES (%d, %d, 'x', 0, 1, 0, 2, 0, 0, 0, x'ffffffffffffffffff01ff', x'00')`,
		app.Last15Minutes.Step().Milliseconds(),
		now.Add(-time.Minute).Truncate(app.Last15Minutes.Step()).UnixMilli()))
	stats, err := openStore(t, Options{Path: path}).Statistics(ctx, app.Last24Hours)
	if sum := app.Sum(stats.Recent.Counters); err != nil || sum != (app.Counters{Created: 1, Started: 2}) {
		t.Errorf("they are %+v: %v", sum, err)
	}
}

func TestPlan_StatisticsUsePrimaryKey(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	for text, args := range map[string][]any{query.RollupsSQL: {1, 2, 3},
		query.FindRollupSQL: {1, 2, "a", 0}, dropRollups: {1, 2}} {
		if got := plan(t, store, text, args...); !strings.Contains(got, "SEARCH rollups USING PRIMARY KEY") ||
			strings.Contains(got, "SCAN") {
			t.Errorf("the plan is: %s", got)
		}
	}
}

func TestPlan_UnhandledKindsUseKindIndex(t *testing.T) {
	t.Parallel()
	got := plan(t, newStore(t, Options{}), dialect.UnhandledSQL(), 100, `["a"]`, 3)
	const search = "USING COVERING INDEX process_runs_by_kind "
	if strings.Count(got, search+"(kind>?)") != 1 ||
		strings.Count(got, search+"(kind=? AND status=?)") != 2 ||
		strings.Contains(got, "SCAN process_runs") {
		t.Errorf("the plan is: %s", got)
	}
}

// BenchmarkUnserved reads a page with a hundred thousand waiting runs of several kinds.
func BenchmarkUnserved(b *testing.B) {
	for _, kinds := range []int{1, 10, 100} {
		b.Run(fmt.Sprint(kinds), func(b *testing.B) {
			store := newStore(b,
				Options{Synchronous: "normal", Kinds: func() []string { return []string{"0"} }})
			for i := range 100 {
				if _, err := store.Create(ctx,
					app.CreateRequest{Kind: fmt.Sprint(i % kinds), Count: app.MaxCount}); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				if _, err := store.Page(ctx, app.Query{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkStatistics(b *testing.B) {
	clock := dbtest.NewClock()
	store := newStore(b, Options{Synchronous: "normal", Now: clock.Now, rollEvery: time.Nanosecond})
	for range int(app.Last24Hours.Length() / time.Minute) {
		for i := range 5 {
			batch, err := store.Create(ctx, app.CreateRequest{Kind: fmt.Sprint(i), Count: 1})
			if err != nil {
				b.Fatal(err)
			}
			start(b, store, batch.Runs()[0])
		}
		clock.Advance(time.Minute)
	}
	for b.Loop() {
		if _, err := store.Statistics(ctx, app.Last24Hours); err != nil {
			b.Fatal(err)
		}
	}
}
