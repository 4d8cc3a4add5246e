package db

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"runboard/app"
)

const (
	addAction    = `INSERT INTO run_actions (run_id, action, runs, left, more, next, done, skipped) VALUES (?1, ?2, ?3, ?4, ?5, ?1, 0, 0)`
	findAction   = `SELECT action, runs, left, more, next, done, skipped FROM run_actions WHERE run_id = ?`
	moveAction   = `UPDATE run_actions SET next = ?1, done = done + ?2, skipped = skipped + ?3 WHERE run_id = ?4 AND next = ?5`
	dropAction   = `DELETE FROM run_actions WHERE run_id = ?`
	lastOfAction = 0 // next, when all runs have been dealt with
)

const (
	// actionLook is how many runs are read at once for an action.
	actionLook = 500
	// actionTime is about how long one transaction of an action may take: everybody else's writes wait for it.
	actionTime = 15 * time.Millisecond
)

var _ app.Actions = (*Store)(nil)

// actionRow is a row of run_actions.
type actionRow struct {
	Action  string `db:"action"`
	Runs    int64  `db:"runs"`
	Left    int64  `db:"left"`
	More    bool   `db:"more"`
	Next    int64  `db:"next"`
	Done    int64  `db:"done"`
	Skipped int64  `db:"skipped"`
}

func (r actionRow) state() (state app.ActionState, err error) {
	state = app.ActionState{
		Prospect: app.Prospect{Runs: r.Runs, Left: r.Left, More: r.More},
		Done:     r.Done, Left: r.Skipped, Over: r.Next == lastOfAction,
	}
	return state, json.Unmarshal([]byte(r.Action), &state.Action)
}

// Act implements app.Store.
func (s *Store) Act(ctx context.Context, action app.Action, key string) (run app.ProcessRun, err error) {
	action = action.Fixed(s.options.Now())
	prospect, err := s.Foresee(ctx, action)
	if err != nil {
		return run, err
	}
	text, err := json.Marshal(action)
	if err != nil {
		return run, err
	}
	var batch app.Batch // the writer's until do succeeds
	err = s.writer.do(ctx, func(tx *transaction) (err error) {
		batch, err = tx.act(action.Deed.Kind(), string(text), prospect, key)
		return err
	})
	if err != nil {
		return run, err
	}
	return batch.Runs()[0], nil
}

// act creates the run of an action. A key is remembered together with what is to be done.
func (tx *transaction) act(kind, action string, prospect app.Prospect, key string) (app.Batch, error) {
	hash := sha256.Sum256([]byte(action))
	request := app.NewRuns{Kind: kind + " " + hex.EncodeToString(hash[:8]), Count: 1, Key: key}
	if first, found, err := tx.repeated(request); err != nil || found {
		first.Kind = kind
		return first, err
	}
	batch, err := tx.insertRuns(app.NewRuns{Kind: kind, Count: 1})
	if err == nil {
		err = tx.exec(tx.addAction, batch.First, action, prospect.Runs, prospect.Left, prospect.More)
	}
	if err != nil || key == "" {
		return batch, err
	}
	return batch, tx.remember(request, batch)
}

// Advance implements app.Actions.
func (s *Store) Advance(ctx context.Context, run app.ProcessRun) (app.ActionState, error) {
	part, err := s.nextPart(ctx, run.ID)
	if err != nil || part.state.Over {
		return part.state, err
	}
	var state app.ActionState // the writer's until do succeeds: it may be set again, or later than ctx ends
	err = s.writer.do(ctx, func(tx *transaction) (err error) {
		state, err = tx.advance(run, part, s.options.MaxPending)
		return err
	})
	if err != nil {
		return app.ActionState{}, err
	}
	return state, nil
}

// part is what an action has to do next.
type part struct {
	state app.ActionState
	at    int64   // all runs from here on have been dealt with
	runs  []int64 // the next ones, newest first
	next  int64   // all runs from here on will then have been dealt with
}

func (s *Store) nextPart(ctx context.Context, run int64) (p part, err error) {
	err = s.read(ctx, func(ctx context.Context, tx *sqlx.Tx) error {
		var row actionRow
		err := tx.GetContext(ctx, &row, findAction, run)
		if errors.Is(err, sql.ErrNoRows) {
			return notFound(run)
		}
		if err != nil {
			return err
		}
		p.at = row.Next
		if p.state, err = row.state(); err != nil || p.state.Over {
			return err
		}
		if len(p.state.IDs) > 0 {
			p.runs, p.next = chosen(p.state.IDs, p.at), lastOfAction
			return nil
		}
		p.runs, p.next, err = s.found(ctx, tx, p.state.Action, p.at)
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
func (s *Store) found(ctx context.Context, tx *sqlx.Tx, action app.Action, before int64) (ids []int64, next int64, err error) {
	l, err := s.newList(ctx, tx, action.Filter, action.Deed.Fits()...)
	if err != nil {
		return nil, 0, err
	}
	runs, searchedTo, err := l.runs(ctx, l.within(span{before: before}), false, actionLook)
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

// advance does a part of an action, or as much of it as there is time and room for.
func (tx *transaction) advance(run app.ProcessRun, p part, maxPending int64) (state app.ActionState, err error) {
	var mine bool
	if _, err := tx.find(tx.isClaimed, &mine, run.ID, run.Claim); err != nil {
		return state, err
	}
	if !mine {
		return state, conflict(run)
	}
	state = p.state
	next, began := p.next, time.Now()
	for i, id := range p.runs {
		changed, err := tx.perform(state.Deed, id, maxPending, began.Add(actionTime))
		if app.CodeOf(err) == app.CodeUnavailable {
			state.Stalled, next = true, id+1
			break
		}
		if errors.Is(err, errUnfinished) {
			next = id + 1
			break
		}
		if err != nil {
			return state, err
		}
		if changed {
			state.Done++
		} else {
			state.Left++
		}
		if i < len(p.runs)-1 && time.Since(began) > actionTime {
			next = id
			break
		}
	}
	state.Over = next == lastOfAction
	moved, err := tx.changesOne(tx.moveAction, next, state.Done-p.state.Done, state.Left-p.state.Left, run.ID, p.at)
	if err == nil && !moved {
		err = errTwice
	}
	return state, err
}

// errTwice carries no code: what has been written must be undone.
var errTwice = errors.New("an action is done twice at once")

// errUnfinished says that there was not enough time: what has been done so far stays, and the rest is to be done later.
var errUnfinished = errors.New("there is more to be done")

// perform does a deed to one run, and reports whether that changed it. It fails with errUnfinished.
func (tx *transaction) perform(deed app.Deed, id, maxPending int64, until time.Time) (changed bool, err error) {
	var row runRow
	if found, err := tx.find(tx.findRun, &row, id); err != nil || !found {
		return false, err
	}
	run, after := row.run(), app.ProcessRun{}
	switch deed {
	case app.DeedCancel:
		after, err = tx.cancelRun(run)
	case app.DeedRetry:
		after, err = tx.retryRun(run, maxPending)
	case app.DeedDelete:
		dropped, unfinished, err := tx.drop(id, until)
		if err == nil && unfinished {
			err = errUnfinished
		}
		return dropped, err
	}
	if app.CodeOf(err) == app.CodeConflict {
		return false, nil // it is not, or no longer, one that the deed is for
	}
	return after.Version > run.Version, err
}

// Delete implements app.Store.
func (s *Store) Delete(ctx context.Context, id int64) error {
	err := errUnfinished
	for errors.Is(err, errUnfinished) {
		err = s.deleteSome(ctx, id)
	}
	return err
}

// deleteSome drops a run or, of a long log, as much as there is time for in one transaction. It fails with errUnfinished.
func (s *Store) deleteSome(ctx context.Context, id int64) error {
	unfinished := false // the writer's until do succeeds
	err := s.writer.do(ctx, func(tx *transaction) (err error) {
		var dropped bool
		if dropped, unfinished, err = tx.drop(id, time.Now().Add(actionTime)); err != nil || dropped || unfinished {
			return err
		}
		var row runRow
		found, err := tx.find(tx.findRun, &row, id)
		if err == nil && !found {
			err = notFound(id)
		}
		if err == nil {
			err = app.Errorf(app.CodeConflict, "Run %d is %s. Only one that is completed, failed or cancelled can be deleted.", id, app.Status(row.Status))
		}
		return err
	})
	if err == nil && unfinished {
		err = errUnfinished
	}
	return err
}

const statusesOf = "SELECT status, COUNT(*) AS n FROM process_runs WHERE id IN (SELECT value FROM json_each(?)) GROUP BY status"

// Foresee implements app.Store.
func (s *Store) Foresee(ctx context.Context, action app.Action) (prospect app.Prospect, err error) {
	err = s.read(ctx, func(ctx context.Context, tx *sqlx.Tx) (err error) {
		var counts app.Counts
		if len(action.IDs) > 0 {
			ids, err := json.Marshal(chosen(action.IDs, math.MaxInt64))
			if err != nil {
				return err
			}
			counts, err = countBy(ctx, tx, statusesOf, string(ids))
			if err != nil {
				return err
			}
		} else if counts, prospect.More, err = s.countFor(ctx, tx, action.Filter); err != nil {
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
func (s *Store) countFor(ctx context.Context, tx *sqlx.Tx, filter app.Filter) (counts app.Counts, more bool, err error) {
	if filter.Text != "" {
		return s.countFound(ctx, tx, filter)
	}
	if counts, more, err = s.countEach(ctx, tx, filter); err != nil || filter.Kind != "" {
		return counts, more, err
	}
	for _, filter.Kind = range app.DeedKinds() { // which are not meant
		actions, _, err := s.countEach(ctx, tx, filter)
		if err != nil {
			return counts, more, err
		}
		for status, n := range actions {
			counts[status] -= n
		}
	}
	return counts, more, nil
}

// countFound counts those that a search finds, among so many matches.
func (s *Store) countFound(ctx context.Context, tx *sqlx.Tx, filter app.Filter) (counts app.Counts, more bool, err error) {
	l, err := s.newList(ctx, tx, filter, app.Statuses()...)
	if err != nil || len(l.sections) == 0 {
		return counts, false, err
	}
	where := l.where()
	if filter.Kind == "" {
		kinds, err := json.Marshal(app.DeedKinds())
		if err != nil {
			return counts, false, err
		}
		where.where += "kind NOT IN (SELECT value FROM json_each(?)) AND "
		where.args = append(where.args, string(kinds))
	}
	const looked = searched * app.CountedForAction / app.CountedMatches
	counts, err = countBy(ctx, tx, countFoundText(where), l.searchArgs(where, looked)...)
	if err != nil {
		return counts, false, err
	}
	left, err := l.searchedTo(ctx, rowsFrom(beyond(l.all.after)), rowsFrom(l.all.before), looked)
	return counts, left > 0, err
}

// countEach counts the runs in each status that a filter finds, as far as they are counted.
func (s *Store) countEach(ctx context.Context, tx *sqlx.Tx, filter app.Filter) (counts app.Counts, more bool, err error) {
	kept, err := readCounts(ctx, tx)
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
		l, err := s.newList(ctx, tx, filter, status)
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
