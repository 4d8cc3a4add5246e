package cluster

import (
	"context"
	"time"

	"runboard/app"
	"runboard/jobs"
)

const (
	scheduleInterval = 8 * time.Second // less than the store looks ahead
	rescueInterval   = 30 * time.Second
	trimInterval     = 15 * time.Second
	pruneInterval    = time.Minute
	announceInterval = 30 * time.Second // an announcement is valid for some minutes
	// taskTimeout limits a task; the next time it does the rest.
	taskTimeout = 20 * time.Second
)

// task is a maintenance task, which the leader performs for the cluster at an interval.
type task struct {
	node     *node
	name     string
	interval time.Duration
	run      func(context.Context) (int, error) // returns the number of changed runs
	message  string                             // logged if any run was changed; "": never
}

func (n *node) tasks() []task {
	return []task{
		{node: n, name: "schedule", interval: scheduleInterval, run: n.Store.ScheduleJobs},
		{
			node: n, name: "rescue", interval: rescueInterval, run: n.Store.RescueOrphans,
			message: "rescued orphaned runs",
		},
		{
			node: n, name: "prune", interval: pruneInterval, run: n.Store.Prune,
			message: "deleted old runs",
		},
		{
			node: n, name: "trim", interval: trimInterval, run: n.Store.TrimLogs,
			message: "dropped the oldest logs: all logs exceed --max-log-bytes",
		},
	}
}

// repeat performs the task at its interval while this node is the leader, until ctx ends.
func (t task) repeat(ctx context.Context) {
	for {
		if t.node.Store.IsLeader() {
			t.perform(ctx)
		}
		if jobs.Sleep(ctx, t.interval) != nil {
			return
		}
	}
}

// perform performs the task once. It returns no error, because the task is soon repeated anyway.
func (t task) perform(ctx context.Context) {
	timed, cancel := context.WithTimeout(ctx, taskTimeout)
	defer cancel()
	n, err := t.run(timed)
	if n > 0 && t.message != "" {
		t.node.log.Info(t.message, "runs", n)
	}
	if err != nil && timed.Err() == nil {
		t.node.log.Log(ctx, app.RepeatedLevel(err), "maintenance failed", "task", t.name, "error", err)
	}
}

// announceKinds announces the kinds of runs that this node works on, periodically and when announceNow is
// called, until ctx ends.
func (n *node) announceKinds(ctx context.Context) {
	for {
		kinds := append(n.Runs.Registry.Names(), n.Bulk.Registry.Names()...)
		wait := announceInterval
		if err := n.Store.AnnounceKinds(ctx, kinds); err != nil {
			if ctx.Err() == nil {
				level := app.RepeatedLevel(err)
				n.log.Log(ctx, level, "the kinds of this node cannot be announced", "error", err)
			}
			wait = tick
		}
		select {
		case <-ctx.Done():
			return
		case <-n.announce:
		case <-time.After(wait):
		}
	}
}

// announceNow has the kinds announced without delay.
func (n *node) announceNow() {
	select {
	case n.announce <- struct{}{}:
	default: // they are about to be
	}
}
