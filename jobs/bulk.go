package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dustin/go-humanize"

	"runboard/app"
)

// stalled is how long an action rests when nothing can be done just now.
const throttleDelay = time.Second

// ActionRegistry has the kinds of runs that act on many others. They are for a queue of their own: a run that
// cancels a million others must not wait behind them.
func BulkRegistry(actions app.BulkRunner) *Registry {
	work := func(ctx context.Context, run *Run) error {
		return runBulkAction(ctx, actions, run)
	}
	r := &Registry{kinds: make(map[string]Kind), names: app.BulkKinds()}
	for _, name := range r.names {
		r.kinds[name] = Kind{Name: name, Work: work}
	}
	return r
}

// act goes on with an action until it is over. It rests for as long as each part of it took, so that there is time
// for the writes of others. While the database cannot be written, it waits.
func runBulkAction(ctx context.Context, actions app.BulkRunner, run *Run) error {
	for first := !run.row.Percent.Known(); ; first = false { // else it goes on where it was
		began := time.Now()
		state, err := actions.StepBulkAction(ctx, run.row)
		rest := time.Since(began)
		switch {
		case app.CodeOf(err) == app.CodeNotFound:
			return Permanent(errors.New("it does not say what is to be done"))
		case err != nil && app.CodeOf(err) != app.CodeUnavailable:
			return err
		case err != nil:
			rest = throttleDelay
		default:
			if first {
				run.Logf("%s %s (%s).", operationTitles[state.Operation], state.BulkAction, previewText(state.Preview))
			}
			run.Progress(percentOf(state), summary(state))
			if state.Finished {
				run.Log(summary(state) + ".")
				return nil
			}
			if state.Throttled {
				rest = throttleDelay
			}
		}
		if err := sleep(ctx, rest); err != nil {
			return err
		}
	}
}

var operationTitles = map[app.BulkOperation]string{app.BulkCancel: "Cancel", app.BulkRetry: "Retry", app.BulkDelete: "Delete"}

var resultTexts = map[app.BulkOperation]string{app.BulkCancel: "cancelled or stopping", app.BulkRetry: "queued again", app.BulkDelete: "deleted"}

// percentOf is how far an action has come, as far as it was known beforehand how many runs it is about.
func percentOf(state app.BulkProgress) int {
	if state.Finished {
		return 100
	}
	return int(min(99, 100*(state.Done+state.Skipped)/max(1, state.Preview.Runs)))
}

// told is what an action has done.
func summary(state app.BulkProgress) string {
	text := humanize.Comma(state.Done) + " " + resultTexts[state.Operation]
	if state.Skipped > 0 {
		text += fmt.Sprintf(", %s skipped", humanize.Comma(state.Skipped))
	}
	if state.Throttled {
		text += "; paused: the queue is full"
	}
	return text
}

func previewText(p app.BulkPreview) string {
	if p.More {
		return "more than " + humanize.Comma(p.Runs) + " runs"
	}
	return humanize.Comma(p.Runs) + " runs"
}
