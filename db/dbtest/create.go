package dbtest

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"runboard/app"
)

func testCreate(t *testing.T, subject Subject) {
	t.Run("creates runs with consecutive ids and version 1", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		batch, err := f.store.Create(ctx, app.CreateRequest{Kind: "of a kind", Count: 3})
		f.ok(err)
		for i, run := range batch.Runs() {
			f.is(f.get(batch.First+int64(i)), app.ProcessRun{
				ID: batch.First + int64(i), Kind: "of a kind", Status: app.Created, Version: 1,
				CreatedAt: f.clock.Now(), UpdatedAt: f.clock.Now(),
				Progress: app.Progress{Percent: app.NoPercent},
			})
			f.is(run, f.get(run.ID))
		}
		if n := len(f.all()); n != 3 {
			t.Errorf("there are %d runs", n)
		}
	})
	t.Run("gives each batch higher ids", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		first, second := f.create(app.MaxCount), f.create(1)
		if second[0].ID <= first[app.MaxCount-1].ID {
			t.Errorf("run %d was created after run %d", second[0].ID, first[app.MaxCount-1].ID)
		}
	})
	t.Run("keeps concurrent batches apart", func(t *testing.T) { createsAtOnce(t, open(t, subject)) })
	t.Run("refuses invalid requests", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		for _, request := range []app.CreateRequest{
			{Kind: kind, Count: 0}, {Kind: kind, Count: -1}, {Kind: kind,
				Count: app.MaxCount + 1}, {Count: 1},
			{Kind: kind, Count: 1, IdempotencyKey: strings.Repeat("k", app.MaxKey+1)},
		} {
			f.changesNothing(func() {
				if _, err := f.store.Create(ctx, request); err == nil {
					t.Errorf("%+v was accepted", request)
				}
			})
		}
	})
}

func createsAtOnce(t *testing.T, f fixture) {
	t.Parallel()
	const callers, each = 40, 7
	made := make(chan app.Batch, callers)
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			batch, err := f.store.Create(ctx, app.CreateRequest{Kind: kind, Count: each})
			if err != nil {
				t.Error(err)
			}
			made <- batch
		})
	}
	group.Wait()
	close(made)
	var told []int64
	for batch := range made {
		told = append(told, ids(batch.Runs())...)
	}
	slices.Sort(told)
	written := ids(f.all())
	slices.Reverse(written)
	if !slices.Equal(told, written) || len(slices.Compact(told)) != callers*each {
		t.Errorf("the returned runs are %v, the rows are %v", told, written)
	}
}

func testIdempotencyKeys(t *testing.T, subject Subject) {
	request := app.CreateRequest{Kind: kind, Count: 5, IdempotencyKey: strings.Repeat("k", app.MaxKey)}
	t.Run("answers a repeated request with the first batch", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		first, err := f.store.Create(ctx, request)
		f.ok(err)
		f.finish(f.start(first.Runs()[0]), app.Outcome{Status: app.Completed})
		f.changesNothing(func() {
			again, err := f.store.Create(ctx, request)
			f.ok(err)
			if again != first {
				t.Errorf("first %+v, then %+v", first, again)
			}
		})
	})
	t.Run("refuses the key for another request", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		_, err := f.store.Create(ctx, request)
		f.ok(err)
		other, more := request, request
		other.Kind, more.Count = "another", 6
		for _, changed := range []app.CreateRequest{other, more} {
			f.changesNothing(func() {
				_, err := f.store.Create(ctx, changed)
				f.refused(err, app.CodeInvalid)
			})
		}
	})
	t.Run("creates once for concurrent requests", func(t *testing.T) {
		repeatsAtOnce(t, open(t, subject), request)
	})
}

func repeatsAtOnce(t *testing.T, f fixture, request app.CreateRequest) {
	t.Parallel()
	const keys, repeats = 5, 20
	var group sync.WaitGroup
	var answers [keys][repeats]app.Batch
	for key := range keys {
		for repeat := range repeats {
			group.Go(func() {
				request := request
				request.IdempotencyKey = strconv.Itoa(key)
				batch, err := f.store.Create(ctx, request)
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
	if n := len(f.all()); n != keys*request.Count {
		t.Errorf("%d requests for %d runs created %d", keys, request.Count, n)
	}
}

func testMaxPending(t *testing.T, subject Subject) {
	f := openWith(t, subject, Settings{MaxPending: 10})
	keyed := app.CreateRequest{Kind: kind, Count: 4, IdempotencyKey: "the first"}
	first, err := f.store.Create(ctx, keyed)
	f.ok(err)
	refuse := func(count int) {
		t.Helper()
		f.changesNothing(func() {
			_, err := f.store.Create(ctx, app.CreateRequest{Kind: kind, Count: count})
			f.refused(err, app.CodeUnavailable)
		})
	}
	refuse(7) // all or none: six would fit
	f.create(6)
	refuse(1)
	again, err := f.store.Create(ctx, keyed) // a repeated request needs no room
	f.ok(err)
	if again != first {
		t.Errorf("first %+v, then %+v", first, again)
	}
	f.start(f.waiting(1)[0]) // makes room for one run
	f.create(1)
	refuse(1)
}
