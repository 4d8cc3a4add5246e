package dbtest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"runboard/app"
)

// kinds is an app.KindSource.
type kinds []app.Kind

func (k kinds) Kinds() []app.Kind { return k }

func (k kinds) Kind(name string) (app.Kind, bool) {
	i := slices.IndexFunc(k, func(kind app.Kind) bool { return kind.Name == name })
	if i < 0 {
		return app.Kind{}, false
	}
	return k[i], true
}

func (f fixture) createOf(kind string, n int, inputs app.InputValues) []app.ProcessRun {
	f.Helper()
	batch, err := f.store.Create(ctx, app.CreateRequest{Kind: kind, Count: n, Inputs: inputs})
	f.ok(err)
	return batch.Runs()
}

// testKinds tests KindOverviews, PauseKind and QueueAhead.
func testKinds(t *testing.T, subject Subject) {
	t.Run("overviews have the newest run and the counts", func(t *testing.T) {
		checkOverviews(t, open(t, subject))
	})
	t.Run("the median is of the newest completed runs", func(t *testing.T) {
		checkMedian(t, open(t, subject))
	})
	t.Run("kinds are paused and resumed", func(t *testing.T) { checkPause(t, open(t, subject)) })
	t.Run("the overview names paused kinds", func(t *testing.T) { checkPausedKinds(t, open(t, subject)) })
	t.Run("a run stores its concurrency key", func(t *testing.T) { checkConcurrencyKey(t, subject) })
	t.Run("a retry gets the concurrency key of now", func(t *testing.T) { checkKeyOfRetry(t, subject) })
	t.Run("QueueAhead counts the runs with the same key", func(t *testing.T) { checkQueueAhead(t, subject) })
}

func (f fixture) overviews(kinds ...string) []app.KindOverview {
	f.Helper()
	overviews, err := f.store.KindOverviews(ctx, kinds)
	f.ok(err)
	if len(overviews) != len(kinds) {
		f.Fatalf("there are %d overviews of %v", len(overviews), kinds)
	}
	return overviews
}

func checkOverviews(t *testing.T, f fixture) {
	t.Parallel()
	if got := f.overviews(); len(got) != 0 {
		t.Errorf("the overviews of no kinds are %+v", got)
	}
	f.createOf("a", 3, nil)
	newest := f.createOf("a", 1, nil)[0]
	f.createOf("b", 1, nil)
	newest = f.finish(f.start(newest), app.Outcome{Status: app.Failed, Error: "It did not work."})
	f.start(f.waiting(1)[0])
	got := f.overviews("b", "none", "a", "a")
	if got[1] != (app.KindOverview{}) {
		t.Errorf("a kind without runs has the overview %+v", got[1])
	}
	if got[0].Last.Kind != "b" || got[0].Created != 1 || got[0].Started != 0 {
		t.Errorf("the overview of b is %+v", got[0])
	}
	want := app.KindOverview{Last: newest, Started: 1, Created: 2}
	if got[2] != want || got[3] != want {
		t.Errorf("the overview of a is\n%+v and not\n%+v", got[2], want)
	}
	f.createOf("c", app.CountedOfKind, nil)
	f.createOf("c", 5, nil)
	if n := f.overviews("c")[0].Created; n != app.CountedOfKind+1 {
		t.Errorf("%d runs are counted", n)
	}
}

func checkMedian(t *testing.T, f fixture) {
	t.Parallel()
	complete := func(kind string, took time.Duration) {
		run := f.start(f.createOf(kind, 1, nil)[0])
		f.clock.Advance(took)
		f.finish(run, app.Outcome{Status: app.Completed})
	}
	for range app.UsualRuns {
		complete("a", time.Hour) // these become too old
	}
	for i := range app.UsualRuns {
		complete("a", time.Duration(i+1)*time.Second)
		complete("b", time.Minute)
	}
	failed := f.start(f.createOf("a", 1, nil)[0])
	f.clock.Advance(time.Hour)
	f.finish(failed, app.Outcome{Status: app.Failed})
	complete("c", 3*time.Second)
	started := f.start(f.createOf("a", 1, nil)[0])
	page, err := f.store.Run(ctx, started.ID)
	f.ok(err)
	if page.MedianDuration != 11*time.Second {
		t.Errorf("the page of a started run has the median %v", page.MedianDuration)
	}
	got := f.overviews("a", "b", "c")
	for i, want := range []struct {
		median   time.Duration
		measured int
	}{{11 * time.Second, app.UsualRuns}, {time.Minute, app.UsualRuns}, {3 * time.Second, 1}} {
		if got[i].MedianDuration != want.median || got[i].Measured != want.measured {
			t.Errorf("the median of kind %d is %v of %d", i, got[i].MedianDuration, got[i].Measured)
		}
	}
}

func checkPause(t *testing.T, f fixture) {
	t.Parallel()
	paused := func() (paused []bool) {
		for _, overview := range f.overviews("a", "b") {
			paused = append(paused, overview.Paused)
		}
		return paused
	}
	for _, step := range []struct {
		kind  string
		pause bool
		want  []bool
	}{
		{"a", false, []bool{false, false}},
		{"a", true, []bool{true, false}},
		{"a", true, []bool{true, false}},
		{"b", true, []bool{true, true}},
		{"a", false, []bool{false, true}},
		{"a", false, []bool{false, true}},
	} {
		f.ok(f.store.PauseKind(ctx, step.kind, step.pause))
		if got := paused(); !slices.Equal(got, step.want) {
			t.Errorf("after %+v the kinds are paused: %v", step, got)
		}
	}
	ahead, err := f.store.QueueAhead(ctx, app.Kind{Name: "b"}, "")
	f.ok(err)
	if !ahead.Paused {
		t.Errorf("a new run would wait for %+v", ahead)
	}
}

func checkPausedKinds(t *testing.T, f fixture) {
	t.Parallel()
	f.create(2)
	for _, step := range []struct {
		kind string
		want app.PausedKinds
	}{
		{"c", app.PausedKinds{Names: [3]string{"c"}}},
		{"a", app.PausedKinds{Names: [3]string{"a", "c"}}},
		{"d", app.PausedKinds{Names: [3]string{"a", "c", "d"}}},
		{"b", app.PausedKinds{Names: [3]string{"a", "b", "c"}, More: true}},
	} {
		f.ok(f.store.PauseKind(ctx, step.kind, true))
		page, err := f.store.Page(ctx, app.Query{})
		f.ok(err)
		if page.Paused != step.want {
			t.Errorf("after a pause of %s the overview is %+v", step.kind, page.Overview)
		}
	}
}

// limited is a kind of which one run for each database, or else n, may be started at once.
func limited(name string, n int, key ...string) app.Kind {
	return app.Kind{Name: name, Policy: app.Policy{Concurrency: n, ConcurrencyKey: key}}
}

func onDatabase(name string) app.InputValues {
	return app.InputValues{{Name: "database", Type: app.ChoiceInput, Texts: []string{name}}}
}

func checkConcurrencyKey(t *testing.T, subject Subject) {
	t.Parallel()
	backup := limited("backup", 1, "database")
	f := openWith(t, subject, Settings{Definitions: kinds{backup}})
	run := f.createOf("backup", 1, onDatabase("shop"))[0]
	want := backup.ConcurrencyKeyOf(onDatabase("shop"))
	if run.ConcurrencyKey != want || want == "" {
		t.Errorf("the new run has the key %q and not %q", run.ConcurrencyKey, want)
	}
	for _, run := range []app.ProcessRun{run, f.start(run)} {
		if got := f.get(run.ID); got.ConcurrencyKey != want || run.ConcurrencyKey != want {
			t.Errorf("the run %+v has the key %q and not %q", run, got.ConcurrencyKey, want)
		}
	}
	f.finish(f.get(run.ID), app.Outcome{Status: app.Failed})
	retried, err := f.store.Retry(ctx, run.ID)
	f.ok(err)
	if retried.ConcurrencyKey != want {
		t.Errorf("the retried run has the key %q", retried.ConcurrencyKey)
	}
	if run := f.createOf("other", 1, onDatabase("shop"))[0]; run.ConcurrencyKey != "" {
		t.Errorf("a run without a limit has the key %q", run.ConcurrencyKey)
	}
}

// A retry counts with the runs that are created now.
func checkKeyOfRetry(t *testing.T, subject Subject) {
	t.Parallel()
	definitions := kinds{{Name: "backup"}}
	f := openWith(t, subject, Settings{Definitions: definitions})
	run := f.createOf("backup", 1, onDatabase("shop"))[0]
	f.finish(f.start(run), app.Outcome{Status: app.Failed})
	definitions[0] = limited("backup", 1, "database")
	retried, err := f.store.Retry(ctx, run.ID)
	f.ok(err)
	want := definitions[0].ConcurrencyKeyOf(onDatabase("shop"))
	if got := f.get(run.ID).ConcurrencyKey; got != want || retried.ConcurrencyKey != want {
		t.Errorf("the retried run has the key %q, and %q is stored; want %q",
			retried.ConcurrencyKey, got, want)
	}
}

func checkQueueAhead(t *testing.T, subject Subject) {
	t.Parallel()
	backup, single := limited("backup", 1, "database"), limited("import", 2)
	f := openWith(t, subject, Settings{Definitions: kinds{backup, single}})
	first := f.createOf("backup", 3, onDatabase("shop"))[0]
	f.createOf("backup", 2, onDatabase("crm"))
	f.createOf("import", 2, nil)
	ahead := func(kind app.Kind, inputs app.InputValues, want app.QueueAhead) {
		f.Helper()
		got, err := f.store.QueueAhead(ctx, kind, kind.ConcurrencyKeyOf(inputs))
		f.ok(err)
		if got != want {
			t.Errorf("a new %s run waits for %+v and not %+v", fmt.Sprint(kind.Name, inputs), got, want)
		}
	}
	ahead(backup, onDatabase("shop"), app.QueueAhead{Created: 3})
	ahead(backup, onDatabase("crm"), app.QueueAhead{Created: 2})
	ahead(backup, onDatabase("new"), app.QueueAhead{})
	ahead(single, nil, app.QueueAhead{Created: 2})
	ahead(app.Kind{Name: "other"}, nil, app.QueueAhead{Created: 7})
	f.start(first)
	full := app.QueueAhead{Started: 1, Created: 2}
	full.Limit, full.By = 1, first.ID
	ahead(backup, onDatabase("shop"), full)
	ahead(backup, onDatabase("crm"), app.QueueAhead{Created: 2})
	ahead(app.Kind{Name: "other"}, nil, app.QueueAhead{Started: 1, Created: 6})
}
