package dbtest

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"runboard/app"
)

// backlog returns the store as an app.QueueStore.
func (f fixture) backlog() app.QueueStore { return f.store.(app.QueueStore) }

// oldest returns the oldest due runs of the kinds that these tests use, as a queue fetches them.
func (f fixture) oldest(limit int) []app.ProcessRun {
	f.Helper()
	runs, err := f.backlog().FetchDue(ctx, []string{kind, "a", "b"}, limit)
	f.ok(err)
	return runs
}

func testWaiting(t *testing.T, subject Subject) {
	t.Run("returns the oldest created runs first, no more than asked for", func(t *testing.T) {
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
				t.Errorf("of %v, the first %d are %v", ids(created), limit, ids(got))
			}
		}
	})
	t.Run("returns only runs of the kinds that are asked for, the oldest of all these", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		for i := range 12 {
			_, err := f.store.Create(ctx, app.CreateRequest{Kind: []string{"a", "b", "c"}[i%3], Count: 2})
			f.ok(err)
		}
		for want, kinds := range map[string][]string{"aacca": {"c", "a"}, "bbbbb": {"b", "unknown"}, "": {}} {
			runs, err := f.backlog().FetchDue(ctx, kinds, 5)
			f.ok(err)
			got := ""
			for _, run := range runs {
				got += run.Kind
			}
			if got != want || !slices.IsSorted(ids(runs)) {
				t.Errorf("of %v, %v wait: %s", kinds, ids(runs), got)
			}
		}
	})
	t.Run("leaves out a run that is to be tried later until it is due", func(t *testing.T) {
		t.Parallel()
		f := open(t, subject)
		due := f.clock.Now().Add(time.Minute)
		run := f.finish(f.in(app.Started), app.Outcome{Status: app.Created, Error: "Once more.", RetryIn: time.Minute})
		if !run.ScheduledAt.Equal(due) || len(f.oldest(10)) != 0 {
			t.Errorf("due at %v, it waits at %v: %+v", due, f.clock.Now(), run)
		}
		f.clock.Advance(time.Minute - time.Millisecond)
		if n := len(f.oldest(10)); n != 0 {
			t.Errorf("%d runs wait a millisecond too early", n)
		}
		f.clock.Advance(time.Millisecond)
		if got := f.oldest(10); len(got) != 1 || got[0] != run {
			t.Errorf("when it is due, %+v wait", got)
		}
	})
}

// testMany starts and completes many runs with one call, among them some that cannot be.
func testMany(t *testing.T, subject Subject) {
	f := open(t, subject)
	f.create(2 * app.MaxEvents)
	cancelled, tried := f.oldest(1)[0], f.finish(f.start(f.oldest(2)[1]), app.Outcome{Status: app.Created, Error: "Once more."})
	runs := append(f.oldest(1000), app.ProcessRun{ID: 1e6})
	_, err := f.store.Cancel(ctx, cancelled.ID)
	f.ok(err)
	f.clock.Advance(time.Second)
	started, err := f.backlog().StartMany(ctx, runs)
	f.ok(err)
	if len(started) != 2*app.MaxEvents-1 || len(f.oldest(1)) > 0 {
		t.Fatalf("%d of %d are started, and %d wait", len(started), len(runs), len(f.oldest(1)))
	}
	for _, run := range started {
		if got := f.get(run.ID); got != run || got.Error != "" || run.ID == tried.ID && run.Attempt != 2 {
			t.Errorf("it is told to be\n%+v and is\n%+v", run, got)
		}
	}
	asked, err := f.store.Cancel(ctx, started[5].ID)
	f.ok(err)
	f.ok(f.store.Requeue(ctx, started[6]))
	f.clock.Advance(time.Second)
	late, err := f.backlog().CompleteMany(ctx, started)
	f.ok(err)
	if len(late) != 1 || late[0] != started[6] {
		t.Errorf("late are %+v", late)
	}
	if got := count(f.all()); got != (app.Counts{app.Created: 1, app.Completed: 2*app.MaxEvents - 3, app.Cancelled: 2}) {
		t.Errorf("in the end there are %v", got)
	}
	f.checkEvents(asked.ID, app.Started, app.Started, app.Cancelled)
	f.checkEvents(started[7].ID, app.Started, app.Completed)
	f.checkEvents(tried.ID, app.Started, app.Created, app.Started, app.Completed)
}

// testReturned tests that RequeueSeq rises when a run returns to created, and at no other time.
func testReturned(t *testing.T, subject Subject) {
	f := open(t, subject)
	failed, stays := f.in(app.Failed), f.in(app.Started)
	f.finish(stays, app.Outcome{Status: app.Completed})
	f.in(app.Cancelled)
	if n := f.backlog().RequeueSeq(); n != 0 {
		t.Errorf("it is told %d times of none", n)
	}
	_, err := f.store.Retry(ctx, failed.ID)
	f.ok(err)
	f.ok(f.store.Requeue(ctx, f.in(app.Started)))
	f.finish(f.in(app.Started), app.Outcome{Status: app.Created})
	if n := f.backlog().RequeueSeq(); n != 3 {
		t.Errorf("it is told %d times of three", n)
	}
}

// queueOperations returns the methods of app.QueueStore as random operations.
func (m *model) queueOperations() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"start all": m.startAll, "complete": m.completeAll, "look for the oldest": m.lookForOldest,
	}
}

// startAll starts some of the oldest due runs together with some other runs in any status.
func (m *model) startAll(t *rapid.T) {
	runs := m.oldest(rapid.IntRange(0, 12).Draw(t, "oldest"))
	for range rapid.IntRange(0, 3).Draw(t, "others") {
		if id, run, _ := m.anyone(t); !slices.Contains(ids(runs), id) {
			run.ID = id
			runs = append(runs, run)
		}
	}
	started, err := m.backlog().StartMany(ctx, runs)
	m.expect(t, err, "")
	for _, run := range runs {
		i := slices.Index(ids(started), run.ID)
		if waits := m.runs[run.ID].Version > 0 && m.runs[run.ID].Status == app.Created; waits != (i >= 0) {
			t.Fatalf("of\n%+v these were started:\n%+v", runs, started)
		}
		if i >= 0 {
			m.begun(t, m.runs[run.ID], started[i])
		}
	}
}

// completeAll completes runs with current and with stale fencing tokens.
func (m *model) completeAll(t *rapid.T) {
	var runs []app.ProcessRun
	for _, claim := range m.claims[max(0, len(m.claims)-20):] {
		if rapid.Bool().Draw(t, "this") && !slices.Contains(ids(runs), claim.ID) {
			runs = append(runs, claim)
		}
	}
	late, err := m.backlog().CompleteMany(ctx, runs)
	m.expect(t, err, "")
	for _, claim := range runs {
		run := m.runs[claim.ID]
		holds := run.Status == app.Started && run.FencingToken == claim.FencingToken
		if holds == slices.Contains(ids(late), claim.ID) {
			t.Fatalf("late are\n%+v and among them is, or is not,\n%+v", late, run)
		}
		if holds {
			m.ended(t, run, app.Outcome{Status: app.Completed})
		}
	}
}

// lookForOldest compares FetchDue with the model.
func (m *model) lookForOldest(t *rapid.T) {
	var waiting []app.ProcessRun
	for _, run := range slices.Backward(m.list()) {
		if run.Status == app.Created && !run.ScheduledAt.After(m.clock.Now()) {
			waiting = append(waiting, run)
		}
	}
	limit := rapid.IntRange(1, modelMaxPending).Draw(t, "limit")
	if got := m.oldest(limit); !slices.EqualFunc(got, waiting[:min(limit, len(waiting))], same) {
		t.Fatalf("there wait %v of %v", ids(got), ids(waiting))
	}
}
