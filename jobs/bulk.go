package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dustin/go-humanize"

	"runboard/app"
)

// throttleDelay is the pause of a bulk action while the database is unavailable or the queue is full.
const throttleDelay = time.Second

// BulkRegistry returns the kinds of bulk actions. They need workers of their own: a bulk action that
// cancels a million runs must not queue behind those runs.
func BulkRegistry(actions app.BulkRunner) *Registry {
	work := func(ctx context.Context, run *Run) error {
		return runBulkAction(ctx, actions, run)
	}
	set := &kindSet{kinds: make(map[string]Kind), names: app.BulkKinds()}
	for _, name := range set.names {
		set.kinds[name] = Kind{Name: name, Work: work}
	}
	r := &Registry{}
	r.current.Store(set)
	return r
}

// runBulkAction runs a bulk action to its end, in steps. After each step it pauses for as long as the
// step took, so that other writes get their turn. While the database is unavailable, it waits.
func runBulkAction(ctx context.Context, actions app.BulkRunner, run *Run) error {
	resumed := run.row.Percent.Known()
	for {
		began := time.Now()
		state, err := actions.StepBulkAction(ctx, run.row)
		pause := time.Since(began)
		switch {
		case app.CodeOf(err) == app.CodeNotFound:
			return Permanent(errors.New("the bulk run has no action"))
		case err != nil && app.CodeOf(err) != app.CodeUnavailable:
			return err
		case err != nil:
			pause = throttleDelay
		default:
			if !resumed {
				title := operationTitles[state.Operation]
				run.Logf("%s %s (%s).", title, state.BulkAction, previewText(state.Preview))
				resumed = true
			}
			run.Progress(percentOf(state), summary(state))
			if state.Finished {
				run.Log(summary(state) + ".")
				return nil
			}
			if state.Throttled {
				pause = throttleDelay
			}
		}
		if err := Sleep(ctx, pause); err != nil {
			return err
		}
	}
}

var operationTitles = map[app.BulkOperation]string{
	app.BulkCancel: "Cancel", app.BulkRetry: "Retry", app.BulkDelete: "Delete",
}

var resultTexts = map[app.BulkOperation]string{
	app.BulkCancel: "cancelled or stopping", app.BulkRetry: "queued again", app.BulkDelete: "deleted",
}

// percentOf returns the progress in percent. It stays at 99 until the action has finished, because the
// preview may have counted fewer runs than the action affects.
func percentOf(state app.BulkProgress) int {
	if state.Finished {
		return 100
	}
	return int(min(99, 100*(state.Done+state.Skipped)/max(1, state.Preview.Runs)))
}

// summary says what a bulk action has done so far.
func summary(state app.BulkProgress) string {
	text := runCount(state.Done) + " " + resultTexts[state.Operation]
	if state.Skipped > 0 {
		text += fmt.Sprintf(", %s skipped", humanize.Comma(state.Skipped))
	}
	if state.Throttled {
		text += "; paused: the queue is full"
	}
	return text
}

// runCount returns a number of runs with the noun.
func runCount(n int64) string {
	if n == 1 {
		return "1 run"
	}
	return humanize.Comma(n) + " runs"
}

// previewText says how many runs the preview counted.
func previewText(p app.BulkPreview) string {
	if p.More {
		return "more than " + runCount(p.Runs)
	}
	return runCount(p.Runs)
}
