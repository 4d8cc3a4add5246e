package dbtest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"runboard/app"
)

// queueStore returns the store as an app.QueueStore.
func (f fixture) queueStore() app.QueueStore { return f.store.(app.QueueStore) }

// dueKinds asks for the due runs of kinds without limits.
func dueKinds(names ...string) (kinds []app.DueKind) {
	for _, name := range names {
		kinds = append(kinds, app.DueKind{Name: name})
	}
	return kinds
}

// oldest returns the oldest due runs of the kinds that these tests use, as a queue fetches them.
func (f fixture) oldest(limit int) []app.ProcessRun {
	f.Helper()
	runs, err := f.queueStore().FetchDue(ctx, dueKinds(kind, "a", "b"), limit)
	f.ok(err)
	return runs
}

func testFetchDue(t *testing.T, subject Subject) {
	t.Run("returns the oldest created runs, up to the limit", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		f.mixed(app.StatusCount * 4)
		var created []app.ProcessRun
		for _, run := range slices.Backward(f.all()) {
			if run.Status == app.Created {
				created = append(created, run)
			}
		}
		for limit := range len(created) + 2 {
			if got := f.oldest(limit); !slices.Equal(got, created[:min(limit, len(created))]) {
				t.Errorf("of %v, FetchDue with limit %d returns %v", ids(created), limit, ids(got))
			}
		}
	})
	t.Run("returns the oldest runs of the given kinds", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		for i := range 12 {
			_, err := f.store.Create(ctx, app.CreateRequest{Kind: []string{"a", "b", "c"}[i%3], Count: 2})
			f.ok(err)
		}
		for want, kinds := range map[string][]string{"aacca": {"c", "a"}, "bbbbb": {"b", "unknown"}, "": {}} {
			runs, err := f.queueStore().FetchDue(ctx, dueKinds(kinds...), 5)
			f.ok(err)
			got := ""
			for _, run := range runs {
				got += run.Kind
			}
			if got != want || !slices.IsSorted(ids(runs)) {
				t.Errorf("for the kinds %v, the runs are %v: %s", kinds, ids(runs), got)
			}
		}
	})
	t.Run("finds the few of many kinds that have runs", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		var kinds []app.DueKind
		for i := range 250 {
			kinds = append(kinds, app.DueKind{Name: fmt.Sprint("kind ", i), PerKey: i % 2})
		}
		want := slices.Concat(f.createOf("kind 249", 1, nil), f.createOf("kind 120", 2, nil))
		runs, err := f.queueStore().FetchDue(ctx, kinds, 5)
		f.ok(err)
		if !slices.Equal(ids(runs), ids(want)) {
			t.Errorf("the runs %v are fetched, want %v", ids(runs), ids(want))
		}
	})
}

// testFetchDueOmits tests which runs are not due.
func testFetchDueOmits(t *testing.T, subject Subject) {
	t.Run("omits the runs of paused kinds", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		f.createOf("a", 3, nil)
		b := f.createOf("b", 1, nil)
		all := f.oldest(10)
		f.ok(f.store.PauseKind(ctx, "a", true))
		if got := f.oldest(10); !slices.Equal(ids(got), ids(b)) {
			t.Errorf("with a paused kind, the runs %v are fetched", ids(got))
		}
		started, err := f.queueStore().StartMany(ctx, all) // they were fetched before the pause
		f.ok(err)
		if !slices.Equal(ids(started), ids(b)) {
			t.Errorf("with a paused kind, the runs %v are started", ids(started))
		}
		before := f.queueStore().RequeueSeq()
		f.ok(f.store.PauseKind(ctx, "a", false))
		if got := f.oldest(10); len(got) != 3 || f.queueStore().RequeueSeq() == before {
			t.Errorf("after the resume, the runs %v are fetched", ids(got))
		}
	})
	t.Run("returns no more of a kind than asked for", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		a, b := f.createOf("a", 3, nil), f.createOf("b", 3, nil)
		runs, err := f.queueStore().FetchDue(ctx, []app.DueKind{{Name: "b"}, {Name: "a", Limit: 2}}, 4)
		f.ok(err)
		if want := append(ids(a[:2]), ids(b[:2])...); !slices.Equal(ids(runs), want) {
			t.Errorf("the runs %v are fetched, want %v", ids(runs), want)
		}
	})
	t.Run("omits a scheduled run until it is due", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		due := f.clock.Now().Add(time.Minute)
		run := f.finish(f.in(app.Started), app.Outcome{Status: app.Created, Error: "Once more.",
			RetryIn: time.Minute})
		if !run.ScheduledAt.Equal(due) || len(f.oldest(10)) != 0 {
			t.Errorf("the run due at %v is fetched at %v: %+v", due, f.clock.Now(), run)
		}
		f.clock.Advance(time.Minute - time.Millisecond)
		if n := len(f.oldest(10)); n != 0 {
			t.Errorf("%d runs are fetched a millisecond too early", n)
		}
		f.clock.Advance(time.Millisecond)
		if got := f.oldest(10); len(got) != 1 || got[0] != run {
			t.Errorf("when it is due, the fetched runs are %+v", got)
		}
	})
}

// testStartAndCompleteMany starts and completes many runs with one call, among them some that cannot be.
func testStartAndCompleteMany(t *testing.T, subject Subject) {
	f := open(t, subject)
	f.create(2 * app.MaxEvents)
	cancelled, tried := f.oldest(1)[0], f.finish(f.start(f.oldest(2)[1]),
		app.Outcome{Status: app.Created, Error: "Once more."})
	runs := append(f.oldest(1000), app.ProcessRun{ID: 1e6})
	_, err := f.store.Cancel(ctx, cancelled.ID)
	f.ok(err)
	f.clock.Advance(time.Second)
	started, err := f.queueStore().StartMany(ctx, runs)
	f.ok(err)
	if len(started) != 2*app.MaxEvents-1 || len(f.oldest(1)) > 0 {
		t.Fatalf("%d of %d runs are started, and %d are still due", len(started), len(runs), len(f.oldest(1)))
	}
	for _, run := range started {
		if got := f.get(run.ID); got != run || got.Error != "" || run.ID == tried.ID && run.Attempt != 2 {
			t.Errorf("the result is\n%+v and the stored run\n%+v", run, got)
		}
	}
	asked, err := f.store.Cancel(ctx, started[5].ID)
	f.ok(err)
	f.ok(f.store.Requeue(ctx, started[6]))
	f.clock.Advance(time.Second)
	late, err := f.queueStore().CompleteMany(ctx, started)
	f.ok(err)
	if len(late) != 1 || late[0] != started[6] {
		t.Errorf("the stale runs are %+v", late)
	}
	if got := count(f.all()); got != (app.Counts{app.Created: 1, app.Completed: 2*app.MaxEvents - 3,
		app.Cancelled: 2}) {
		t.Errorf("the final counts are %v", got)
	}
	f.checkEvents(asked.ID, app.Started, app.Started, app.Cancelled)
	f.checkEvents(started[7].ID, app.Started, app.Completed)
	f.checkEvents(tried.ID, app.Started, app.Created, app.Started, app.Completed)
}

// testRequeueSeq tests that RequeueSeq rises when a run returns to created, and at no other time.
func testRequeueSeq(t *testing.T, subject Subject) {
	f := open(t, subject)
	failed, stays := f.in(app.Failed), f.in(app.Started)
	f.finish(stays, app.Outcome{Status: app.Completed})
	f.in(app.Cancelled)
	if n := f.queueStore().RequeueSeq(); n != 0 {
		t.Errorf("RequeueSeq is %d before any requeue", n)
	}
	_, err := f.store.Retry(ctx, failed.ID)
	f.ok(err)
	f.ok(f.store.Requeue(ctx, f.in(app.Started)))
	f.finish(f.in(app.Started), app.Outcome{Status: app.Created})
	if n := f.queueStore().RequeueSeq(); n != 3 {
		t.Errorf("RequeueSeq is %d after three requeues", n)
	}
}

// queueOperations returns the methods of app.QueueStore as random operations.
func (m *model) queueOperations() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"start many": m.startMany, "complete many": m.completeMany, "fetch due": m.fetchDue,
	}
}

// startMany starts some of the oldest due runs together with some other runs in any status.
func (m *model) startMany(t *rapid.T) {
	runs := m.oldest(rapid.IntRange(0, 12).Draw(t, "oldest"))
	for range rapid.IntRange(0, 3).Draw(t, "others") {
		if id, run, _ := m.anyone(t); !slices.Contains(ids(runs), id) {
			run.ID = id
			runs = append(runs, run)
		}
	}
	started, err := m.queueStore().StartMany(ctx, runs)
	m.expect(t, err, "")
	for _, run := range runs {
		i := slices.Index(ids(started), run.ID)
		if waits := m.runs[run.ID].Version > 0 && m.runs[run.ID].Status == app.Created; waits != (i >= 0) {
			t.Fatalf("of\n%+v, the started runs are\n%+v", runs, started)
		}
		if i >= 0 {
			m.begun(t, m.runs[run.ID], started[i])
		}
	}
}

// completeMany completes runs with current and with stale fencing tokens.
func (m *model) completeMany(t *rapid.T) {
	var runs []app.ProcessRun
	for _, attempt := range m.attempts[max(0, len(m.attempts)-20):] {
		if rapid.Bool().Draw(t, "this") && !slices.Contains(ids(runs), attempt.ID) {
			runs = append(runs, attempt)
		}
	}
	late, err := m.queueStore().CompleteMany(ctx, runs)
	m.expect(t, err, "")
	for _, attempt := range runs {
		run := m.runs[attempt.ID]
		holds := run.Status == app.Started && run.FencingToken == attempt.FencingToken
		if holds == slices.Contains(ids(late), attempt.ID) {
			t.Fatalf("the stale runs are\n%+v, which is wrong for\n%+v", late, run)
		}
		if holds {
			m.ended(t, run, app.Outcome{Status: app.Completed})
		}
	}
}

// fetchDue compares FetchDue with the model.
func (m *model) fetchDue(t *rapid.T) {
	var waiting []app.ProcessRun
	for _, run := range slices.Backward(m.list()) {
		if run.Status == app.Created && !run.ScheduledAt.After(m.clock.Now()) {
			run.Inputs = "" // it does not read them
			waiting = append(waiting, run)
		}
	}
	limit := rapid.IntRange(1, modelMaxPending).Draw(t, "limit")
	if got := m.oldest(limit); !slices.EqualFunc(got, waiting[:min(limit, len(waiting))], same) {
		t.Fatalf("the due runs are %v of %v", ids(got), ids(waiting))
	}
}
