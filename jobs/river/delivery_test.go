package river

import (
	"context"
	"testing"
	"time"

	"runboard/app"
	"runboard/jobs"
)

func TestJobHandler_TimeoutFollowsTheKinds(t *testing.T) {
	t.Parallel()
	nothing := func(context.Context, *jobs.Run) error { return nil }
	kind := func(timeout time.Duration) jobs.Kind {
		return jobs.Kind{Name: "test", Work: nothing, Info: app.Kind{Policy: app.Policy{Timeout: timeout}}}
	}
	registry, err := jobs.NewRegistry(kind(48 * time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	executor := &jobs.Executor{Registry: registry, RunTimeout: time.Hour}
	h := &jobHandler{node: &node{Engine: &Engine{Runs: executor}}}
	if got := h.Timeout(nil); got <= 48*time.Hour || got > 49*time.Hour {
		t.Errorf("with 48 h of the kind, a worker is lost after %v", got)
	}
	if err := registry.Replace(kind(0)); err != nil {
		t.Fatal(err)
	}
	if got := h.Timeout(nil); got <= time.Hour || got > 2*time.Hour {
		t.Errorf("with 1 h of the board, a worker is lost after %v", got)
	}
}
