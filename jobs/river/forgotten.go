package river

import (
	"context"
	"time"
)

const (
	forgottenInterval = 15 * time.Second
	// forgottenAfter is longer than River tries to save the result of a job: 37 seconds, and once more.
	forgottenAfter = 2 * time.Minute
)

// releaseForgottenJobs releases, until ctx ends, jobs whose result River failed to save. They would stay running for ever, on
// a node that is alive and does not work on them.
func (n *node) releaseForgottenJobs(ctx context.Context) {
	after := n.forgottenAfter
	if after == 0 {
		after = forgottenAfter
	}
	missing := map[int64]time.Time{}
	for sleep(ctx, min(forgottenInterval, after)) == nil {
		missing = n.releaseForgotten(ctx, after, missing)
	}
}

// releaseForgotten releases jobs that this node has fetched and that were not in hand for the duration after. It returns the
// other jobs that are not in hand, with the time when that was first seen; before is what the last call returned.
func (n *node) releaseForgotten(
	ctx context.Context, after time.Duration, before map[int64]time.Time,
) map[int64]time.Time {
	fetched, err := n.Store.JobsInHand(ctx)
	if err != nil {
		return before
	}
	missing := map[int64]time.Time{}
	for _, job := range fetched {
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
		n.Log.Warn("a forgotten job is released", "job", job)
		if err := n.Store.Release(ctx, job); err != nil {
			n.Log.Error("a forgotten job cannot be released", "job", job, "error", err)
			missing[job] = since
		}
	}
	return missing
}
