package river

import (
	"context"
	"slices"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// upkeepQueue is where chores stand.
const upkeepQueue = "upkeep"

const (
	mendEvery  = 15 * time.Second
	pruneEvery = time.Minute
	trimEvery  = 15 * time.Second
	serveEvery = 30 * time.Second // half a minute: it is said for some minutes
	// choreTime is how long a chore may take. What it has not done by then it does the next time. After that time its job is in
	// nobody's way, if its node is lost: River would find that out only when the longest run must be over.
	choreTime = 20 * time.Second
)

// upkeep is the job of a chore: what one node is to do for all, now and then. River's leader says when.
type upkeep struct {
	chore string
}

// Kind implements river.JobArgs.
func (u upkeep) Kind() string { return "upkeep:" + u.chore }

// chore is the worker of one.
type chore struct {
	river.WorkerDefaults[upkeep]
	args  upkeep
	every time.Duration
	node  *node
	do    func(context.Context) (int, error)
	done  string // says what it has done
}

func chores(n *node) []*chore {
	return []*chore{
		{args: upkeep{"mend"}, every: mendEvery, node: n, do: n.Store.RescueOrphans, done: "runs were there whose job was over"},
		{args: upkeep{"prune"}, every: pruneEvery, node: n, do: n.Store.PruneSome, done: "old runs are dropped"},
		{args: upkeep{"trim"}, every: trimEvery, node: n, do: n.Store.TrimLogs, done: "old logs are dropped: all together had more than --max-log-bytes"},
	}
}

// periodic has River ask for each chore, unless that has been done a moment ago and it is not over.
func periodic(n *node) (all []*river.PeriodicJob) {
	for _, chore := range chores(n) {
		constructor := func() (river.JobArgs, *river.InsertOpts) {
			return chore.args, &river.InsertOpts{
				Queue: upkeepQueue, MaxAttempts: 1,
				UniqueOpts: river.UniqueOpts{ByQueue: true, ByPeriod: choreTime, ByState: unfinished()},
			}
		}
		all = append(all, river.NewPeriodicJob(river.PeriodicInterval(chore.every), constructor,
			&river.PeriodicJobOpts{RunOnStart: true}))
	}
	return all
}

func unfinished() []rivertype.JobState {
	return slices.DeleteFunc(rivertype.UniqueOptsByStateDefault(), func(state rivertype.JobState) bool {
		return state == rivertype.JobStateCompleted
	})
}

// Work implements river.Worker.
func (c *chore) Work(context.Context, *river.Job[upkeep]) error {
	ctx, cancel := context.WithTimeout(c.node.lifecycle.Fetch, choreTime)
	defer cancel()
	n, err := c.do(ctx)
	if n > 0 {
		c.node.Log.Info(c.done, "runs", n)
	}
	if err != nil && ctx.Err() == nil {
		c.node.Log.Error("upkeep failed", "chore", c.args.chore, "error", err)
	}
	return nil // the next time comes soon
}

// serve says which kinds are worked on here, until ctx ends.
func (n *node) serve(ctx context.Context) {
	kinds := append(n.Registry.Names(), n.Actions.Names()...)
	for wait := serveEvery; ; wait = serveEvery {
		if err := n.Store.AnnounceKinds(ctx, kinds); err != nil {
			if ctx.Err() == nil {
				n.Log.Error("it could not be said which kinds are worked on here", "error", err)
			}
			wait = tick
		}
		if pause(ctx, wait) != nil {
			return
		}
	}
}
