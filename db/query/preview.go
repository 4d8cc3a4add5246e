package query

import (
	"context"
	"fmt"
	"slices"
	"time"

	"runboard/app"
)

// PreviewBulk implements app.Store.
func (r *Reader) PreviewBulk(ctx context.Context, action app.BulkAction) (preview app.BulkPreview, err error) {
	now := r.db.Now() // before the read, so that runs that finish meanwhile count as later
	action = action.Resolve(now)
	err = r.db.Read(forLong(ctx), func(ctx context.Context, q Queryer) error {
		preview, err = r.readPreview(ctx, q, action, now)
		return err
	})
	return preview, err
}

func (r *Reader) readPreview(
	ctx context.Context, q Queryer, action app.BulkAction, now time.Time,
) (preview app.BulkPreview, err error) {
	failure, err := r.readFailure(ctx, q, action.Filter.Failure)
	if err != nil {
		return preview, err
	}
	preview.Pattern = failure.Pattern
	var newest []app.ProcessRun
	if len(action.IDs) > 0 {
		newest, err = r.previewSelected(ctx, q, action, &preview)
	} else {
		newest, err = r.previewFilter(ctx, q, action, &preview)
	}
	if err != nil {
		return preview, err
	}
	at := now
	for _, run := range newest {
		if run.UpdatedAt.After(at) { // only if the clock was set back
			at = run.UpdatedAt
		}
	}
	preview.Confirmation = app.Confirmation{
		Newest: action.Confirmed.Newest, At: app.At(at), Checked: true, Runs: preview.Runs, More: preview.More,
	}
	if preview.Confirmation.Newest == 0 {
		err = Get(ctx, q, &preview.Confirmation.Newest, "SELECT coalesce(max(id), 0) FROM process_runs")
	}
	return preview, err
}

// previewSelected previews an action that lists its runs, and returns them.
func (r *Reader) previewSelected(
	ctx context.Context, q Queryer, action app.BulkAction, preview *app.BulkPreview,
) ([]app.ProcessRun, error) {
	runs, err := r.readByID(ctx, q, selected(action.IDs, afterNewest(action)))
	if err != nil {
		return nil, err
	}
	for _, run := range runs {
		if !action.AppliesTo(run) {
			preview.Skipped++
			continue
		}
		preview.Runs++
		if action.Confirmed.Checked && !preview.Entered {
			if preview.Entered, err = Entered(ctx, q, action, run); err != nil {
				return nil, err
			}
		}
	}
	return runs, nil
}

// previewFilter previews an action with a filter, and returns the newest runs that it applies to.
func (r *Reader) previewFilter(
	ctx context.Context, q Queryer, action app.BulkAction, preview *app.BulkPreview,
) ([]app.ProcessRun, error) {
	counts, more, err := r.countBulk(ctx, q, action)
	if err != nil {
		return nil, err
	}
	preview.More = more
	statuses := action.Operation.AppliesTo()
	for _, status := range app.Statuses() {
		if slices.Contains(statuses, status) {
			preview.Runs += counts[status]
		} else {
			preview.Skipped += counts[status]
		}
	}
	l, err := r.newBulkList(ctx, q, action, statuses...)
	if err != nil {
		return nil, err
	}
	newest, _, err := l.runs(ctx, l.all, false, bulkBatch)
	if err != nil {
		return nil, err
	}
	if action.Confirmed.Checked && !action.Confirmed.At.IsZero() {
		preview.Entered, err = l.anyEntered(ctx, action)
	}
	return newest, err
}

// enteredLimit is how many of the newest runs in a status are checked for one that entered it after the
// preview. Older ones are checked, and skipped, when the action comes to them.
const enteredLimit = 100_000

// anyEntered reports whether the action would change a run that entered its status after the preview.
func (l *list) anyEntered(ctx context.Context, action app.BulkAction) (found bool, err error) {
	condition, args := entered(action.Operation, action.Confirmed.At.Time(time.Time{}))
	if len(l.terms) > 0 {
		l.require(condition, args...)
		return l.anyFound(ctx)
	}
	for _, scan := range l.scans {
		statement := fmt.Sprintf("SELECT EXISTS (SELECT 1 FROM (%s) AS process_runs WHERE %s)",
			scan.selectSQL("id, updated_at, finished_at", false), condition)
		if err := Get(ctx, l.q, &found, statement, append(scan.Args(l.all, enteredLimit), args...)...); err != nil || found {
			return found, err
		}
	}
	return false, nil
}

// maxSearches bounds how often a search for one run continues. It looks at as many rows as countSearch.
const maxSearches = 4

// anyFound reports whether a search finds a run within maxSearches steps.
func (l *list) anyFound(ctx context.Context) (bool, error) {
	left := l.all
	for range maxSearches {
		runs, cursor, err := l.search(ctx, left, false, 1)
		if err != nil || len(runs) > 0 || cursor == 0 {
			return len(runs) > 0, err
		}
		left.Before = cursor
	}
	return false, nil
}

// countBulk returns the number of runs in each status that an action with a filter covers. more reports that
// some were not counted.
func (r *Reader) countBulk(
	ctx context.Context, q Queryer, action app.BulkAction,
) (counts app.Counts, more bool, err error) {
	if action.Filter.Text != "" { // a search does not find bulk runs
		l, err := r.newBulkList(ctx, q, action)
		if err != nil {
			return counts, false, err
		}
		return l.countFound(ctx, maxSearches*r.searchLimit)
	}
	counts, more, err = r.countFilter(ctx, q, action)
	if err != nil || action.Filter.Kind != "" {
		return counts, more, err
	}
	for _, kind := range app.BulkKinds() { // the action does not cover bulk runs
		action.Filter.Kind = kind
		bulkRuns, _, err := r.countFilter(ctx, q, action)
		if err != nil {
			return counts, more, err
		}
		for status, n := range bulkRuns {
			counts[status] -= n
		}
	}
	return counts, more, nil
}

// countFilter counts the runs in each status that match the filter, at most app.CountedForBulk of each unless
// the number is stored.
func (r *Reader) countFilter(
	ctx context.Context, q Queryer, action app.BulkAction,
) (counts app.Counts, more bool, err error) {
	stored, err := ReadCounts(ctx, q)
	if err != nil {
		return counts, more, err
	}
	filter, end := action.Filter, afterNewest(action)
	for _, status := range app.Statuses() {
		if filter.Filtered && filter.Status != status {
			continue
		}
		l, err := r.newList(ctx, q, filter, status)
		if err != nil {
			return counts, more, err
		}
		if filter.StatusOnly() { // the total is stored: count only the newer runs, which are few
			l.all.After = end - 1
		} else {
			l.all.Before = min(l.all.Before, end)
		}
		n, capped, err := l.count(ctx, app.CountedForBulk)
		if err != nil {
			return counts, more, err
		}
		counts[status] = int64(n)
		if filter.StatusOnly() {
			counts[status] = stored[status] - int64(n)
			continue
		}
		more = more || capped
	}
	return counts, more, nil
}
