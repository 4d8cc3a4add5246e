package rows

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

func (r action) state() (state app.ActionState, err error) {
	state = app.ActionState{
		Prospect: app.Prospect{Runs: r.Runs, Left: r.Left, More: r.More},
		Done:     r.Done, Left: r.Skipped, Over: r.Next == over,
	}
	return state, json.Unmarshal([]byte(r.Action), &state.Action)
}

// NewAction is an action that is asked for, as it is kept.
type NewAction struct {
	Kind     string
	Text     string
	Prospect app.Prospect
}

// NewAction is what becomes of an action that is asked for now.
func (b *Board) NewAction(ctx context.Context, asked app.Action) (made NewAction, err error) {
	asked = asked.Fixed(b.Now())
	if made.Prospect, err = b.Foresee(ctx, asked); err != nil {
		return made, err
	}
	text, err := json.Marshal(asked)
	made.Kind, made.Text = asked.Deed.Kind(), string(text)
	return made, err
}

// Request is the request for the run of the action, as which its key is remembered: with what is to be done.
func (a NewAction) Request(key string) app.NewRuns {
	hash := sha256.Sum256([]byte(a.Text))
	return app.NewRuns{Kind: a.Kind + " " + hex.EncodeToString(hash[:8]), Count: 1, Key: key}
}

// Part is what an action has to do next.
type Part struct {
	State app.ActionState
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
		if p.State, err = row.state(); err != nil || p.State.Over {
			return err
		}
		if len(p.State.IDs) > 0 {
			p.runs, p.next = chosen(p.State.IDs, p.At), over
			return nil
		}
		p.runs, p.next, err = b.found(ctx, from, p.State.Action, p.At)
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
func (b *Board) found(ctx context.Context, from Reader, action app.Action, before int64) (ids []int64, next int64, err error) {
	l, err := b.newList(ctx, from, action.Filter, action.Deed.Fits()...)
	if err != nil {
		return nil, 0, err
	}
	runs, searchedTo, err := l.runs(ctx, l.within(Span{Before: before}), false, actionLook)
	if err != nil {
		return nil, 0, err
	}
	for _, run := range runs {
		if action.Filter.Kind != "" || !slices.Contains(app.DeedKinds(), run.Kind) {
			ids = append(ids, run.ID)
		}
	}
	if len(runs) == actionLook {
		return ids, runs[len(runs)-1].ID, nil
	}
	return ids, searchedTo, nil // 0, when all have been found
}

// Moved is how far an action has come with a part.
type Moved struct {
	State      app.ActionState
	Next       int64 // all runs from here on have been dealt with
	Done, Left int64 // more than before
}

// Do has a part of an action done, or as much of it as there is room for, and about so much time. perform does it to one
// run, and reports whether that changed it; it fails with CodeUnavailable when there is no room, and with ErrUnfinished when
// there was not enough time.
func (p Part) Do(enough time.Duration, perform func(deed app.Deed, id int64) (changed bool, err error)) (m Moved, err error) {
	m.State, m.Next = p.State, p.next
	began := time.Now()
	for i, id := range p.runs {
		changed, err := perform(p.State.Deed, id)
		if app.CodeOf(err) == app.CodeUnavailable {
			m.State.Stalled, m.Next = true, id+1
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
	m.State.Done, m.State.Left, m.State.Over = p.State.Done+m.Done, p.State.Left+m.Left, m.Next == over
	return m, nil
}

// ErrUnfinished says that there was not enough time: what has been done so far stays, and the rest is to be done later.
var ErrUnfinished = errors.New("there is more to be done")

// ErrTwice carries no code: what has been written must be undone.
var ErrTwice = errors.New("an action is done twice at once")

// StatusesOf counts some runs by status.
func (d Dialect) StatusesOf() string {
	return "SELECT status, COUNT(*) AS n FROM process_runs WHERE id IN " + d.Numbers + " GROUP BY status"
}

// Foresee implements app.Store.
func (b *Board) Foresee(ctx context.Context, action app.Action) (prospect app.Prospect, err error) {
	err = b.Read(ctx, func(ctx context.Context, from Reader) (err error) {
		var counts app.Counts
		if len(action.IDs) > 0 {
			ids, err := List(chosen(action.IDs, math.MaxInt64))
			if err != nil {
				return err
			}
			if counts, err = CountBy(ctx, from, b.StatusesOf(), ids); err != nil {
				return err
			}
		} else if counts, prospect.More, err = b.countFor(ctx, from, action.Filter); err != nil {
			return err
		}
		for _, status := range app.Statuses() {
			if slices.Contains(action.Deed.Fits(), status) {
				prospect.Runs += counts[status]
			} else {
				prospect.Left += counts[status]
			}
		}
		return nil
	})
	return prospect, err
}

// countFor counts the runs in each status that an action with a filter is about.
func (b *Board) countFor(ctx context.Context, from Reader, filter app.Filter) (counts app.Counts, more bool, err error) {
	if filter.Text != "" {
		return b.countWith(ctx, from, filter)
	}
	if counts, more, err = b.countEach(ctx, from, filter); err != nil || filter.Kind != "" {
		return counts, more, err
	}
	for _, filter.Kind = range app.DeedKinds() { // which are not meant
		actions, _, err := b.countEach(ctx, from, filter)
		if err != nil {
			return counts, more, err
		}
		for status, n := range actions {
			counts[status] -= n
		}
	}
	return counts, more, nil
}

// countWith counts those that a search finds, among so many matches.
func (b *Board) countWith(ctx context.Context, from Reader, filter app.Filter) (counts app.Counts, more bool, err error) {
	l, err := b.newList(ctx, from, filter, app.Statuses()...)
	if err != nil || len(l.sections) == 0 {
		return counts, false, err
	}
	where := l.conditions()
	if filter.Kind == "" {
		kinds := app.DeedKinds()
		where.text += "kind NOT IN (?" + strings.Repeat(", ?", len(kinds)-1) + ") AND "
		for _, kind := range kinds {
			where.args = append(where.args, kind)
		}
	}
	return l.countFound(ctx, where, searched*app.CountedForAction/app.CountedMatches)
}

// countEach counts the runs in each status that a filter finds, as far as they are counted.
func (b *Board) countEach(ctx context.Context, from Reader, filter app.Filter) (counts app.Counts, more bool, err error) {
	kept, err := ReadCounts(ctx, from)
	if err != nil {
		return counts, more, err
	}
	for _, status := range app.Statuses() {
		switch wanted := !filter.Filtered || filter.Status == status; {
		case !wanted:
			continue
		case filter.Plain():
			counts[status] = kept[status]
			continue
		}
		l, err := b.newList(ctx, from, filter, status)
		if err != nil {
			return counts, more, err
		}
		n, uncounted, err := l.count(ctx, app.CountedForAction)
		if err != nil {
			return counts, more, err
		}
		counts[status], more = int64(n), more || uncounted
	}
	return counts, more, nil
}
