package query

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"time"

	"runboard/app"
)

// bulkBatch is the largest number of runs that one step of a bulk action reads.
const bulkBatch = 500

// noneLeft is the value of next when all runs are handled.
const noneLeft = 0

const bulkRowSQL = `SELECT action, preview_runs, preview_skipped, preview_more, next, done, skipped
	FROM bulk_actions WHERE run_id = ?`

// bulkRow is a row of bulk_actions.
type bulkRow struct {
	Action         string `db:"action"`
	PreviewRuns    int64  `db:"preview_runs"`
	PreviewSkipped int64  `db:"preview_skipped"`
	PreviewMore    bool   `db:"preview_more"`
	Next           int64  `db:"next"`
	Done           int64  `db:"done"`
	Skipped        int64  `db:"skipped"`
}

func (r bulkRow) progress() (progress app.BulkProgress, err error) {
	progress = app.BulkProgress{
		Preview: app.BulkPreview{Runs: r.PreviewRuns, Skipped: r.PreviewSkipped, More: r.PreviewMore},
		Done:    r.Done, Skipped: r.Skipped, Finished: r.Next == noneLeft,
	}
	return progress, json.Unmarshal([]byte(r.Action), &progress.BulkAction)
}

// newBulkAction is a bulk action that is ready to be stored.
type newBulkAction struct {
	kind    string // of the bulk run
	json    string // the action with absolute times
	preview app.BulkPreview
	// refused is the reason why the action must not be created, or nil. It does not apply to a repeated
	// idempotency key: the caller then returns the first answer.
	refused error

	requested []byte // the JSON of the action as the client sent it
}

// newBulkAction previews a bulk action and limits it to the runs of the confirmed preview or, without one, to
// the runs that match now. If the preview no longer fits, it sets refused and does not fail.
func (r *Reader) newBulkAction(
	ctx context.Context, requested app.BulkAction,
) (created newBulkAction, err error) {
	created.kind = requested.Operation.Kind()
	created.requested, err = json.Marshal(requested) // before Resolve: a repeated request must be equal later
	if err != nil {
		return created, err
	}
	now := r.db.Now()
	action := requested.Resolve(now)
	if created.preview, err = r.PreviewBulk(ctx, action); err != nil {
		return created, err
	}
	created.refused = exceeds(created.preview, action.Confirmed)
	current := created.preview.Confirmation
	if action.Confirmed.Newest == 0 {
		action.Confirmed.Newest = current.Newest
	}
	confirmedAt := action.Confirmed.At
	if confirmedAt.IsZero() || confirmedAt.Time(now).After(current.At.Time(now)) {
		action.Confirmed.At = current.At
	}
	text, err := json.Marshal(action)
	created.json = string(text)
	return created, err
}

// exceeds fails with CodeConflict if the action would change runs that the confirmed preview did not show.
func exceeds(now app.BulkPreview, confirmed app.Confirmation) error {
	switch {
	case !confirmed.Checked:
		return nil
	case now.Runs > confirmed.Runs && !confirmed.More:
		return app.Errorf(app.CodeConflict,
			"More runs match now than in the preview: %d instead of %d. Nothing was done.",
			now.Runs, confirmed.Runs)
	case now.Entered:
		return app.Errorf(app.CodeConflict, "Other runs match now than in the preview. Nothing was done.")
	}
	return nil
}

// request returns the request under which the idempotency key of the action is stored. Its kind contains a
// hash of the action, so that the same key with another action is refused.
func (a newBulkAction) request(key string) NewRuns {
	hash := sha256.Sum256(a.requested)
	return NewRuns{CreateRequest: app.CreateRequest{
		Kind: a.kind + " " + hex.EncodeToString(hash[:8]), Count: 1, IdempotencyKey: key,
	}}
}

// bulkChunk is the next part of a bulk action.
type bulkChunk struct {
	progress app.BulkProgress // before the chunk
	start    int64            // all runs with this id or higher are handled
	runs     []int64          // ids of the chunk, newest first
	next     int64            // the start of the following chunk
}

// nextChunk returns the next part of the action of a bulk run. It fails with CodeNotFound if there is no
// action.
func (r *Reader) nextChunk(ctx context.Context, run int64) (c bulkChunk, err error) {
	err = r.read(forLong(ctx), func(s *snapshot) {
		var row bulkRow
		if !s.get(&row, bulkRowSQL, run) {
			s.fail(NotFound(run))
			return
		}
		c.start = row.Next
		c.progress, err = row.progress()
		c.progress.Run = run
		s.fail(err)
		if !c.progress.Finished {
			c.runs, c.next = s.nextRuns(c.progress.BulkAction, c.start)
		}
	})
	return c, err
}

// nextRuns returns the newest runs with ids below before that an action must handle, and the value of before
// for the following call, or noneLeft.
func (s *snapshot) nextRuns(action app.BulkAction, before int64) (ids []int64, next int64) {
	if len(action.IDs) > 0 {
		return selected(action.IDs, min(before, afterNewest(action))), noneLeft
	}
	l := s.bulkList(action, action.Operation.AppliesTo()...)
	runs, cursor := l.runs(IDRange{Before: before}, false, bulkBatch)
	for _, run := range runs {
		ids = append(ids, run.ID)
	}
	if len(runs) == bulkBatch {
		return ids, runs[bulkBatch-1].ID
	}
	return ids, cursor // 0 is noneLeft: all runs have been found
}

// selected returns the distinct ids below a bound, the highest first.
func selected(ids []int64, below int64) []int64 {
	ids = slices.DeleteFunc(slices.Clone(ids), func(id int64) bool { return id >= below })
	slices.SortFunc(ids, func(a, b int64) int { return cmp.Compare(b, a) })
	return slices.Compact(ids)
}

// bulkList returns the list of the runs that a bulk action with a filter covers, optionally only those in
// some statuses. Bulk runs are left out unless the filter names their kind.
func (s *snapshot) bulkList(action app.BulkAction, only ...app.Status) *list {
	l := s.list(action.Filter, only...)
	l.all.Before = min(l.all.Before, afterNewest(action))
	if action.Filter.Kind == "" {
		for _, kind := range app.BulkKinds() {
			l.require("kind <> ?", kind)
		}
	}
	return l
}

// afterNewest returns the first id that is too new for the action.
func afterNewest(action app.BulkAction) int64 {
	if action.Confirmed.Newest == 0 {
		return math.MaxInt64
	}
	return after(action.Confirmed.Newest)
}

// entered returns the condition that a run entered a status of the operation after a given time: it finished
// then or, for a cancellation, was retried then.
func entered(operation app.BulkOperation, at time.Time) (condition string, args []any) {
	millis := at.UnixMilli()
	if operation == app.BulkCancel {
		const retried = "updated_at > ? AND EXISTS (" +
			"SELECT 1 FROM run_events WHERE run_id = process_runs.id AND at > ? AND note = ?)"
		return retried, []any{millis, millis, app.NoteRetried}
	}
	return "finished_at > ?", []any{millis}
}

// Entered reports whether a run entered its status after the preview of the action. The operation must apply
// to the run.
func Entered(
	ctx context.Context, q Queryer, action app.BulkAction, run app.ProcessRun,
) (later bool, err error) {
	at := action.Confirmed.At.Time(time.Time{})
	switch {
	case action.Confirmed.At.IsZero():
		return false, nil
	case action.Operation != app.BulkCancel:
		return run.FinishedAt.After(at), nil
	case !run.UpdatedAt.After(at): // saves the query for most runs
		return false, nil
	}
	condition, args := entered(action.Operation, at)
	statement := "SELECT EXISTS (SELECT 1 FROM process_runs WHERE " + condition + " AND id = ?)"
	err = Get(ctx, q, &later, statement, append(args, run.ID)...)
	return later, err
}

// chunkResult is the progress of a bulk action after a chunk.
type chunkResult struct {
	progress app.BulkProgress
	next     int64 // all runs with this id or higher are handled
	done     int64 // runs that the chunk changed
	skipped  int64 // runs that the chunk skipped
}

// do performs the action on the runs of the chunk until a time, but on at least one run. If no more runs may
// wait, or if the work on a run takes longer, the next chunk begins with that run; in the first case the
// progress is Throttled. do fails with any other error of BulkWriter.Perform.
func (c bulkChunk) do(w BulkWriter, until time.Time) (result chunkResult, err error) {
	result.progress, result.next = c.progress, c.next
	limit, limited := c.progress.Limit()
	for i, id := range c.runs {
		if limited && c.progress.Done+result.done >= limit {
			result.skipped++ // a run that finished during the preview may be missing from its count
			continue
		}
		changed, err := w.Perform(c.progress.BulkAction, id, until)
		throttled := app.CodeOf(err) == app.CodeUnavailable
		if throttled || errors.Is(err, ErrPartial) {
			result.progress.Throttled = throttled
			result.next = id + 1
			break
		}
		if err != nil {
			return result, err
		}
		if changed {
			result.done++
		} else {
			result.skipped++
		}
		if i < len(c.runs)-1 && time.Now().After(until) {
			result.next = id
			break
		}
	}
	result.progress.Done += result.done
	result.progress.Skipped += result.skipped
	result.progress.Finished = result.next == noneLeft
	return result, nil
}
