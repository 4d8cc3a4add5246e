package river

import (
	"cmp"
	"context"
	"time"

	"runboard/app"
	"runboard/jobs"
)

const (
	forgottenInterval = 15 * time.Second
	// forgottenAfter is longer than River tries to save the result of a job: 37 seconds, twice.
	forgottenAfter = 2 * time.Minute
)

// releaseForgottenJobs releases jobs whose result River failed to save, until ctx ends. Otherwise they
// would stay in state running for ever, on a living node that does not work on them.
func (n *node) releaseForgottenJobs(ctx context.Context) {
	after := cmp.Or(n.overrides.forgottenAfter, forgottenAfter)
	missing := map[int64]time.Time{}
	for jobs.Sleep(ctx, min(forgottenInterval, after)) == nil {
		missing = n.releaseForgotten(ctx, after, missing)
	}
}

// releaseForgotten releases jobs that this node has fetched but has not held for the duration after. It
// returns the other fetched jobs that are not held, with the time when they were first missing. before is
// the result of the previous call.
func (n *node) releaseForgotten(
	ctx context.Context, after time.Duration, before map[int64]time.Time,
) map[int64]time.Time {
	fetched, err := n.Store.HeldJobs(ctx)
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
		n.log.Warn("a forgotten job is released", "job", job)
		if err := n.Store.ReleaseJob(ctx, job); err != nil && ctx.Err() == nil {
			missing[job] = since
			level := app.RepeatedLevel(err)
			n.log.Log(ctx, level, "a forgotten job cannot be released", "job", job, "error", err)
		}
	}
	return missing
}
