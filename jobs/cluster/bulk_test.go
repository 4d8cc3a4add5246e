package cluster_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"runboard/app"
	"runboard/jobs"
)

// lengthy wraps a BulkRunner. The first lengthyParts steps last until their context ends.
type lengthy struct {
	app.BulkRunner
	parts atomic.Int32
}

const lengthyParts = 3

func (l *lengthy) StepBulkAction(ctx context.Context, run app.ProcessRun) (state app.BulkProgress, err error) {
	switch part := l.parts.Add(1); {
	case part == 1:
		state, err = l.BulkRunner.StepBulkAction(ctx, run)
		state.Finished = false
		<-ctx.Done()
		return state, err
	case part <= lengthyParts:
		return endless{}.StepBulkAction(ctx, run)
	}
	return l.BulkRunner.StepBulkAction(ctx, run)
}

func TestBulkRun_IsSnoozedBetweenSlices(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	const many = 10
	create(t, store, "elsewhere", many)
	action, err := store.CreateBulkAction(t.Context(),
		app.BulkAction{Operation: app.BulkCancel, Filter: app.Filter{Kind: "elsewhere"}}, "")
	if err != nil {
		t.Fatal(err)
	}
	engine := newEngine(store, jobs.Kind{Name: "test", Work: nothing})
	actions := &lengthy{BulkRunner: store}
	engine.Bulk.Registry = jobs.BulkRegistry(actions)
	engine.SetSnoozeAfter(500 * time.Millisecond)
	start(t, engine)
	if run := waitForStatus(t, store, action.ID, app.Completed); run.FencingToken != 1 || run.Attempt != 1 ||
		run.Crashes != 0 {
		t.Errorf("the action is %+v", run)
	}
	waitForCount(t, store, many, app.Cancelled)
	log, err := store.Log(t.Context(), app.LogQuery{Run: action.ID, Bytes: 1 << 20, Lines: 1000})
	if err != nil || len(log.Lines) != 2 { // the title and the summary
		t.Errorf("its log is %+v, %v", log.Lines, err)
	}
	if parts := actions.parts.Load(); parts <= lengthyParts {
		t.Errorf("it was continued only %d times", parts)
	}
}

// endless is a BulkRunner whose steps last until their context ends.
type endless struct{}

func (endless) StepBulkAction(ctx context.Context, _ app.ProcessRun) (app.BulkProgress, error) {
	<-ctx.Done()
	return app.BulkProgress{}, context.Cause(ctx)
}

func TestBulkRun_CancelledWhileSnoozed(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	action, err := store.CreateBulkAction(t.Context(),
		app.BulkAction{Operation: app.BulkCancel, Filter: app.Filter{Kind: "elsewhere"}}, "")
	if err != nil {
		t.Fatal(err)
	}
	engine := newEngine(store, jobs.Kind{Name: "test", Work: nothing})
	engine.Bulk.Registry = jobs.BulkRegistry(endless{})
	engine.SetSnoozeAfter(100 * time.Millisecond)
	start(t, engine)
	waitForStatus(t, store, action.ID, app.Started)
	if _, err := store.Cancel(t.Context(), action.ID); err != nil {
		t.Fatal(err)
	}
	waitForStatus(t, store, action.ID, app.Cancelled)
}

func TestBulkRun_ResumesOnAnotherNode(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	create(t, store, "elsewhere", 10)
	action, err := store.CreateBulkAction(t.Context(),
		app.BulkAction{Operation: app.BulkCancel, Filter: app.Filter{Kind: "elsewhere"}}, "")
	if err != nil {
		t.Fatal(err)
	}
	engine := newEngine(store, jobs.Kind{Name: "test", Work: nothing})
	engine.Bulk.Registry, engine.DrainTimeout = jobs.BulkRegistry(endless{}), patience // it is snoozed at once
	stop, stopped := start(t, engine)
	waitForStatus(t, store, action.ID, app.Started)
	stop()
	receive(t, stopped, "the node to stop")
	if n := jobCount(t, store, action.ID); n != 1 {
		t.Errorf("it has %d jobs", n)
	}
	start(t, newEngine(store, jobs.Kind{Name: "test", Work: nothing}))
	if run := waitForStatus(t, store, action.ID, app.Completed); run.FencingToken != 1 || run.Crashes != 0 {
		t.Errorf("the action is %+v", run)
	}
	waitForCount(t, store, 10, app.Cancelled)
}

// cancelledInPause is a BulkRunner that cancels the run at the moment when it is snoozed.
type cancelledInPause struct {
	app.BulkRunner
	cancel func(run int64) error
	err    error
}

func (c *cancelledInPause) StepBulkAction(ctx context.Context, run app.ProcessRun) (app.BulkProgress, error) {
	<-ctx.Done()
	c.err = c.cancel(run.ID)
	return app.BulkProgress{}, context.Cause(ctx)
}

func TestBulkRun_CancelledAtTheSnooze(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	action, err := store.CreateBulkAction(t.Context(),
		app.BulkAction{Operation: app.BulkCancel, Filter: app.Filter{Kind: "elsewhere"}}, "")
	if err != nil {
		t.Fatal(err)
	}
	actions := &cancelledInPause{cancel: func(run int64) error { _, err := store.Cancel(context.Background(), run); return err }}
	engine := newEngine(store, jobs.Kind{Name: "test", Work: nothing})
	engine.Bulk.Registry = jobs.BulkRegistry(actions)
	engine.SetSnoozeAfter(100 * time.Millisecond)
	start(t, engine)
	waitForStatus(t, store, action.ID, app.Cancelled)
	if actions.err != nil {
		t.Error(actions.err)
	}
	if work := query[int](t, store, `SELECT count(*)::int FROM run_events WHERE run_id = $1 AND note LIKE '%crash%'`, action.ID); work != 0 {
		t.Error("it counts as interrupted by a crash")
	}
}
