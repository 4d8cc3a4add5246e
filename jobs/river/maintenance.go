package river

import (
	"context"
	"slices"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"runboard/app"
)

const maintenanceQueue = "maintenance"

const (
	rescueInterval   = 15 * time.Second
	pruneInterval    = time.Minute
	trimInterval     = 15 * time.Second
	announceInterval = 30 * time.Second // an announcement is valid for some minutes
	// taskTimeout limits a task; the next task does the rest. If the node of a task is lost, its job
	// blocks other jobs of the task only for that time. River would notice the loss only after lostAfter.
	taskTimeout = 20 * time.Second
)

// taskArgs are the arguments of the job of a maintenance task.
type taskArgs struct {
	name string
}

// Kind implements river.JobArgs.
func (a taskArgs) Kind() string { return "maintenance:" + a.name }

// task is a maintenance task, which one node performs for the cluster at an interval. It is also the
// River worker for its jobs.
type task struct {
	river.WorkerDefaults[taskArgs]
	args     taskArgs
	interval time.Duration
	node     *node
	run      func(context.Context) (int, error) // returns the number of changed runs
	message  string                             // logged if any run was changed
}

func tasks(n *node) []*task {
	return []*task{
		{
			args: taskArgs{"rescue"}, interval: rescueInterval, node: n, run: n.Store.RescueOrphans,
			message: "rescued orphaned runs",
		},
		{
			args: taskArgs{"prune"}, interval: pruneInterval, node: n, run: n.Store.Prune,
			message: "deleted old runs",
		},
		{
			args: taskArgs{"trim"}, interval: trimInterval, node: n, run: n.Store.TrimLogs,
			message: "dropped the oldest logs: all logs exceed --max-log-bytes",
		},
	}
}

// periodicJobs returns the periodic jobs that River's leader inserts, one for each task. River inserts
// none if an unfinished job of the task was inserted within taskTimeout.
func periodicJobs(n *node) (all []*river.PeriodicJob) {
	for _, task := range tasks(n) {
		constructor := func() (river.JobArgs, *river.InsertOpts) {
			return task.args, &river.InsertOpts{
				Queue: maintenanceQueue, MaxAttempts: 1,
				UniqueOpts: river.UniqueOpts{
					ByQueue: true, ByPeriod: taskTimeout, ByState: unfinishedStates(),
				},
			}
		}
		options := &river.PeriodicJobOpts{RunOnStart: true}
		all = append(all, river.NewPeriodicJob(river.PeriodicInterval(task.interval), constructor, options))
	}
	return all
}

func unfinishedStates() []rivertype.JobState {
	return slices.DeleteFunc(rivertype.UniqueOptsByStateDefault(), func(state rivertype.JobState) bool {
		return state == rivertype.JobStateCompleted
	})
}

// Work implements river.Worker. It returns no error, because the task is soon repeated anyway.
func (t *task) Work(context.Context, *river.Job[taskArgs]) error {
	ctx, cancel := context.WithTimeout(t.node.lifecycle.Fetch, taskTimeout)
	defer cancel()
	n, err := t.run(ctx)
	if n > 0 {
		t.node.log.Info(t.message, "runs", n)
	}
	if err != nil && ctx.Err() == nil {
		t.node.log.Log(ctx, app.RepeatedLevel(err), "maintenance failed", "task", t.args.name, "error", err)
	}
	return nil
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
