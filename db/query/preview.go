package query

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"runboard/app"
)

// PreviewBulk implements app.Store.
func (r *Reader) PreviewBulk(
	ctx context.Context, action app.BulkAction,
) (preview app.BulkPreview, err error) {
	now := r.db.Now() // before the read, so that runs that finish meanwhile count as later
	action = action.Resolve(now)
	err = r.read(forLong(ctx), func(s *snapshot) { preview = s.preview(action, now) })
	return preview, err
}

func (s *snapshot) preview(action app.BulkAction, now time.Time) app.BulkPreview {
	preview := app.BulkPreview{Pattern: s.failure(action.Filter.Failure).Pattern}
	var runs []app.ProcessRun
	if len(action.IDs) > 0 {
		runs = s.previewSelected(action, &preview)
	} else {
		runs = s.previewFilter(action, &preview)
	}
	at := now
	for _, run := range runs {
		if run.UpdatedAt.After(at) { // only if the clock was set back
			at = run.UpdatedAt
		}
	}
	newest := action.Confirmed.Newest
	if newest == 0 {
		newest = s.newestID()
	}
	preview.Confirmation = app.Confirmation{
		Newest: newest, At: app.At(at), Checked: true, Runs: preview.Runs, More: preview.More,
	}
	return preview
}

// previewSelected previews an action that lists its runs, and returns them.
func (s *snapshot) previewSelected(action app.BulkAction, preview *app.BulkPreview) []app.ProcessRun {
	ids := selected(action.IDs, afterNewest(action))
	runs := s.readRuns(s.dialect.RunsByIDSQL(), JSONArray(ids))
	for _, run := range runs {
		if !action.AppliesTo(run) {
			preview.Skipped++
			continue
		}
		preview.Runs++
		if action.Confirmed.Checked && !preview.Entered {
			entered, err := Entered(s.ctx, s.q, action, run)
			s.fail(err)
			preview.Entered = entered
		}
	}
	return runs
}

// previewFilter previews an action with a filter, and returns the newest runs that it applies to.
func (s *snapshot) previewFilter(action app.BulkAction, preview *app.BulkPreview) []app.ProcessRun {
	counts, more := s.countBulk(action)
	preview.More = more
	statuses := action.Operation.AppliesTo()
	for _, status := range app.Statuses() {
		if slices.Contains(statuses, status) {
			preview.Runs += counts[status]
		} else {
			preview.Skipped += counts[status]
		}
	}
	l := s.bulkList(action, statuses...)
	newest, _ := l.runs(allIDs, false, bulkBatch)
	if action.Confirmed.Checked && !action.Confirmed.At.IsZero() {
		preview.Entered = l.anyEntered(action)
	}
	return newest
}

// enteredLimit is how many of the newest runs in a status are checked for one that entered it after the
// preview. Older ones are checked, and skipped, when the action comes to them.
const enteredLimit = 100_000

// anyEntered reports whether the action would change a run that entered its status after the preview.
func (l *list) anyEntered(action app.BulkAction) (found bool) {
	condition, args := entered(action.Operation, action.Confirmed.At.Time(time.Time{}))
	if l.walks() {
		l.require(condition, args...)
		return l.anyFound()
	}
	for _, scan := range l.scans {
		statement := fmt.Sprintf("SELECT EXISTS (SELECT 1 FROM (%s) AS process_runs WHERE %s)",
			scan.selectSQL("id, updated_at, finished_at", false), condition)
		if l.get(&found, statement, append(scan.Args(l.all, enteredLimit), args...)...); found {
			return true
		}
	}
	return false
}

// maxSearches bounds how often a search for one run continues. The count of a preview looks at as many rows.
const maxSearches = 4

// anyFound reports whether a search finds a run within maxSearches steps.
func (l *list) anyFound() bool {
	left := l.all
	for range maxSearches {
		runs, cursor := l.found(left, false, 1)
		if len(runs) > 0 || cursor == 0 {
			return len(runs) > 0
		}
		left.Before = cursor
	}
	return false
}

// countBulk returns the number of runs in each status that an action with a filter covers. more reports that
// some were not counted.
func (s *snapshot) countBulk(action app.BulkAction) (counts app.Counts, more bool) {
	if action.Filter.Text != "" || !action.Filter.Inputs.IsZero() { // bulk runs have neither text nor inputs
		return s.bulkList(action).countFound(maxSearches*s.searchLimit, math.MaxInt64-1)
	}
	counts, more = s.countFilter(action.Filter, afterNewest(action))
	if action.Filter.Kind != "" {
		return counts, more
	}
	for _, kind := range app.BulkKinds() { // the action does not cover bulk runs
		action.Filter.Kind = kind
		bulkRuns, _ := s.countFilter(action.Filter, afterNewest(action))
		for status, n := range bulkRuns {
			counts[status] -= n
		}
	}
	return counts, more
}

// countFilter counts the runs in each status that match the filter and have ids below end. It counts at most
// app.CountedForBulk of each unless the number is stored.
func (s *snapshot) countFilter(filter app.Filter, end int64) (counts app.Counts, more bool) {
	stored := s.counts()
	for _, status := range app.Statuses() {
		if filter.Filtered && filter.Status != status {
			continue
		}
		l := s.list(filter, status)
		if filter.StatusOnly() { // the total is stored: subtract the newer runs, which are few
			l.all.After = end - 1
			newer, _ := l.count(app.CountedForBulk)
			counts[status] = stored[status] - int64(newer)
			continue
		}
		l.all.Before = min(l.all.Before, end)
		n, capped := l.count(app.CountedForBulk)
		counts[status] = int64(n)
		more = more || capped
	}
	return counts, more
}
