package cluster

import (
	"cmp"
	"context"
	"time"

	"runboard/app"
	"runboard/jobs"
)

const (
	// unknownInterval is how often a node looks for runs that it has started without knowing it, and
	// unknownIdleInterval how often when no start has failed for unsureFor.
	unknownInterval     = 5 * time.Second
	unknownIdleInterval = time.Minute
	unsureFor           = time.Minute
	// unknownAfter is longer than the start of runs may take.
	unknownAfter = 20 * time.Second
)

// startFailed records that a start has failed. The runs may be started all the same.
func (n *node) startFailed() { n.failedAt.Store(time.Now().UnixNano()) }

// rescueUnknown rescues runs that this node has started without knowing it, until ctx ends: the connection broke
// before the answer came.
func (n *node) rescueUnknown(ctx context.Context) {
	after := cmp.Or(n.overrides.unknownAfter, unknownAfter)
	unknown := map[attempt]time.Time{}
	var looked time.Time
	for jobs.Sleep(ctx, min(unknownInterval, after)) == nil {
		isUnsure := len(unknown) > 0 || time.Since(time.Unix(0, n.failedAt.Load())) < unsureFor
		if isUnsure || time.Since(looked) >= unknownIdleInterval {
			looked = time.Now()
			unknown = n.rescueUnknownFor(ctx, after, unknown)
		}
	}
}

// rescueUnknownFor rescues the runs that this node has started according to the database, but has not held
// for the duration after. It returns the others that it does not hold, with the time when they were first
// found. before is the result of the previous call.
func (n *node) rescueUnknownFor(
	ctx context.Context, after time.Duration, before map[attempt]time.Time,
) map[attempt]time.Time {
	started, err := n.Store.StartedRuns(ctx)
	if err != nil {
		return before
	}
	unknown := map[attempt]time.Time{}
	for _, run := range started {
		if n.isHeld(run) {
			continue
		}
		key := attempt{run.ID, run.FencingToken}
		since, known := before[key]
		if !known {
			since = time.Now()
		}
		if time.Since(since) < after {
			unknown[key] = since
			continue
		}
		n.log.Warn("a run is rescued that this node does not know to have started", "run", run.ID)
		if err := n.Store.Rescue(ctx, run); err != nil && app.CodeOf(err) != app.CodeConflict {
			unknown[key] = since
			level := app.RepeatedLevel(err)
			n.log.Log(ctx, level, "an unknown run cannot be rescued", "run", run.ID, "error", err)
		}
	}
	return unknown
}
