package sqlite

import (
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
	part, err := store.NextChunk(ctx, run.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.StepBulkAction(ctx, run); err != nil { // the other worker
		t.Fatal(err)
	}
	err = store.writer.do(ctx, func(tx *transaction) error {
		_, err := tx.stepBulk(run, part)
		return err
	})
	if !errors.Is(err, query.ErrConcurrentAction) {
		t.Errorf("it ends with %v", err)
	}
}
