package sqlite

import (
	"sync"
	"testing"

	"runboard/app"
)

func TestClose_RefusesLaterWrites(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	run := start(t, store, create(t, store, 1)[0])
	closeStore(t, store)
	_, createErr := store.Create(ctx, app.CreateRequest{Kind: kind, Count: 1})
	_, startErr := store.Start(ctx, run)
	_, pageErr := store.Page(ctx, app.Query{})
	_, waitingErr := store.FetchDue(ctx, []app.DueKind{{Name: "test"}}, 1)
	for _, err := range []error{
		createErr, startErr, pageErr, waitingErr, store.Ready(),
		store.Finish(ctx, run, app.Outcome{Status: app.Completed}), store.Requeue(ctx, run),
	} {
		wantCode(t, err, app.CodeUnavailable)
	}
}

func TestClose_MayBeCalledRepeatedly(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	create(t, store, 1)
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	closeStore(t, store)
}

func TestClose_LeavesOneFile(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	create(t, store, 100)
	closeStore(t, store)
	wantFiles(t, store.options.Path, "runs.db")
}

func TestClose_CommitsEnqueuedWrites(t *testing.T) {
	t.Parallel()
	const callers = 50
	store := newStore(t, Options{})
	release := hold(t, store)
	batches := make(chan app.Batch, callers)
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			batch, err := store.Create(ctx, app.CreateRequest{Kind: kind, Count: 2})
			if err != nil {
				t.Errorf("it was handed in before: %v", err)
			}
			batches <- batch
		})
	}
	waitForWrites(t, store, callers)
	group.Go(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	until(t, "the store is closing", func() bool { return store.Ready() != nil })
	release()
	group.Wait()
	close(batches)
	checkBatches(t, store.options.Path, batches)
}

func TestClose_KeepsAcknowledgedWrites(t *testing.T) {
	t.Parallel()
	const callers = 100
	store := newStore(t, Options{})
	batches := make(chan app.Batch, 1_000_000)
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for {
				batch, err := store.Create(ctx, app.CreateRequest{Kind: kind, Count: 1})
				if err != nil {
					if app.CodeOf(err) != app.CodeUnavailable {
						t.Errorf("a write was refused with %v", err)
					}
					return
				}
				batches <- batch
			}
		})
	}
	until(t, "all are writing", func() bool { return len(batches) > 2*callers })
	closeStore(t, store)
	group.Wait()
	close(batches)
	checkBatches(t, store.options.Path, batches)
}

// checkBatches reopens the file and checks that every acknowledged run is there.
func checkBatches(t *testing.T, path string, batches <-chan app.Batch) {
	t.Helper()
	store := openStore(t, Options{Path: path})
	var total int64
	for batch := range batches {
		total += int64(batch.Count)
		for _, run := range batch.Runs() {
			if got := get(t, store, run.ID); got != run {
				t.Errorf("%+v is now %+v", run, got)
			}
		}
	}
	if counts := checkCounts(t, store); counts[app.Created] != total {
		t.Errorf("%d were acknowledged, the counts are %v", total, counts)
	}
}
