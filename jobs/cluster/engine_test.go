package cluster_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"runboard/app"
	"runboard/db/postgres"
	"runboard/jobs"
	"runboard/jobs/cluster"
)

func TestEngine_ExecutesEachRunOnce(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	other := openAt(t, store.Pool().Config().ConnString())
	var done journal[int64]
	work := func(_ context.Context, run *jobs.Run) error {
		done.add(run.ID)
		return nil
	}
	for _, node := range []*postgres.Store{store, other} {
		start(t, newEngine(node, jobs.Kind{Name: "report", Work: work},
			jobs.Kind{Name: "back up", Work: work}))
	}
	create(t, store, "report", 50)
	create(t, store, "back up", 50) // not a valid kind of job
	waitForCount(t, store, 100, app.Completed)
	ids := done.all()
	slices.Sort(ids)
	if len(slices.Compact(ids)) != 100 || len(done.all()) != 100 {
		t.Errorf("%d runs were worked on %d times", len(slices.Compact(ids)), len(done.all()))
	}
}

func TestEngine_LeavesUnknownKinds(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	elsewhere, aside := create(t, store, "elsewhere", 1), create(t, store, "elsewhere", 1)
	here, quarantined := create(t, store, "here", 1), create(t, store, "here", 1)
	for _, run := range []int64{aside, quarantined} {
		crash(t, store, run, maxCrashes-1)
	}
	start(t, newEngine(store, jobs.Kind{Name: "here", Work: nothing}))
	waitForStatus(t, store, here, app.Completed)
	waitForStatus(t, store, quarantined, app.Completed)
	for _, id := range []int64{elsewhere, aside} {
		if run := read(t, store, id); run.Status != app.Created {
			t.Fatalf("without its kind the run is %+v", run)
		}
		if n := jobCount(t, store, id); n != 1 {
			t.Errorf("it has %d jobs", n)
		}
	}
	other := openAt(t, store.Pool().Config().ConnString())
	start(t, newEngine(other, jobs.Kind{Name: "elsewhere", Work: nothing}))
	waitForStatus(t, store, elsewhere, app.Completed)
	waitForStatus(t, store, aside, app.Completed)
}

func TestEngine_StartsOldestFirst(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	first := create(t, store, "test", 10)
	g := newGated()
	engine := newEngine(store, g.kind("test"))
	engine.Workers = 1
	start(t, engine)
	for i := range int64(10) {
		if run := receive(t, g.working, "work"); run.ID != first+i {
			t.Fatalf("run %d is worked on, not %d", run.ID, first+i)
		}
		g.gate <- struct{}{}
	}
}

// A fetch is limited, but not the number of workers.
func TestEngine_FillsAllItsWorkers(t *testing.T) {
	t.Parallel()
	const workers = 3*cluster.MaxFetch + 1
	store, g := openStore(t), newGated()
	engine := newEngine(store, g.kind("test"))
	engine.Workers = workers
	start(t, engine)
	create(t, store, "test", workers+1)
	for range workers {
		receive(t, g.working, "work on all runs but one")
	}
	g.gate <- struct{}{}
	receive(t, g.working, "work on the last run")
	close(g.gate)
	waitForCount(t, store, workers+1, app.Completed)
}

func TestEngine_RetriesAFailedRun(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	engine := newEngine(store, jobs.Kind{Name: "test", Work: func(_ context.Context, run *jobs.Run) error {
		if run.Row().FencingToken < 3 {
			return jobs.RetryAfter(time.Millisecond, errBroken)
		}
		return nil
	}})
	engine.Runs.MaxAttempts = 2
	start(t, engine)
	id := create(t, store, "test", 1)
	if run := waitForStatus(t, store, id, app.Failed); run.Attempt != 2 || run.Error != "broken" {
		t.Errorf("after its attempts the row is %+v", run)
	}
	if _, err := store.Retry(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if run := waitForStatus(t, store, id, app.Completed); run.Attempt != 1 || run.FencingToken != 3 ||
		run.Error != "" {
		t.Errorf("retried manually, the row is %+v", run)
	}
}

func TestEngine_GivesEachAttemptItsInputs(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	given := make(chan app.InputValues, 2)
	start(t, newEngine(store, jobs.Kind{
		Name: "test",
		Info: app.Kind{
			Inputs: []app.Input{{Name: "level", Type: app.NumberInput}}, Policy: app.Policy{Attempts: 2},
		},
		Work: func(_ context.Context, run *jobs.Run) error {
			given <- run.Inputs()
			return jobs.RetryAfter(time.Millisecond, errBroken)
		},
	}))
	values := app.InputValues{{Name: "level", Type: app.NumberInput, Texts: []string{"6.0"}}}
	batch, err := store.Create(t.Context(), app.CreateRequest{Kind: "test", Count: 1, Inputs: values})
	if err != nil {
		t.Fatal(err)
	}
	for attempt := range 2 {
		if got := receive(t, given, "the work"); !reflect.DeepEqual(got, values) {
			t.Errorf("attempt %d has %+v", attempt+1, got)
		}
	}
	waitForStatus(t, store, batch.First, app.Failed)
}

func TestEngine_PanicFailsTheRun(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	start(t, newEngine(store, jobs.Kind{Name: "panics",
		Work: func(context.Context, *jobs.Run) error { panic("oh") }}))
	if run := waitForStatus(t, store, create(t, store, "panics", 1), app.Failed); run.Error != "the work panicked; the server's log says where" {
		t.Errorf("the run is %+v", run)
	}
}

func TestEngine_TimeoutFailsTheRun(t *testing.T) {
	t.Parallel()
	store, g := openStore(t), newGated()
	engine := newEngine(store, g.kind("slow"))
	engine.Runs.RunTimeout = 100 * time.Millisecond
	start(t, engine)
	if run := waitForStatus(t, store, create(t, store, "slow", 1), app.Failed); run.Error != "timed out after 100 ms (limit)" {
		t.Errorf("the run is %+v", run)
	}
}

func TestEngine_CancelsInEveryStatus(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	stopped := make(chan error, 1)
	working := make(chan struct{})
	engine := newEngine(store,
		jobs.Kind{Name: "works", Work: func(ctx context.Context, _ *jobs.Run) error {
			close(working)
			<-ctx.Done()
			stopped <- context.Cause(ctx)
			return context.Cause(ctx)
		}},
		jobs.Kind{Name: "waits", Work: nothing})
	cancel := func(run int64, status app.Status) {
		t.Helper()
		if _, err := store.Cancel(t.Context(), run); err != nil {
			t.Fatal(err)
		}
		waitForStatus(t, store, run, app.Cancelled)
	}
	waits := create(t, store, "waits", 1)
	cancel(waits, app.Cancelled)
	start(t, engine)
	works := create(t, store, "works", 1)
	receive(t, working, "the work")
	cancel(works, app.Started)
	if err := receive(t, stopped, "the cancellation"); !errors.Is(err, jobs.ErrCancelled) {
		t.Errorf("the work was stopped by %v", err)
	}
	if n := jobCount(t, store, waits); n != 0 {
		t.Errorf("the run that waited has %d jobs", n)
	}
}

// cancelStore wraps a store and returns the cancel requests of the test.
type cancelStore struct {
	app.ClusterStore
	stopping []app.CancelRequest
	answers  atomic.Int32 // number of calls of CancelRequests
}

func (w *cancelStore) CancelRequests(context.Context) ([]app.CancelRequest, error) {
	w.answers.Add(1)
	return w.stopping, nil
}

func TestCancelRequest_NeedsNoNotification(t *testing.T) {
	t.Parallel()
	store, g := openStore(t), newGated()
	works := create(t, store, "works", 1)
	engine := newEngine(store, g.kind("works"))
	unheard := &cancelStore{ClusterStore: store, stopping: []app.CancelRequest{{Run: works, FencingToken: 1}}}
	engine.Store, engine.Runs.Store = unheard, unheard
	start(t, engine)
	waitForStatus(t, store, works, app.Cancelled)
}

func TestCancelRequest_OfAnEarlierAttemptIsIgnored(t *testing.T) {
	t.Parallel()
	store, g := openStore(t), newGated()
	id := create(t, store, "works", 1)
	if err := store.Requeue(t.Context(), begin(t, store, id)); err != nil {
		t.Fatal(err)
	}
	engine := newEngine(store, g.kind("works"))
	late := &cancelStore{ClusterStore: store, stopping: []app.CancelRequest{{Run: id, FencingToken: 1}}}
	engine.Store, engine.Runs.Store = late, late
	start(t, engine)
	receive(t, g.working, "the second attempt")
	asked := late.answers.Load()
	waitUntil(t, store, "late answers to arrive", func() bool { return late.answers.Load() > asked+1 })
	close(g.gate)
	waitForStatus(t, store, id, app.Completed)
}

func TestEngine_FollowsTheRegistry(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	old, added := newGated(), newGated()
	engine := newEngine(store, old.kind("old"))
	start(t, engine)
	waiting := create(t, store, "added", 1)
	create(t, store, "old", 1)
	working := receive(t, old.working, "a run of the old kind")
	if err := engine.Runs.Registry.Replace(added.kind("added")); err != nil {
		t.Fatal(err)
	}
	if run := receive(t, added.working, "a run of the new kind"); run.ID != waiting {
		t.Errorf("run %d is worked on, not %d", run.ID, waiting)
	}
	close(added.gate)
	waitForStatus(t, store, waiting, app.Completed)
	close(old.gate)
	waitForStatus(t, store, working.ID, app.Completed)
	left := create(t, store, "old", 1)
	waitForStatus(t, store, create(t, store, "added", 1), app.Completed) // it came later
	waitForStatus(t, store, left, app.Created)
	waitUntil(t, store, "only the new kind is announced", func() bool {
		return query[string](t, store, `SELECT string_agg(kind, ',') FROM worker_kinds
			WHERE kind IN ('old', 'added')`) == "added"
	})
	if err := engine.Runs.Registry.Replace(old.kind("old"), added.kind("added")); err != nil {
		t.Fatal(err)
	}
	waitForStatus(t, store, left, app.Completed)
}
