package river

import (
	"context"
	"time"
)

const (
	lookForForgotten = 15 * time.Second
	// forgottenAfter is how long River may take to write down what has become of a job: it tries for 37
	// seconds, and once more.
	forgottenAfter = 2 * time.Minute
)

// remember makes good, until ctx ends, what River could not write down: a job that it gave up to put back
// would be running for ever, on a node that is alive and does nothing for it.
func (n *node) remember(ctx context.Context) {
	after := n.forgottenAfter
	if after == 0 {
		after = forgottenAfter
	}
	missing := map[int64]time.Time{}
	for pause(ctx, min(lookForForgotten, after)) == nil {
		missing = n.releaseForgotten(ctx, after, missing)
	}
}

// releaseForgotten releases jobs that have not been in hand for some time, and returns those that are not in
// hand, with the time when that was seen first.
func (n *node) releaseForgotten(ctx context.Context, after time.Duration, before map[int64]time.Time) map[int64]time.Time {
	handed, err := n.Store.JobsInHand(ctx)
	if err != nil {
		return before
	}
	missing := map[int64]time.Time{}
	for _, job := range handed {
		if n.isHeld(job) {
			continue
		}
		since, known := before[job]
		if !known {
			since = time.Now()
		}
		if time.Since(since) < after {
			missing[job] = since
			continue
		}
		n.Log.Warn("a job was forgotten and is done again", "job", job)
		if err := n.Store.Release(ctx, job); err != nil {
			n.Log.Error("a forgotten job cannot be released", "job", job, "error", err)
			missing[job] = since
		}
	}
	return missing
}
