package postgres

import (
	"context"
	"time"

	"runboard/app"
	"runboard/db/query"
)

// bulkStepTime is about how long one transaction of a bulk action may take. It keeps its runs locked.
const bulkStepTime = 100 * time.Millisecond

var _ app.BulkRunner = (*Store)(nil)

// WriteBulk implements query.BulkDatabase.
func (db database) WriteBulk(ctx context.Context, f func(query.BulkWriter) error) error {
	return db.write(ctx, func(tx *transaction) error { return f(tx) })
}

// HoldsToken implements query.BulkWriter.
func (tx *transaction) HoldsToken(run app.ProcessRun) (mine bool, err error) {
	return tx.Find(&mine, holdsToken, run.ID, run.FencingToken)
}

// Perform implements query.BulkWriter. It finishes every run.
func (tx *transaction) Perform(action app.BulkAction, id int64, _ time.Time) (changed bool, err error) {
	current, found, err := tx.lock(id)
	if err != nil || !found || !action.AppliesTo(current.run) {
		return false, err
	}
	entered, err := query.Entered(tx.ctx, tx, action, current.run)
	if err != nil || entered {
		return false, err
	}
	undoes, err := query.Undoes(tx.ctx, tx, action, current.run)
	if err != nil || !undoes {
		return false, err
	}
	var after app.ProcessRun
	switch action.Operation {
	case app.BulkCancel:
		after, err = tx.apply(current, cancelBy(action))
	case app.BulkRetry:
		after, err = tx.apply(current, (*transaction).retry)
	case app.BulkDelete:
		dropped, err := tx.drop(id)
		return len(dropped) > 0, err
	}
	if app.CodeOf(err) == app.CodeConflict {
		return false, nil // the run has changed status and is skipped
	}
	return after.Version > current.run.Version, err
}

// cancelBy is the transition of a bulk action that cancels.
func cancelBy(action app.BulkAction) transition {
	return func(tx *transaction, current lockedRun) (app.ProcessRun, app.Event, error) {
		next, event, err := tx.cancel(current)
		event.Note = action.Note(event.Note)
		return next, event, err
	}
}
