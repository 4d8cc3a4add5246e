package cluster_test

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"runboard/app"
	"runboard/jobs"
)

// logLines is a log writer that keeps its lines.
type logLines struct{ journal[string] }

func (l *logLines) Write(line []byte) (int, error) {
	l.add(string(line))
	return len(line), nil
}

// with returns the lines that contain all of words.
func (l *logLines) with(words ...string) (lines []string) {
	for _, line := range l.all() {
		has := true
		for _, word := range words {
			has = has && strings.Contains(line, word)
		}
		if has {
			lines = append(lines, line)
		}
	}
	return lines
}

// A fetch that failed is repeated, for instance because a busy server was slow to open a connection.
func TestLog_FailedFetchIsNoError(t *testing.T) {
	t.Parallel()
	store, log := openStore(t), &logLines{}
	engine := newEngine(store, jobs.Kind{Name: "test", Work: nothing})
	failing := &failingStore{ClusterStore: store}
	engine.Store = failing
	engine.Runs.Log = slog.New(slog.NewTextHandler(log, nil))
	stop, stopped := start(t, engine)
	waitForStatus(t, store, create(t, store, "test", 1), app.Completed)
	failing.left.Store(2)
	waitForStatus(t, store, create(t, store, "test", 1), app.Completed)
	if failing.left.Load() > 0 {
		t.Error("no fetch has failed")
	}
	stop()
	receive(t, stopped, "the node to stop")
	if errors := log.with("level=ERROR"); len(errors) > 0 {
		t.Errorf("the node logged %s", errors)
	}
}

// failingStore wraps a store whose next fetches fail.
type failingStore struct {
	app.ClusterStore
	left atomic.Int32
}

func (s *failingStore) StartJobs(
	ctx context.Context, request app.JobRequest,
) ([]app.ProcessRun, []app.WaitingJob, error) {
	if request.Queue == app.DefaultQueue && s.left.Add(-1) >= 0 {
		return nil, nil, app.Errorf(app.CodeUnavailable, "The database cannot be reached.")
	}
	return s.ClusterStore.StartJobs(ctx, request)
}
