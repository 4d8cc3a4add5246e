package river

import (
	"cmp"
	"context"
	"time"

	"runboard/app"
	"runboard/jobs"
)

const (
	forgottenInterval = 10 * time.Second
	// forgottenAfter is longer than River tries to save the result of a job: 37 seconds, twice.
	forgottenAfter = 2 * time.Minute
	// lostAnswerAfter is longer than the start of runs may take. If its answer is lost with the connection, the
	// runs are started and this node does not know.
	lostAnswerAfter = 20 * time.Second
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
		if n.isHeld(job.ID) {
			continue
		}
		since, known := before[job.ID]
		if !known {
			since = time.Now()
		}
		wait := after
		if job.Used {
			wait = min(after, lostAnswerAfter)
		}
		if time.Since(since) < wait {
			missing[job.ID] = since
			continue
		}
		n.log.Warn("a forgotten job is released", "job", job.ID)
		if err := n.Store.ReleaseJob(ctx, job.ID); err != nil && ctx.Err() == nil {
			missing[job.ID] = since
			level := app.RepeatedLevel(err)
			n.log.Log(ctx, level, "a forgotten job cannot be released", "job", job.ID, "error", err)
		}
	}
	return missing
}
