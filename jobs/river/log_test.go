package river_test

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

// River repeats a query that failed, for instance because a busy server was slow to open a connection.
func TestLog_RiversErrorsAreWarnings(t *testing.T) {
	t.Parallel()
	store, log := openStore(t), &logLines{}
	engine := newEngine(store, jobs.Kind{Name: "test", Work: nothing})
	engine.Runs.Log = slog.New(slog.NewTextHandler(log, nil))
	stop, stopped := start(t, engine)
	waitForStatus(t, store, create(t, store, "test", 1), app.Completed)
	define(t, store, `ALTER TABLE river_job RENAME TO renamed`)
	waitUntil(t, store, "a fetch to fail", func() bool {
		return len(log.with("Error fetching jobs")) > 0
	})
	define(t, store, `ALTER TABLE renamed RENAME TO river_job`)
	waitForStatus(t, store, create(t, store, "test", 1), app.Completed)
	stop()
	receive(t, stopped, "the node to stop")
	if errors := log.with("level=ERROR"); len(errors) > 0 {
		t.Errorf("the node logged %s", errors)
	}
}

// panicStore wraps a store and panics when a handler reads its first run.
type panicStore struct {
	app.ClusterStore
	panicked atomic.Bool
}

func (p *panicStore) RunForJob(ctx context.Context, run, job int64) (app.ProcessRun, error) {
	if !p.panicked.Swap(true) {
		panic("the first read")
	}
	return p.ClusterStore.RunForJob(ctx, run, job)
}

func TestLog_PanicOfHandlerIsError(t *testing.T) {
	t.Parallel()
	store, log := openDelivering(t, 1)[0], &logLines{}
	engine := newEngine(store, jobs.Kind{Name: "test", Work: nothing})
	engine.Store = &panicStore{ClusterStore: store}
	engine.Runs.Log = slog.New(slog.NewTextHandler(log, nil))
	start(t, engine)
	waitForStatus(t, store, create(t, store, "test", 1), app.Completed)
	lines := log.with("level=ERROR", "a job handler panicked", "the first read", "RunForJob")
	if len(lines) != 1 {
		t.Errorf("the log is %s", log.all())
	}
}
