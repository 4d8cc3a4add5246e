package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"

	"runboard/app"
	"runboard/db/query"
)

func TestNotify_ReachesOtherNodes(t *testing.T) {
	t.Parallel()
	a, b := newStores(t, Options{})
	notified, stop := b.Changed().Subscribe()
	defer stop()
	for range 3 {
		run := create(t, a, 1)[0]
		until(t, "the other node sees the run", func() bool {
			awaitNotification(t, notified)
			page, err := b.Page(ctx, app.Query{})
			ok(t, err)
			return len(page.Runs) > 0 && page.Runs[0].ID == run.ID
		})
	}
}

func TestNotify_DoesNotEchoOwnChanges(t *testing.T) {
	t.Parallel()
	a, b := newStores(t, Options{})
	notified, stop := a.Changed().Subscribe()
	defer stop()
	others, stopOthers := b.Changed().Subscribe()
	defer stopOthers()
	create(t, a, 1)
	awaitNotification(t, notified)
	awaitNotification(t, others) // so the word has gone round
	create(t, b, 1)
	awaitNotification(t, notified)
	select {
	case <-notified:
		t.Error("its own word came back to it")
	default:
	}
}

// endListeners ends the connections that listen and waits until they are gone. It returns how many there
// were.
const endListeners = `SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity
	WHERE datname = current_database() AND query = 'LISTEN ` + channel + `'`

func TestNotify_ReconnectNotifies(t *testing.T) {
	t.Parallel()
	a, b := newStores(t, Options{})
	for range 2 {
		notified, stop := b.Changed().Subscribe()
		if n := number(t, a, endListeners); n != 2 {
			t.Fatalf("%d listen", n)
		}
		awaitNotification(t, notified)
		stop()
		until(t, "both listen again", func() bool {
			return number(t, a, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query = 'LISTEN `+channel+`'`) == 2
		})
		until(t, "both are ready again", func() bool { return a.Ready() == nil && b.Ready() == nil })
	}
	notified, stop := b.Changed().Subscribe()
	defer stop()
	create(t, a, 1)
	awaitNotification(t, notified)
}

func TestCounts_AreRightAfterConcurrentWrites(t *testing.T) {
	t.Parallel()
	a, b := newStores(t, Options{})
	var group sync.WaitGroup
	for worker := range 16 {
		store := []*Store{a, b}[worker%2]
		group.Go(func() {
			for range 10 {
				batch, err := store.Create(ctx, app.CreateRequest{Kind: kind, Count: 5})
				if err != nil {
					t.Error(err)
					return
				}
				for i, run := range batch.Runs() {
					if err := live(store, run, i); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	group.Wait()
	if counts := checkCounts(t, a); counts != (app.Counts{160, 160, 160, 160, 160}) {
		t.Errorf("the counts are %v", counts)
	}
	failures, err := a.Failures(ctx, app.MostRuns)
	if ok(t, err); failures.Groups != 3 || failures.Runs != 160 {
		t.Errorf("there are %d failures of %d runs", failures.Groups, failures.Runs)
	}
	var hours int64
	for _, failure := range failures.Failures {
		hours += failure.Hours[app.FailureHours-1] + failure.Hours[app.FailureHours-2]
	}
	if hours != 160 {
		t.Errorf("by the hour there are %d", hours)
	}
}

// live brings a run to one of the statuses.
func live(store *Store, run app.ProcessRun, to int) error {
	if app.Status(to) == app.Created {
		return nil
	}
	started, err := store.Start(ctx, run)
	if err != nil || app.Status(to) == app.Started {
		return err
	}
	outcome := app.Outcome{Status: app.Status(to)}
	if outcome.Status == app.Failed {
		outcome.Error = []string{"paper jam", "out of ink", "no idea"}[rand.N(3)]
	}
	return store.Finish(ctx, started, outcome)
}

func TestCreate_ConcurrentBatchesHaveConsecutiveIDs(t *testing.T) {
	t.Parallel()
	a, b := newStores(t, Options{})
	var group sync.WaitGroup
	var mu sync.Mutex
	var all []int64
	for worker := range 12 {
		store := []*Store{a, b}[worker%2]
		group.Go(func() {
			for i := range 15 {
				batch, err := store.Create(ctx,
					app.CreateRequest{Kind: fmt.Sprint("kind ", worker, " ", i), Count: 1 + i})
				if err != nil {
					t.Error(err)
					return
				}
				runs, _, err := store.Runs(ctx, app.Filter{Kind: batch.Kind}, 1<<60, 100)
				if err != nil || len(runs) != batch.Count || runs[0].ID != batch.Last() ||
					runs[batch.Count-1].ID != batch.First {
					t.Errorf("of %+v there are %+v: %v", batch, runs, err)
				}
				mu.Lock()
				for _, run := range batch.Runs() {
					all = append(all, run.ID)
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	if slices.Sort(all); len(slices.Compact(all)) != 12*15*16/2 {
		t.Error("some ids were given twice")
	}
}

func TestCreate_KeyIsSharedByNodes(t *testing.T) {
	t.Parallel()
	a, b := newStores(t, Options{})
	const keys, repeats = 8, 10
	var answers [keys][repeats]app.Batch
	var group sync.WaitGroup
	for key := range keys {
		for repeat := range repeats {
			store := []*Store{a, b}[repeat%2]
			group.Go(func() {
				batch, err := store.Create(ctx,
					app.CreateRequest{Kind: kind, Count: 3, IdempotencyKey: strconv.Itoa(key)})
				if err != nil {
					t.Error(err)
				}
				answers[key][repeat] = batch
			})
		}
	}
	group.Wait()
	for _, same := range answers {
		if len(slices.Compact(same[:])) != 1 {
			t.Errorf("one request got several answers: %+v", same)
		}
	}
	if n := number(t, a, "SELECT count(*) FROM process_runs"); n != keys*3 {
		t.Errorf("%d runs were made", n)
	}
}

func TestStepBulkAction_ConcurrentNodesChangeRunsOnce(t *testing.T) {
	t.Parallel()
	a, b := newStores(t, Options{})
	const many = 700
	create(t, a, many)
	asked, err := a.CreateBulkAction(ctx, app.BulkAction{Operation: app.BulkCancel}, "")
	ok(t, err)
	run := start(t, b, asked)
	var group sync.WaitGroup
	for _, store := range []*Store{a, b, a, b} {
		group.Go(func() {
			for {
				state, err := store.StepBulkAction(ctx, run)
				if err == nil && state.Finished {
					return
				}
				if err != nil && app.CodeOf(err) != app.CodeUnavailable { // another one was faster
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	state, err := a.StepBulkAction(ctx, run)
	if ok(t, err); state.Done != many || state.Skipped != 0 {
		t.Errorf("it has done %+v", state)
	}
	if counts := checkCounts(t, a); counts[app.Cancelled] != many {
		t.Errorf("there are %v", counts)
	}
}

func TestStatistics_AddUpAllNodes(t *testing.T) {
	t.Parallel()
	a, b := newStores(t, Options{})
	for i, run := range create(t, a, 20) {
		store := []*Store{a, b}[i%2]
		ok(t, store.Finish(ctx, start(t, store, run), app.Outcome{Status: app.Completed}))
	}
	want := app.Counters{Created: 20, Started: 20, Completed: 20}
	for _, store := range []*Store{a, b} {
		until(t, "all is added up", func() bool {
			stats, err := store.Statistics(ctx, app.Last24Hours)
			ok(t, err)
			return app.Sum(stats.Recent.Counters) == want && app.Sum(stats.Period.Counters) == want &&
				stats.Recent.Kinds[0].RunTime.Count == 20
		})
	}
}

// A worker that was slow finds that another one has gone on with the action: what it has done must be undone,
// for it is not counted.
func TestStepBulkAction_UndoesRepeatedPart(t *testing.T) {
	t.Parallel()
	a, b := newStores(t, Options{})
	create(t, a, 5)
	asked, err := a.CreateBulkAction(ctx, app.BulkAction{Operation: app.BulkCancel}, "")
	ok(t, err)
	run := start(t, a, asked)
	overtaken := query.NewBulkActions(a.Reader, slowDatabase{database{a}, b, t}, bulkStepTime)
	_, err = overtaken.StepBulkAction(ctx, run)
	if !errors.Is(err, query.ErrConcurrentAction) {
		t.Errorf("it ends with %v", err)
	}
	if counts := checkCounts(t, a); counts[app.Cancelled] != 0 {
		t.Errorf("there are %v", counts)
	}
}

// slowDatabase lets another node perform a part of all bulk actions before each of its writes.
type slowDatabase struct {
	database
	other *Store
	t     *testing.T
}

func (db slowDatabase) WriteBulk(ctx context.Context, f func(query.BulkWriter) error) error {
	execute(db.t, db.other, "UPDATE bulk_actions SET next = next - 1")
	return db.database.WriteBulk(ctx, f)
}
