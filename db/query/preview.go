package query

import (
	"context"
	"slices"
	"time"

	"runboard/app"
)

// PreviewBulk implements app.Store.
func (b *Board) PreviewBulk(ctx context.Context, action app.BulkAction) (prospect app.BulkPreview, err error) {
	now := b.Now() // before the read, so that runs that finish meanwhile count as later
	action = action.Resolve(now)
	var latest time.Time
	err = b.Read(ctx, func(ctx context.Context, from Reader) (err error) {
		failure, err := b.readFailure(ctx, from, action.Filter.Failure)
		if err != nil {
			return err
		}
		prospect = app.BulkPreview{Pattern: failure.Pattern}
		if len(action.IDs) > 0 {
			latest, err = b.foreseeChosen(ctx, from, action, &prospect)
		} else {
			latest, err = b.foreseeFound(ctx, from, action, &prospect)
		}
		if err != nil {
			return err
		}
		if latest.Before(now) { // later only if the clock was set back
			latest = now
		}
		prospect.Confirmation = app.Confirmation{Newest: action.Confirmed.Newest, At: app.At(latest), Checked: true, Runs: prospect.Runs, More: prospect.More}
		if prospect.Confirmation.Newest == 0 {
			err = Get(ctx, from, &prospect.Confirmation.Newest, "SELECT coalesce(max(id), 0) FROM process_runs")
		}
		return err
	})
	return prospect, err
}

// latestChange returns the time of the latest change of any of the runs.
func latestChange(runs []app.ProcessRun) (latest time.Time) {
	for _, run := range runs {
		if run.UpdatedAt.After(latest) {
			latest = run.UpdatedAt
		}
	}
	return latest
}

// foreseeChosen previews an action that lists its runs. It returns the time of their latest change.
func (b *Board) foreseeChosen(ctx context.Context, from Reader, action app.BulkAction, prospect *app.BulkPreview) (latest time.Time, err error) {
	ids, err := JSONArray(chosen(action.IDs, beyondNewest(action)))
	if err != nil {
		return latest, err
	}
	runs, err := ReadRuns(ctx, from, b.ChosenRuns(), ids)
	if err != nil {
		return latest, err
	}
	for _, run := range runs {
		if !action.AppliesTo(run) {
			prospect.Skipped++
			continue
		}
		prospect.Runs++
		if action.Confirmed.Checked && !prospect.Entered {
			if prospect.Entered, err = Entered(ctx, from, action, run); err != nil {
				return latest, err
			}
		}
	}
	return latestChange(runs), nil
}

// foreseeFound previews an action with a filter. It returns the time of the latest change of the newest runs
// that it applies to.
func (b *Board) foreseeFound(ctx context.Context, from Reader, action app.BulkAction, prospect *app.BulkPreview) (latest time.Time, err error) {
	var counts app.Counts
	if counts, prospect.More, err = b.countFor(ctx, from, action); err != nil {
		return latest, err
	}
	for _, status := range app.Statuses() {
		if slices.Contains(action.Operation.AppliesTo(), status) {
			prospect.Runs += counts[status]
		} else {
			prospect.Skipped += counts[status]
		}
	}
	l, err := b.newActionList(ctx, from, action, action.Operation.AppliesTo()...)
	if err != nil {
		return latest, err
	}
	newest, _, err := l.runs(ctx, l.all, false, actionLook)
	if err != nil {
		return latest, err
	}
	if action.Confirmed.Checked && !action.Confirmed.At.IsZero() {
		prospect.Entered, err = l.anyEntered(ctx, action)
	}
	return latestChange(newest), err
}

// enteredLook is how many of the newest runs in a status are checked for one that entered it after the
// preview. Older ones are checked, and skipped, when the action comes to them.
const enteredLook = 100_000

// anyEntered reports whether the action would change a run that entered its status after the preview.
func (l *list) anyEntered(ctx context.Context, action app.BulkAction) (found bool, err error) {
	condition, args := entered(action.Operation, action.Confirmed.At.Time(time.Time{}))
	if l.searching() {
		l.require(condition, args...)
		return l.anyFound(ctx)
	}
	for _, section := range l.sections {
		text := "SELECT EXISTS (SELECT 1 FROM (" + section.text("id, updated_at, finished_at", false) + ") AS process_runs WHERE " + condition + ")"
		if err := Get(ctx, l.from, &found, text, append(section.With(l.all, enteredLook), args...)...); err != nil || found {
			return found, err
		}
	}
	return false, nil
}

// searchesAtMost bounds how often a search for one run continues. It looks at as many rows as countWith.
const searchesAtMost = 4

// anyFound reports whether a search finds a run within searchesAtMost steps.
func (l *list) anyFound(ctx context.Context) (bool, error) {
	left := l.all
	for range searchesAtMost {
		runs, searchedTo, err := l.search(ctx, left, false, 1)
		if err != nil || len(runs) > 0 || searchedTo == 0 {
			return len(runs) > 0, err
		}
		left.Before = searchedTo
	}
	return false, nil
}

// countFor returns the number of runs in each status that an action with a filter covers. more reports that
// some were not counted.
func (b *Board) countFor(ctx context.Context, from Reader, action app.BulkAction) (counts app.Counts, more bool, err error) {
	if action.Filter.Text != "" {
		return b.countWith(ctx, from, action)
	}
	if counts, more, err = b.countEach(ctx, from, action); err != nil || action.Filter.Kind != "" {
		return counts, more, err
	}
	for _, action.Filter.Kind = range app.BulkKinds() { // the action does not cover bulk runs
		actions, _, err := b.countEach(ctx, from, action)
		if err != nil {
			return counts, more, err
		}
		for status, n := range actions {
			counts[status] -= n
		}
	}
	return counts, more, nil
}

// countWith counts the matches of a search until its limit of rows. A search does not find bulk runs.
func (b *Board) countWith(ctx context.Context, from Reader, action app.BulkAction) (counts app.Counts, more bool, err error) {
	l, err := b.newActionList(ctx, from, action)
	if err != nil {
		return counts, false, err
	}
	return l.countFound(ctx, searchesAtMost*l.searched)
}

// countEach counts the runs in each status that match the filter, at most app.CountedForBulk of each unless
// the number is stored.
func (b *Board) countEach(ctx context.Context, from Reader, action app.BulkAction) (counts app.Counts, more bool, err error) {
	kept, err := ReadCounts(ctx, from)
	if err != nil {
		return counts, more, err
	}
	filter := action.Filter
	for _, status := range app.Statuses() {
		if filter.Filtered && filter.Status != status {
			continue
		}
		l, err := b.newList(ctx, from, filter, status)
		if err != nil {
			return counts, more, err
		}
		if filter.StatusOnly() { // the total is stored: count only the newer runs, which are few
			l.all.After = beyondNewest(action) - 1
		} else {
			l.all.Before = min(l.all.Before, beyondNewest(action))
		}
		n, uncounted, err := l.count(ctx, app.CountedForBulk)
		if err != nil {
			return counts, more, err
		}
		if counts[status] = int64(n); filter.StatusOnly() {
			counts[status], uncounted = kept[status]-counts[status], false
		}
		more = more || uncounted
	}
	return counts, more, nil
}
