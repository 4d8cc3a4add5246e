package jobs_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"runboard/app"
	"runboard/jobs"
)

// The server may be stopped when the lease ends and cannot stop the command then. So the supervisor kills it.
func TestCommand_IsKilledWithoutALease(t *testing.T) {
	t.Parallel()
	command, err := jobs.ParseCommand("long=sleep 600")
	if err != nil {
		t.Fatal(err)
	}
	work := command.Kind(app.Kind{}).Work
	returned := make(chan error, 1)
	over := time.Now().Add(5 * time.Second)
	ctx := jobs.WithLease(t.Context(), func() time.Duration { return time.Until(over) })
	go func() { returned <- work(ctx, jobs.NewRun(app.ProcessRun{ID: 1}, func(app.ProgressUpdate) {})) }()
	if err := receive(t, returned, "the command to end"); !errors.Is(err, app.ErrLeaseLost) {
		t.Errorf("it ends with %v", err)
	}
	if time.Now().Before(over) {
		t.Error("it was killed although its lease had been renewed")
	}
}

// The supervisor may notice the end of the lease before the server does, for instance when the server was
// paused. The run must be requeued then: it has neither completed nor failed.
func TestExecutor_RequeuesWhenTheLeaseIsLost(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	work := func(context.Context, *jobs.Run) error { return app.ErrLeaseLost }
	worker := newExecutor(t, store, jobs.Kind{Name: "lost", Work: work})
	run := started(t, store, "lost")
	p, _ := newLifecycle(t)
	worker.Execute(p.Work, p, run)
	if run = read(t, store, run.ID); run.Status != app.Created || run.Attempt != 0 {
		t.Errorf("the row is %+v", run)
	}
}
