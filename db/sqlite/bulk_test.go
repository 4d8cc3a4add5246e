package sqlite

import (
	"context"
	"errors"
	"testing"

	"runboard/app"
	"runboard/db/query"
)

// If another worker has already performed the same part, the second transaction must be rolled back.
func TestStepBulkAction_UndoesRepeatedPart(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	create(t, store, 5)
	asked, err := store.CreateBulkAction(ctx, app.BulkAction{Operation: app.BulkCancel}, "")
	if err != nil {
		t.Fatal(err)
	}
	run := start(t, store, asked)
	overtaken := query.NewBulkActions(store.Reader, slowDatabase{database{store}, run, t}, bulkStepTime)
	_, err = overtaken.StepBulkAction(ctx, run)
	if !errors.Is(err, query.ErrConcurrentAction) {
		t.Errorf("it ends with %v", err)
	}
}

// slowDatabase lets another worker perform a step of a bulk run before each of its writes.
type slowDatabase struct {
	database
	run app.ProcessRun
	t   *testing.T
}

func (db slowDatabase) WriteBulk(ctx context.Context, f func(query.BulkWriter) error) error {
	if _, err := db.StepBulkAction(ctx, db.run); err != nil {
		db.t.Error(err)
	}
	return db.database.WriteBulk(ctx, f)
}
