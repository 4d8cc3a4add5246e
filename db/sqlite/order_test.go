package sqlite

import (
	"path/filepath"
	"sync"
	"testing"

	"github.com/mattn/go-sqlite3"

	"runboard/app"
)

// standBy orders a run that does not exist yet. More than one answer would be one too many.
func standBy(store *Store) (order *app.Order, answers chan []app.ProcessRun) {
	answers = make(chan []app.ProcessRun, 2)
	order = &app.Order{
		Kinds: []string{kind}, Most: 1, Arrived: store.EnqueueSeq(),
		Fulfilled: func(started []app.ProcessRun) { answers <- started },
	}
	store.StandBy(order)
	return order, answers
}

// An older run comes back in the transaction that creates the new one, and before it.
func TestAnOrderStartsNothingBeforeWhatReturnsInItsTransaction(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	older := create(t, store, 1)[0]
	if _, err := store.Cancel(ctx, older.ID); err != nil {
		t.Fatal(err)
	}
	_, answers := standBy(store)
	letGo := hold(t, store)
	var group sync.WaitGroup
	group.Go(func() {
		if _, err := store.Retry(ctx, older.ID); err != nil {
			t.Error(err)
		}
	})
	gathered(t, store, 1)
	group.Go(func() { create(t, store, 1) })
	gathered(t, store, 2)
	letGo()
	group.Wait()
	if started := <-answers; len(started) > 0 {
		t.Errorf("started are %v", started)
	}
	if counts := checkCounts(t, store); counts != (app.Counts{app.Created: 2}) {
		t.Errorf("there are %v", counts)
	}
}

// Whatever call of a transaction fails, whoever has ordered runs is told once that none are started, or else can
// withdraw the order: it would wait for ever.
func TestAnOrderIsAnsweredWhateverFails(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "runs.db")
	closeStore(t, openStore(t, Options{Path: path}))
	registerFaulty()
	plan := &fault{err: sqlite3.Error{Code: sqlite3.ErrFull}}
	plan.left.Store(-1)
	faults.Store(path, plan)
	store := openStore(t, Options{Path: path, driver: faultyDriver})
	answered := false
	for n := int64(1); ; n++ {
		order, answers := standBy(store)
		plan.left.Store(n)
		_, err := store.Create(ctx, app.CreateRequest{Kind: kind, Count: 1})
		plan.left.Store(-1)
		if withdrawn := store.Withdraw(order); withdrawn == (len(answers) == 1) {
			t.Fatalf("with call %d failing, there are %d answers, and it can be withdrawn: %v", n, len(answers), withdrawn)
		} else if withdrawn {
			continue
		}
		if started := <-answers; len(started) > 0 != (err == nil) {
			t.Fatalf("with call %d failing: %v, these are started: %v", n, err, started)
		}
		if err == nil {
			break
		}
		answered = true
		until(t, "the store is ready again", func() bool { return store.Ready() == nil })
	}
	page, err := store.Page(ctx, app.Query{})
	if err != nil || !answered || page.Counts != (app.Counts{app.Started: 1}) {
		t.Errorf("in the end there are %v, %v", page.Counts, err)
	}
}
