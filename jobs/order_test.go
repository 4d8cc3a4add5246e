package jobs_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"runboard/app"
	"runboard/jobs"
)

// ordering returns a store that tells when a queue has left an order for so many runs.
func ordering(t *testing.T, most int) (*backlog, <-chan struct{}) {
	t.Helper()
	left := make(chan struct{})
	once := sync.OnceFunc(func() { close(left) })
	return &backlog{Store: openStore(t), ordering: func(order *app.Order) {
		if order.Most == most {
			once()
		}
	}}, left
}

func TestTheCommitThatCreatesARunStartsItWhenAWorkerIsFree(t *testing.T) {
	t.Parallel()
	store, ordered := ordering(t, 4)
	created := make(chan struct{})
	store.withdrawing = func() { <-created } // and not because of a tick
	store.starting = func(runs []app.ProcessRun) { t.Errorf("%v are started later", runs) }
	work := newGated()
	start(t, newQueue(store, work.kind("report")))
	await(t, ordered, "the order")
	id := create(t, store.Store, "report", 1)
	close(created)
	if run := read(t, store.Store, id); run.Status != app.Started || run.Version != 2 {
		t.Errorf("it is %+v", run)
	}
	if run := await(t, work.working, "the work"); run != read(t, store.Store, id) {
		t.Errorf("the work is given %+v", run)
	}
	close(work.gate)
	if run := becomes(t, store.Store, id, app.Completed); run.Version != 3 || run.Attempt != 1 || run.Crashes != 0 {
		t.Errorf("in the end it is %+v", run)
	}
}

func TestRunsThatRestAreNotStartedByWhatCreatesThem(t *testing.T) {
	t.Parallel()
	store := &backlog{Store: openStore(t), ordering: func(order *app.Order) {
		if !slices.Equal(order.Kinds, []string{"quick"}) {
			t.Errorf("ordered are %v", order.Kinds)
		}
	}}
	start(t, newQueue(store, jobs.Kind{Name: "quick", Work: nothing}, jobs.Kind{Name: "rests", DelayMax: 1, Work: nothing}))
	for range 20 {
		create(t, store.Store, "rests", 1)
		create(t, store.Store, "quick", 1)
	}
	haveBecome(t, store.Store, 40, app.Completed)
}

// Many ask for runs while one worker does them: some are started as they are created, others are found waiting.
func TestNoNewRunOvertakesOneThatWaits(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	var order journal[int64]
	queue := newQueue(store, jobs.Kind{Name: "quick", Work: func(_ context.Context, run app.ProcessRun, _ *jobs.Report) error {
		order.add(run.ID)
		return nil
	}})
	queue.Workers = 1
	start(t, queue)
	var people sync.WaitGroup
	for range 8 {
		people.Go(func() {
			for i := range 25 {
				if _, err := store.Create(context.Background(), app.CreateRequest{Kind: "quick", Count: 1 + i%3}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	people.Wait()
	total := 8 * (9 + 2*8 + 3*8)
	haveBecome(t, store, total, app.Completed)
	if got := order.all(); len(got) != total || !slices.IsSorted(got) {
		t.Errorf("of %d runs, %d are done in the order %v", total, len(got), got)
	}
}

// The order cannot be withdrawn any more when the queue is to stop: what it has started is done all the same.
func TestWhatIsStartedWhileAQueueStopsIsDone(t *testing.T) {
	t.Parallel()
	store, ordered := ordering(t, 4)
	store.withdrawing = sync.OnceFunc(func() { create(t, store.Store, "quick", 6) })
	ask, stopped := start(t, newQueue(store, jobs.Kind{Name: "quick", Work: nothing}))
	await(t, ordered, "the order")
	ask()
	await(t, stopped, "the queue to stop")
	if got := counts(t, store.Store); got != (app.Counts{app.Completed: 4, app.Created: 2}) {
		t.Errorf("there are %v", got)
	}
}

// The workers for whom runs are being started are not free for others, although the order cannot be withdrawn.
func TestAnOrderThatIsBeingFulfilledKeepsItsWorkers(t *testing.T) {
	t.Parallel()
	store, ordered := ordering(t, 4)
	work, heeded := newGated(), make(chan struct{}, 10_000)
	store.heeding = func() { heeded <- struct{}{} }
	created := make(chan struct{})
	store.withdrawing = sync.OnceFunc(func() { // soon, because of a tick
		create(t, store.Store, "report", 8)
		close(created)
	})
	start(t, newQueue(store, work.kind("report")))
	await(t, ordered, "the order")
	await(t, created, "some runs")
	for range 4 {
		await(t, work.working, "the work")
	}
	heedAnew(t, store, heeded)
	if got := counts(t, store.Store); got != (app.Counts{app.Started: 4, app.Created: 4}) {
		t.Errorf("with four workers there are %v", got)
	}
	close(work.gate)
	haveBecome(t, store.Store, 8, app.Completed)
}

// The next crash would fail the suspect, whoever's fault it is: nothing is ordered while it is in work.
func TestANewRunDoesNotJoinASuspectOnItsLastChance(t *testing.T) {
	t.Parallel()
	store, work := openAfterCrashes(t, "report", maxCrashes-1), newGated()
	heeded := make(chan struct{}, 10_000)
	watched := &backlog{Store: store, heeding: func() { heeded <- struct{}{} }}
	start(t, newQueue(watched, work.kind("report")))
	suspect := await(t, work.working, "the suspect")
	heedAnew(t, watched, heeded)
	other := create(t, store, "report", 1)
	heedAnew(t, watched, heeded)
	if run := read(t, store, other); run.Status != app.Created {
		t.Errorf("beside %+v there is %+v", suspect, run)
	}
	close(work.gate)
	haveBecome(t, store, 2, app.Completed)
}

// heedAnew returns when the queue, which has work, has done all that it can for now, and begins to do that once more.
func heedAnew(t *testing.T, store *backlog, heeded <-chan struct{}) {
	t.Helper()
	for len(heeded) > 0 {
		<-heeded
	}
	for range 3 {
		store.Changed().Notify()
		await(t, heeded, "the queue to heed wishes")
	}
}
