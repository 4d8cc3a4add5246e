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

// actionLook is how many runs are read at once for an action.
const actionLook = 500

// over is next, when all runs have been dealt with.
const over = 0

// action is a row of run_actions.
type action struct {
	Action  string `db:"action"`
	Runs    int64  `db:"runs"`
	Left    int64  `db:"left"`
	More    bool   `db:"more"`
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

// NewAction is an action that is asked for, as it is kept.
type NewAction struct {
	Kind     string
	Text     string
	Prospect app.BulkPreview
	// Refused is why it must not be done, unless its key was used before: then the first answer is repeated.
	Refused error

	asked string
}

// NewAction is what becomes of an action that is asked for now.
func (b *Board) NewAction(ctx context.Context, asked app.BulkAction) (made NewAction, err error) {
	as, err := json.Marshal(asked) // with its times as they were asked for: a repeated request is the same later
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

// exceeds fails with CodeConflict if an action would change runs that its preview did not show.
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

// Request is the request for the run of the action, as which its key is remembered: with what was asked for.
func (a NewAction) Request(key string) app.CreateRequest {
	hash := sha256.Sum256([]byte(a.asked))
	return app.CreateRequest{Kind: a.Kind + " " + hex.EncodeToString(hash[:8]), Count: 1, IdempotencyKey: key}
}

// Part is what an action has to do next.
type Part struct {
	State app.BulkProgress
	At    int64   // all runs from here on have been dealt with
	runs  []int64 // the next ones, newest first
	next  int64   // all runs from here on will then have been dealt with
}

// NextPart returns what the action of a run has to do next. It fails with CodeNotFound when it has none.
func (b *Board) NextPart(ctx context.Context, run int64) (p Part, err error) {
	err = b.Read(ctx, func(ctx context.Context, from Reader) error {
		var row action
		found, err := Find(ctx, from, &row, `SELECT action, runs, "left", more, next, done, skipped FROM run_actions WHERE run_id = ?`, run)
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

// chosen are those of the ids that are below another one, the highest first, each once.
func chosen(ids []int64, below int64) []int64 {
	ids = slices.DeleteFunc(slices.Clone(ids), func(id int64) bool { return id >= below })
	slices.SortFunc(ids, func(a, b int64) int { return cmp.Compare(b, a) })
	return slices.Compact(ids)
}

// found are the newest runs with ids below before that an action finds, and the before of those that follow.
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
	return ids, searchedTo, nil // 0, when all have been found
}

// newActionList returns the list of the runs in some statuses that an action with a filter is about.
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

// beyondNewest is the first id that an action is not about.
func beyondNewest(action app.BulkAction) int64 {
	if action.Confirmed.Newest == 0 {
		return math.MaxInt64
	}
	return beyond(action.Confirmed.Newest)
}

// wasRetried is the condition that a run was retried after a time. Its arguments are the time, twice, and app.NoteRetried.
const wasRetried = `updated_at > ? AND EXISTS (SELECT 1 FROM run_events WHERE run_id = process_runs.id AND at > ? AND note = ?)`

// entered is the condition that a run came later into a status that a operation is for: it ended then, or was retried.
func entered(operation app.BulkOperation, at time.Time) (condition string, args []any) {
	millis := at.UnixMilli()
	if operation == app.BulkCancel {
		return wasRetried, []any{millis, millis, app.NoteRetried}
	}
	return "finished_at > ?", []any{millis}
}

// Entered reports whether a run, which fits an action, came into its status after the action's preview.
func Entered(ctx context.Context, from Reader, action app.BulkAction, run app.ProcessRun) (later bool, err error) {
	at := action.Confirmed.At.Time(time.Time{})
	switch {
	case action.Confirmed.At.IsZero():
		return false, nil
	case action.Operation != app.BulkCancel:
		return run.FinishedAt.After(at), nil
	case !run.UpdatedAt.After(at): // which spares most runs the question
		return false, nil
	}
	condition, args := entered(action.Operation, at)
	err = Get(ctx, from, &later, "SELECT EXISTS (SELECT 1 FROM process_runs WHERE id = ? AND "+condition+")", append([]any{run.ID}, args...)...)
	return later, err
}

// Moved is how far an action has come with a part.
type Moved struct {
	State      app.BulkProgress
	Next       int64 // all runs from here on have been dealt with
	Done, Left int64 // more than before
}

// Do has a part of an action done, or as much of it as there is room for, and about so much time. perform does it to one
// run, and reports whether that changed it; it fails with CodeUnavailable when there is no room, and with ErrUnfinished when
// there was not enough time.
func (p Part) Do(enough time.Duration, perform func(action app.BulkAction, id int64) (changed bool, err error)) (m Moved, err error) {
	m.State, m.Next = p.State, p.next
	began := time.Now()
	limit, limited := p.State.Limit()
	for i, id := range p.runs {
		if limited && p.State.Done+m.Done >= limit {
			m.Left++ // a run that ended as the preview was read may have gone unseen in it
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

// ErrUnfinished says that there was not enough time: what has been done so far stays, and the rest is to be done later.
var ErrUnfinished = errors.New("there is more to be done")

// ErrTwice carries no code: what has been written must be undone.
var ErrTwice = errors.New("an action is done twice at once")
