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
	"strings"
	"time"

	"runboard/app"
)

// actionLook is the largest number of runs that one step of a bulk action reads.
const actionLook = 500

// over is the value of Next when all runs are handled.
const over = 0

// action is a row of bulk_actions.
type action struct {
	Action  string `db:"action"`
	Runs    int64  `db:"preview_runs"`
	Left    int64  `db:"preview_skipped"`
	More    bool   `db:"preview_more"`
	Next    int64  `db:"next"`
	Done    int64  `db:"done"`
	Skipped int64  `db:"skipped"`
}

func (r action) state() (state app.BulkProgress, err error) {
	state = app.BulkProgress{
		Preview: app.BulkPreview{Runs: r.Runs, Skipped: r.Left, More: r.More},
		Done:    r.Done, Skipped: r.Skipped, Finished: r.Next == over,
	}
	return state, json.Unmarshal([]byte(r.Action), &state.BulkAction)
}

// NewAction is a bulk action that is ready to be stored.
type NewAction struct {
	// Kind is the kind of the bulk run.
	Kind string
	// Text is the JSON of the action with absolute times.
	Text string
	// Prospect is the preview at the time of the request.
	Prospect app.BulkPreview
	// Refused is the reason why the action must not be created, or nil. It does not apply to a repeated
	// idempotency key: the caller then returns the first answer.
	Refused error

	// asked is the JSON of the action as the client sent it.
	asked string
}

// NewAction previews a bulk action and limits it to the runs of the confirmed preview or, without one, to the
// runs that match now. A preview that no longer fits is reported in NewAction.Refused, not as an error.
func (b *Board) NewAction(ctx context.Context, asked app.BulkAction) (made NewAction, err error) {
	as, err := json.Marshal(asked) // before Resolve: a repeated request must be equal later, too
	if err != nil {
		return made, err
	}
	action := asked.Resolve(b.Now())
	if made.Prospect, err = b.PreviewBulk(ctx, action); err != nil {
		return made, err
	}
	made.Refused = exceeds(made.Prospect, action.Confirmed)
	if action.Confirmed.Newest == 0 {
		action.Confirmed.Newest = made.Prospect.Confirmation.Newest
	}
	if now := made.Prospect.Confirmation.At; action.Confirmed.At.IsZero() || action.Confirmed.At.Time(b.Now()).After(now.Time(b.Now())) {
		action.Confirmed.At = now
	}
	text, err := json.Marshal(action)
	made.Kind, made.Text, made.asked = asked.Operation.Kind(), string(text), string(as)
	return made, err
}

// exceeds fails with CodeConflict if the action would change runs that the confirmed preview did not show.
func exceeds(now app.BulkPreview, shown app.Confirmation) error {
	switch {
	case !shown.Checked:
		return nil
	case now.Runs > shown.Runs && !shown.More:
		return app.Errorf(app.CodeConflict, "More runs match now than in the preview: %d instead of %d. Nothing was done.", now.Runs, shown.Runs)
	case now.Entered:
		return app.Errorf(app.CodeConflict, "Other runs match now than in the preview. Nothing was done.")
	}
	return nil
}

// Request returns the request under which the idempotency key of the action is stored. Its kind contains a
// hash of the action, so that the same key with another action is refused.
func (a NewAction) Request(key string) app.CreateRequest {
	hash := sha256.Sum256([]byte(a.asked))
	return app.CreateRequest{Kind: a.Kind + " " + hex.EncodeToString(hash[:8]), Count: 1, IdempotencyKey: key}
}

// Part is the next part of a bulk action.
type Part struct {
	State app.BulkProgress
	At    int64   // where the part begins: all runs with this id or higher are handled
	runs  []int64 // ids of the part, newest first
	next  int64   // the value of At after this part
}

// NextPart returns the next part of the action of a bulk run. It fails with CodeNotFound if there is no
// action.
func (b *Board) NextPart(ctx context.Context, run int64) (p Part, err error) {
	err = b.Read(ctx, func(ctx context.Context, from Reader) error {
		var row action
		found, err := Find(ctx, from, &row, `SELECT action, preview_runs, preview_skipped, preview_more, next, done, skipped FROM bulk_actions WHERE run_id = ?`, run)
		if err != nil {
			return err
		}
		if !found {
			return NotFound(run)
		}
		p.At = row.Next
		if p.State, err = row.state(); err != nil || p.State.Finished {
			return err
		}
		if len(p.State.IDs) > 0 {
			p.runs, p.next = chosen(p.State.IDs, min(p.At, beyondNewest(p.State.BulkAction))), over
			return nil
		}
		p.runs, p.next, err = b.found(ctx, from, p.State.BulkAction, p.At)
		return err
	})
	return p, err
}

// chosen returns the distinct ids below a bound, the highest first.
func chosen(ids []int64, below int64) []int64 {
	ids = slices.DeleteFunc(slices.Clone(ids), func(id int64) bool { return id >= below })
	slices.SortFunc(ids, func(a, b int64) int { return cmp.Compare(b, a) })
	return slices.Compact(ids)
}

// found returns the newest runs with ids below before that the action applies to, and the value of before for
// the following call, or over at the end.
func (b *Board) found(ctx context.Context, from Reader, action app.BulkAction, before int64) (ids []int64, next int64, err error) {
	l, err := b.newActionList(ctx, from, action, action.Operation.AppliesTo()...)
	if err != nil {
		return nil, 0, err
	}
	runs, searchedTo, err := l.runs(ctx, l.within(Span{Before: before}), false, actionLook)
	if err != nil {
		return nil, 0, err
	}
	for _, run := range runs {
		ids = append(ids, run.ID)
	}
	if len(runs) == actionLook {
		return ids, runs[len(runs)-1].ID, nil
	}
	return ids, searchedTo, nil // 0 is over: all runs have been found
}

// newActionList returns the list of the runs that a bulk action with a filter covers, optionally only those
// in some statuses. Bulk runs are left out unless the filter names their kind.
func (b *Board) newActionList(ctx context.Context, from Reader, action app.BulkAction, only ...app.Status) (*list, error) {
	l, err := b.newList(ctx, from, action.Filter, only...)
	if err != nil {
		return nil, err
	}
	l.all.Before = min(l.all.Before, beyondNewest(action))
	if action.Filter.Kind == "" {
		var kinds []any
		for _, kind := range app.BulkKinds() {
			kinds = append(kinds, kind)
		}
		l.require("kind NOT IN (?"+strings.Repeat(", ?", len(kinds)-1)+")", kinds...)
	}
	return l, nil
}

// beyondNewest returns the first id that is too new for the action.
func beyondNewest(action app.BulkAction) int64 {
	if action.Confirmed.Newest == 0 {
		return math.MaxInt64
	}
	return beyond(action.Confirmed.Newest)
}

// wasRetried is the condition that a run was retried after a given time. Its arguments are the time in
// milliseconds, twice, and app.NoteRetried.
const wasRetried = `updated_at > ? AND EXISTS (SELECT 1 FROM run_events WHERE run_id = process_runs.id AND at > ? AND note = ?)`

// entered returns the condition that a run entered a status of the operation after a given time: it finished
// then or, for a cancellation, was retried then.
func entered(operation app.BulkOperation, at time.Time) (condition string, args []any) {
	millis := at.UnixMilli()
	if operation == app.BulkCancel {
		return wasRetried, []any{millis, millis, app.NoteRetried}
	}
	return "finished_at > ?", []any{millis}
}

// Entered reports whether a run entered its status after the preview of the action. The operation must apply
// to the run.
func Entered(ctx context.Context, from Reader, action app.BulkAction, run app.ProcessRun) (later bool, err error) {
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
	err = Get(ctx, from, &later, "SELECT EXISTS (SELECT 1 FROM process_runs WHERE id = ? AND "+condition+")", append([]any{run.ID}, args...)...)
	return later, err
}

// Moved is the progress of a bulk action after a part.
type Moved struct {
	State      app.BulkProgress
	Next       int64 // all runs with this id or higher are handled
	Done, Left int64 // runs changed and skipped by this part
}

// Do calls perform for each run of the part until about enough time has passed, but for at least one run.
// perform applies the action to one run and reports whether that changed it.
//
// perform fails with CodeUnavailable if no more runs may wait, and with ErrUnfinished if the run takes
// longer. In both cases Do succeeds, and the next part begins with that run; in the first case the state is
// Throttled. Do fails with any other error of perform.
func (p Part) Do(enough time.Duration, perform func(action app.BulkAction, id int64) (changed bool, err error)) (m Moved, err error) {
	m.State, m.Next = p.State, p.next
	began := time.Now()
	limit, limited := p.State.Limit()
	for i, id := range p.runs {
		if limited && p.State.Done+m.Done >= limit {
			m.Left++ // a run that finished during the preview may be missing from its count
			continue
		}
		changed, err := perform(p.State.BulkAction, id)
		if app.CodeOf(err) == app.CodeUnavailable {
			m.State.Throttled, m.Next = true, id+1
			break
		}
		if errors.Is(err, ErrUnfinished) {
			m.Next = id + 1
			break
		}
		if err != nil {
			return m, err
		}
		if changed {
			m.Done++
		} else {
			m.Left++
		}
		if i < len(p.runs)-1 && time.Since(began) > enough {
			m.Next = id
			break
		}
	}
	m.State.Done, m.State.Skipped, m.State.Finished = p.State.Done+m.Done, p.State.Skipped+m.Left, m.Next == over
	return m, nil
}

// ErrUnfinished reports that the time was over before all work on a run was done. What was done stays; the
// caller continues later.
var ErrUnfinished = errors.New("there is more to be done")

// ErrTwice reports that another writer has performed the same part of a bulk action. It carries no code, so
// that the transaction is rolled back.
var ErrTwice = errors.New("an action is done twice at once")
