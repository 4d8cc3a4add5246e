package query

import (
	"context"
	"slices"
	"time"

	"runboard/app"
)

// PreviewBulk implements app.Store.
func (b *Board) PreviewBulk(ctx context.Context, action app.BulkAction) (prospect app.BulkPreview, err error) {
	now := b.Now() // before the read: what ends meanwhile has ended later
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
		if latest.Before(now) { // it is later only if the clock was set back
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

// latestChange is when one of some runs changed last.
func latestChange(runs []app.ProcessRun) (latest time.Time) {
	for _, run := range runs {
		if run.UpdatedAt.After(latest) {
			latest = run.UpdatedAt
		}
	}
	return latest
}

// foreseeChosen tells what an action would come to that names its runs, and when these changed last.
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

// foreseeFound tells what an action with a filter would come to, and when the newest of these runs changed last.
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

// enteredLook is how many of the newest runs in a status are looked at for one that was not there in the preview. Others
// are left alone when their turn comes.
const enteredLook = 100_000

// anyEntered reports whether an action would change a run that came into its status after the preview.
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

// searchesAtMost bounds how often a search for one run goes on: it looks at as much as countWith counts.
const searchesAtMost = 4

// anyFound reports whether a search finds a run, as far as it comes.
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

// countFor counts the runs in each status that an action with a filter is about.
func (b *Board) countFor(ctx context.Context, from Reader, action app.BulkAction) (counts app.Counts, more bool, err error) {
	if action.Filter.Text != "" {
		return b.countWith(ctx, from, action)
	}
	if counts, more, err = b.countEach(ctx, from, action); err != nil || action.Filter.Kind != "" {
		return counts, more, err
	}
	for _, action.Filter.Kind = range app.BulkKinds() { // which are not meant
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

// countWith counts those that a search finds, as far as it goes. It finds no actions.
func (b *Board) countWith(ctx context.Context, from Reader, action app.BulkAction) (counts app.Counts, more bool, err error) {
	l, err := b.newActionList(ctx, from, action)
	if err != nil {
		return counts, false, err
	}
	return l.countFound(ctx, searchesAtMost*l.searched)
}

// countEach counts the runs in each status that a filter finds, as far as they are counted.
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
		if filter.StatusOnly() { // how many there are is known, and few are newer
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
