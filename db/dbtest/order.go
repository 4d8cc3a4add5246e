package dbtest

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"runboard/app"
)

// ordered is an order, and what came of it: at most one answer.
type ordered struct {
	*app.Order
	answers chan []app.ProcessRun
}

// standBy orders runs that do not exist yet.
func (f fixture) standBy(most int, kinds ...string) ordered {
	o := ordered{answers: make(chan []app.ProcessRun, 2)} // one more than there may be
	o.Order = &app.Order{
		Kinds: kinds, Most: most, Arrived: f.backlog().EnqueueSeq(),
		Fulfilled: func(started []app.ProcessRun) { o.answers <- started },
	}
	f.backlog().StandBy(o.Order)
	return o
}

// answer is what came of an order. It is told of before whoever creates the runs.
func (f fixture) answer(o ordered) []app.ProcessRun {
	f.Helper()
	if len(o.answers) != 1 {
		f.Fatalf("there are %d answers", len(o.answers))
	}
	return <-o.answers
}

func testOrders(t *testing.T, subject Subject) {
	for name, test := range map[string]func(fixture){
		"starts new runs as they are created":          startsNewRuns,
		"starts no more than are wanted":               startsNoMore,
		"starts only runs of its kinds":                startsItsKinds,
		"lets nothing overtake what has arrived":       overtakesNothing,
		"is good for once":                             isGoodForOnce,
		"starts nothing when it is withdrawn":          startsNothingWithdrawn,
		"starts no run that a repeated request made":   startsNothingTwice,
		"stands beside others":                         standsBesideOthers,
		"knows when runs arrive, and how else they do": knowsArrivals,
	} {
		t.Run("An order "+name, func(t *testing.T) {
			t.Parallel()
			test(open(t, subject))
		})
	}
}

func startsNewRuns(f fixture) {
	order := f.standBy(5, kind)
	rings, stop := f.store.Changed().Subscribe()
	defer stop()
	runs := f.create(3)
	select {
	case <-rings:
	default:
		f.Fatalf("no bell rings")
	}
	started := f.answer(order)
	if !slices.Equal(ids(started), ids(runs)) || f.backlog().EnqueueSeq() != order.Arrived {
		f.Fatalf("of %v these are started: %v; %d have arrived", ids(runs), ids(started), f.backlog().EnqueueSeq())
	}
	for _, run := range started {
		if got := f.get(run.ID); got != run || run.Status != app.Started || run.Version != 2 || run.Attempt != 1 || run.FencingToken != 1 {
			f.Fatalf("it is told to be\n%+v and is\n%+v", run, got)
		}
		f.checkEvents(run.ID, app.Started)
	}
	if got := count(f.all()); got != (app.Counts{app.Started: 3}) {
		f.Fatalf("there are %v", got)
	}
	if got := f.finish(started[0], app.Outcome{Status: app.Completed}); got.Status != app.Completed || got.Version != 3 {
		f.Fatalf("in the end it is %+v", got)
	}
}

func startsNoMore(f fixture) {
	order := f.standBy(2, kind)
	runs := f.create(5)
	if started := f.answer(order); !slices.Equal(ids(started), ids(runs[:2])) {
		f.Fatalf("of %v these are started: %v", ids(runs), ids(started))
	}
	if waiting := f.oldest(10); !slices.Equal(ids(waiting), ids(runs[2:])) || f.backlog().EnqueueSeq() != order.Arrived+3 {
		f.Fatalf("of %v these wait: %v; %d have arrived", ids(runs), ids(waiting), f.backlog().EnqueueSeq())
	}
}

func startsItsKinds(f fixture) {
	order := f.standBy(5, "a", "b")
	f.create(1)
	if len(order.answers) > 0 || len(f.oldest(10)) != 1 {
		f.Fatalf("another run is started")
	}
	again := f.standBy(5, "c", kind)
	if !f.backlog().Withdraw(order.Order) {
		f.Fatalf("it cannot be withdrawn")
	}
	f.create(1)
	if started := f.answer(again); len(started) != 1 {
		f.Fatalf("started are %v", started)
	}
}

func overtakesNothing(f fixture) {
	order := f.standBy(5, kind)
	_, err := f.store.Create(ctx, app.CreateRequest{Kind: "a", Count: 1})
	f.ok(err)
	f.create(1)
	if started := f.answer(order); len(started) > 0 {
		f.Fatalf("started are %v", started)
	}
	if got := count(f.all()); got != (app.Counts{app.Created: 2}) {
		f.Fatalf("there are %v", got)
	}
}

func isGoodForOnce(f fixture) {
	order := f.standBy(5, kind)
	f.create(1)
	f.create(1)
	if started := f.answer(order); len(started) != 1 || len(f.oldest(10)) != 1 || f.backlog().Withdraw(order.Order) {
		f.Fatalf("started are %v, and %v wait", started, f.oldest(10))
	}
}

func startsNothingWithdrawn(f fixture) {
	order := f.standBy(5, kind)
	if !f.backlog().Withdraw(order.Order) || f.backlog().Withdraw(order.Order) {
		f.Fatalf("it is not withdrawn once")
	}
	f.create(1)
	if len(order.answers) > 0 || len(f.oldest(10)) != 1 {
		f.Fatalf("it is started all the same")
	}
}

func startsNothingTwice(f fixture) {
	request := app.CreateRequest{Kind: kind, Count: 2, IdempotencyKey: "the same"}
	first, err := f.store.Create(ctx, request)
	f.ok(err)
	order := f.standBy(5, kind)
	again, err := f.store.Create(ctx, request)
	f.ok(err)
	if first != again || len(order.answers) > 0 || len(f.oldest(10)) != 2 {
		f.Fatalf("first it is %+v, then %+v", first, again)
	}
}

func standsBesideOthers(f fixture) {
	a, b := f.standBy(1, "a"), f.standBy(1, "b")
	for i, order := range []ordered{b, a} {
		_, err := f.store.Create(ctx, app.CreateRequest{Kind: []string{"b", "a"}[i], Count: 1})
		f.ok(err)
		if started := f.answer(order); len(started) != 1 || started[0].Kind != order.Kinds[0] {
			f.Fatalf("started are %+v", started)
		}
	}
}

// knowsArrivals is about being told of all runs that come to wait, and of no others.
func knowsArrivals(f fixture) {
	arrived := func(n int64, what string) {
		f.Helper()
		if got := f.backlog().EnqueueSeq(); got != n {
			f.Fatalf("after %s %d have arrived, want %d", what, got, n)
		}
	}
	arrived(0, "nothing")
	failed := f.in(app.Failed)
	arrived(1, "a failure")
	_, err := f.store.Retry(ctx, failed.ID)
	f.ok(err)
	arrived(2, "another try")
	f.ok(f.store.Requeue(ctx, f.in(app.Started)))
	arrived(4, "one that is given back")
	f.finish(f.in(app.Started), app.Outcome{Status: app.Created})
	arrived(6, "one that is to be tried again")
	f.in(app.Cancelled)
	arrived(7, "one that is cancelled")
}

// createOrdered asks for runs while some are ordered, perhaps after others have arrived.
func (m *model) createOrdered(t *rapid.T) {
	order, late := m.standBy(rapid.IntRange(1, 4).Draw(t, "most"), "a"), rapid.IntRange(0, 3).Draw(t, "late") == 0
	if late && m.createSome(t, "b", 1) == nil {
		late = false
	}
	made := m.createSome(t, "a", rapid.IntRange(1, 6).Draw(t, "count"))
	if m.backlog().Withdraw(order.Order) == (made != nil) {
		t.Fatal("either an order is answered, or it can be withdrawn")
	}
	if made == nil {
		return
	}
	started := <-order.answers
	if late {
		made = nil // they must wait behind the other
	}
	if want := made[:min(order.Most, len(made))]; !slices.Equal(ids(started), ids(want)) {
		t.Fatalf("%v are started, and not %v", ids(started), ids(want))
	}
	for _, run := range started {
		m.begun(t, m.runs[run.ID], run)
	}
}

// createSome creates runs, or returns nil when too many would wait.
func (m *model) createSome(t *rapid.T, kind string, n int) []app.ProcessRun {
	if count(m.list())[app.Created]+int64(n) > modelMaxPending {
		return nil
	}
	request := app.CreateRequest{Kind: kind, Count: n}
	batch, err := m.store.Create(ctx, request)
	m.expect(t, err, "")
	m.add(t, request, batch)
	return batch.Runs()
}
