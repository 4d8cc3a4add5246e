package query

import (
	"context"
	"errors"
	"time"

	"runboard/app"
)

// BulkActions implements what app.Store and app.BulkRunner have for bulk actions. Both stores embed it.
type BulkActions struct {
	reader   *Reader
	db       BulkDatabase
	stepTime time.Duration
}

// BulkDatabase is what BulkActions needs of a store.
type BulkDatabase interface {
	// WriteBulk calls f in a write transaction and returns after its commit. If f fails, nothing is written.
	// It may call f again if the transaction fails.
	WriteBulk(ctx context.Context, f func(BulkWriter) error) error
}

// BulkWriter is a write transaction of a store that can perform bulk actions.
type BulkWriter interface {
	Writer
	// HoldsToken reports whether a run is started and holds its fencing token. It remains so until the end of
	// the transaction.
	HoldsToken(run app.ProcessRun) (bool, error)
	// Idempotent calls create, unless the idempotency key of the request was used before: then it returns the
	// first batch, or fails with CodeInvalid if the key was used for another request.
	Idempotent(request NewRuns, create func() (app.Batch, error)) (app.Batch, error)
	// InsertRuns inserts the created runs of a batch. It is not limited by the number of waiting runs.
	InsertRuns(request NewRuns) (app.Batch, error)
	// Perform applies a bulk action to one run, unless the run is not, or no longer, one that the action was
	// created for. It reports whether the run changed. It fails with CodeUnavailable if too many runs are
	// waiting, and with ErrPartial if the work on the run could not be finished until a given time.
	Perform(action app.BulkAction, id int64, until time.Time) (changed bool, err error)
}

// NewBulkActions returns the bulk actions of a database. stepTime is about how long the transaction of one
// step may take.
func NewBulkActions(reader *Reader, db BulkDatabase, stepTime time.Duration) *BulkActions {
	return &BulkActions{reader: reader, db: db, stepTime: stepTime}
}

// CreateBulkAction implements app.Store.
func (b *BulkActions) CreateBulkAction(
	ctx context.Context, action app.BulkAction, key string,
) (run app.ProcessRun, err error) {
	created, err := b.reader.newBulkAction(ctx, action)
	if err != nil {
		return run, err
	}
	var batch app.Batch
	err = b.db.WriteBulk(ctx, func(w BulkWriter) (err error) {
		batch, err = w.Idempotent(created.request(key), func() (app.Batch, error) {
			return created.insertRun(w)
		})
		return err
	})
	if err != nil {
		return run, err
	}
	batch.Kind = created.kind // the request has the hash of the action in it
	return batch.Runs()[0], nil
}

// insertRun inserts the run that performs the action.
func (a newBulkAction) insertRun(w BulkWriter) (app.Batch, error) {
	if a.refused != nil {
		return app.Batch{}, a.refused
	}
	batch, err := w.InsertRuns(NewRuns{CreateRequest: app.CreateRequest{Kind: a.kind, Count: 1}})
	if err != nil {
		return batch, err
	}
	return batch, a.save(w, batch.First)
}

// StepBulkAction implements app.BulkRunner.
func (b *BulkActions) StepBulkAction(ctx context.Context, run app.ProcessRun) (app.BulkProgress, error) {
	chunk, err := b.reader.nextChunk(ctx, run.ID)
	if err != nil || chunk.progress.Finished {
		return chunk.progress, err
	}
	var progress app.BulkProgress
	err = b.db.WriteBulk(ctx, func(w BulkWriter) (err error) {
		progress, err = chunk.step(w, run, b.stepTime)
		return err
	})
	if err != nil {
		return app.BulkProgress{}, err
	}
	return progress, nil
}

// step performs the chunk, or as much of it as the time and the limit of waiting runs allow. It fails with
// CodeConflict if run no longer holds its fencing token.
func (c bulkChunk) step(w BulkWriter, run app.ProcessRun, stepTime time.Duration) (app.BulkProgress, error) {
	mine, err := w.HoldsToken(run)
	if err != nil {
		return app.BulkProgress{}, err
	}
	if !mine {
		return app.BulkProgress{}, Conflict(run)
	}
	result, err := c.do(w, time.Now().Add(stepTime))
	if err != nil {
		return app.BulkProgress{}, err
	}
	return result.progress, result.save(w, run.ID, c)
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

// save stores the action of a bulk run.
func (a newBulkAction) save(w Writer, run int64) error {
	return w.Exec(addActionSQL, run, a.json, a.preview.Runs, a.preview.Skipped, a.preview.More)
}

// save stores the progress of a bulk run after a chunk. It fails with ErrConcurrentAction if another writer
// has performed the chunk since it was read.
func (r chunkResult) save(w Writer, run int64, chunk bulkChunk) error {
	var saved int64
	found, err := w.Find(&saved, moveActionSQL, r.next, r.done, r.skipped, run, chunk.start)
	if err == nil && !found {
		err = ErrConcurrentAction
	}
	return err
}
