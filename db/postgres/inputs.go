package postgres

import (
	"runboard/app"
	"runboard/db/query"
)

const (
	// insertInputs inserts the rows of query.NewRuns.InputRows for each run of a range.
	insertInputs = `INSERT INTO run_inputs (run_id, ordinal, name, type, value, match_key)
		SELECT run, nth - 1, input ->> 0, input ->> 1, input ->> 2, input ->> 3
		FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS inputs (input, nth),
			generate_series($2::bigint, $3::bigint) AS run`
	// indexInputs adds the inputs of the runs of a range to the search index.
	indexInputs = `INSERT INTO run_search (run_id, part, words)
		SELECT run, $1::bigint, words FROM array_to_tsvector($2::text[]) AS words,
			generate_series($3::bigint, $4::bigint) AS run`
)

// insertInputs stores the inputs of the runs of a batch.
func (tx *transaction) insertInputs(request query.NewRuns, batch app.Batch) error {
	if len(request.Inputs) == 0 {
		return nil
	}
	if err := tx.Exec(insertInputs, request.InputRows(), batch.First, batch.Last()); err != nil {
		return err
	}
	if err := request.SaveSecrets(tx, batch); err != nil {
		return err
	}
	for _, block := range request.InputTerms(batch) {
		if err := tx.Exec(indexInputs, query.InputPart, block.Terms, block.First, block.Last); err != nil {
			return err
		}
	}
	return nil
}
