package postgres

const setTerms = `INSERT INTO run_search (run_id, part, words) VALUES ($1, $2, array_to_tsvector($3::text[]))
	ON CONFLICT (run_id, part) DO UPDATE SET words = excluded.words`

// Index implements query.Writer.
func (tx *transaction) Index(run, part int64, terms []string) error {
	return tx.Exec(setTerms, run, part, terms)
}
