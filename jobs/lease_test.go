package jobs_test

import (
	"testing"
	"time"

	"runboard/app"
	"runboard/jobs"
)

// The server may be stopped when the lease ends, so that it cannot tell the command to stop: its supervisor
// kills it.
func TestCommand_IsKilledWhenItsLeaseIsNotRenewed(t *testing.T) {
	t.Parallel()
	command, err := jobs.ParseCommand("long=sleep 600")
	if err != nil {
		t.Fatal(err)
	}
	work := command.Kind().Work
	returned := make(chan error, 1)
	over := time.Now().Add(5 * time.Second)
	ctx := jobs.WithLease(t.Context(), func() time.Duration { return time.Until(over) })
	go func() { returned <- work(ctx, app.ProcessRun{ID: 1}, nil) }()
	await(t, returned, "the command to end")
	if time.Now().Before(over) {
		t.Error("it was killed although its lease had been renewed")
	}
}
