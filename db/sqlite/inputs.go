package sqlite

import (
	"context"
	"strings"

	"runboard/app"
	"runboard/db/query"
)

const (
	// insertInputs inserts the rows of query.NewRuns.InputRows for each run of a range, in the order of the
	// primary key.
	insertInputs = `WITH input AS MATERIALIZED (
			SELECT key AS ordinal, value ->> 0 AS name, value ->> 1 AS type, value ->> 2 AS text,
				value ->> 3 AS match_key FROM json_each(?1))
		INSERT INTO run_inputs (run_id, ordinal, name, type, value, match_key)
		SELECT id, ordinal, name, type, text, match_key FROM process_runs CROSS JOIN input
		WHERE id BETWEEN ?2 AND ?3`
	// indexInputs adds the inputs of the runs of a range to the search index: see indexRow.
	indexInputs = `INSERT INTO run_search (rowid, text)
		SELECT id * 1048576 + 1048575, ?1 FROM process_runs WHERE id BETWEEN ?2 AND ?3`
)

// insertInputs stores the inputs of the runs of a batch.
func (tx *transaction) insertInputs(request query.NewRuns, batch app.Batch) error {
	if len(request.Inputs) == 0 {
		return nil
	}
	if err := tx.Exec(insertInputs, request.InputRows(), batch.First, batch.Last()); err != nil {
		return err
	}
	if err := request.SaveSecrets(tx, batch); err != nil || !tx.options.searchable {
		return err
	}
	for _, block := range request.InputTerms(batch) {
		if err := tx.Exec(indexInputs, strings.Join(block.Terms, " "), block.First, block.Last); err != nil {
			return err
		}
	}
	return nil
}

// Inputs implements app.WorkStore.
func (s *Store) Inputs(ctx context.Context, run app.ProcessRun) (app.InputValues, error) {
	return s.Reader.Inputs(app.WithPurpose(ctx, app.ForQueue), run)
}
