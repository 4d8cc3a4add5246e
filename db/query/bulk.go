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

// NewBulkAction is a bulk action that is ready to be stored.
type NewBulkAction struct {
	Kind string // the kind of the bulk run
	JSON string // the action with absolute times
	// Preview is the preview at the time of the request.
	Preview app.BulkPreview
	// Refused is the reason why the action must not be created, or nil. It does not apply to a repeated
	// idempotency key: the caller then returns the first answer.
	Refused error

	requested []byte // the JSON of the action as the client sent it
}

// NewBulkAction previews a bulk action and limits it to the runs of the confirmed preview or, without one, to
// the runs that match now. If the preview no longer fits, it sets Refused and does not fail.
func (r *Reader) NewBulkAction(
	ctx context.Context, requested app.BulkAction,
) (created NewBulkAction, err error) {
	created.Kind = requested.Operation.Kind()
	created.requested, err = json.Marshal(requested) // before Resolve: a repeated request must be equal later
	if err != nil {
		return created, err
	}
	now := r.db.Now()
	action := requested.Resolve(now)
	if created.Preview, err = r.PreviewBulk(ctx, action); err != nil {
		return created, err
	}
	created.Refused = exceeds(created.Preview, action.Confirmed)
	current := created.Preview.Confirmation
	if action.Confirmed.Newest == 0 {
		action.Confirmed.Newest = current.Newest
	}
	confirmedAt := action.Confirmed.At
	if confirmedAt.IsZero() || confirmedAt.Time(now).After(current.At.Time(now)) {
		action.Confirmed.At = current.At
	}
	text, err := json.Marshal(action)
	created.JSON = string(text)
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

// Request returns the request under which the idempotency key of the action is stored. Its kind contains a
// hash of the action, so that the same key with another action is refused.
func (a NewBulkAction) Request(key string) NewRuns {
	hash := sha256.Sum256(a.requested)
	return NewRuns{CreateRequest: app.CreateRequest{
		Kind: a.Kind + " " + hex.EncodeToString(hash[:8]), Count: 1, IdempotencyKey: key,
	}}
}

// BulkChunk is the next part of a bulk action.
type BulkChunk struct {
	Progress app.BulkProgress // before the chunk
	Start    int64            // all runs with this id or higher are handled
	runs     []int64          // ids of the chunk, newest first
	next     int64            // the Start of the following chunk
}

// NextChunk returns the next part of the action of a bulk run. It fails with CodeNotFound if there is no
// action.
func (r *Reader) NextChunk(ctx context.Context, run int64) (c BulkChunk, err error) {
	const statement = `SELECT action, preview_runs, preview_skipped, preview_more, next, done, skipped
		FROM bulk_actions WHERE run_id = ?`
	err = r.read(forLong(ctx), func(s *snapshot) {
		var row bulkRow
		if !s.get(&row, statement, run) {
			s.fail(NotFound(run))
			return
		}
		c.Start = row.Next
		c.Progress, err = row.progress()
		s.fail(err)
		if !c.Progress.Finished {
			c.runs, c.next = s.nextRuns(c.Progress.BulkAction, c.Start)
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

// ChunkResult is the progress of a bulk action after a chunk.
type ChunkResult struct {
	Progress app.BulkProgress
	Next     int64 // all runs with this id or higher are handled
	Done     int64 // runs that the chunk changed
	Skipped  int64 // runs that the chunk skipped
}

// Do calls perform for each run of the chunk until about enough time has passed, but for at least one run.
// perform applies the action to one run and reports whether that changed it.
//
// perform fails with CodeUnavailable if no more runs may wait, and with ErrPartial if the run takes longer.
// In both cases Do succeeds, and the next chunk begins with that run; in the first case the progress is
// Throttled. Do fails with any other error of perform.
func (c BulkChunk) Do(
	enough time.Duration, perform func(action app.BulkAction, id int64) (changed bool, err error),
) (done ChunkResult, err error) {
	done.Progress, done.Next = c.Progress, c.next
	began := time.Now()
	limit, limited := c.Progress.Limit()
	for i, id := range c.runs {
		if limited && c.Progress.Done+done.Done >= limit {
			done.Skipped++ // a run that finished during the preview may be missing from its count
			continue
		}
		changed, err := perform(c.Progress.BulkAction, id)
		throttled := app.CodeOf(err) == app.CodeUnavailable
		if throttled || errors.Is(err, ErrPartial) {
			done.Progress.Throttled = throttled
			done.Next = id + 1
			break
		}
		if err != nil {
			return done, err
		}
		if changed {
			done.Done++
		} else {
			done.Skipped++
		}
		if i < len(c.runs)-1 && time.Since(began) > enough {
			done.Next = id
			break
		}
	}
	done.Progress.Done += done.Done
	done.Progress.Skipped += done.Skipped
	done.Progress.Finished = done.Next == noneLeft
	return done, nil
}

// ErrPartial reports that the time was over before all work on a run was done. What was done stays; the
// caller continues later.
var ErrPartial = errors.New("the time was over before all work on the run was done")

// ErrConcurrentAction reports that another writer has performed the same chunk of a bulk action. It carries
// no code, so that the transaction is rolled back.
var ErrConcurrentAction = errors.New("another writer has performed this part of the bulk action")

const (
	addActionSQL = `INSERT INTO bulk_actions
		(run_id, action, preview_runs, preview_skipped, preview_more, next, done, skipped)
		VALUES ($1, $2, $3, $4, $5, $1, 0, 0)`
	moveActionSQL = `UPDATE bulk_actions SET next = $1, done = done + $2, skipped = skipped + $3
		WHERE run_id = $4 AND next = $5 RETURNING run_id`
)

// Save stores the action of a bulk run.
func (a NewBulkAction) Save(w Writer, run int64) error {
	return w.Exec(addActionSQL, run, a.JSON, a.Preview.Runs, a.Preview.Skipped, a.Preview.More)
}

// Save stores the progress of a bulk run after a chunk. It fails with ErrConcurrentAction if another writer
// has performed the chunk since it was read.
func (r ChunkResult) Save(w Writer, run int64, chunk BulkChunk) error {
	var saved int64
	found, err := w.Find(&saved, moveActionSQL, r.Next, r.Done, r.Skipped, run, chunk.Start)
	if err == nil && !found {
		err = ErrConcurrentAction
	}
	return err
}
