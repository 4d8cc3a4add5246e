package postgres

import "strings"

const setTerms = `INSERT INTO run_search (run_id, part, words) VALUES ($1, $2, array_to_tsvector($3::text[]))
	ON CONFLICT (run_id, part) DO UPDATE SET words = excluded.words`

// searchExpression returns the tsquery for rows that have one of the terms or, if prefix is true, a term that
// begins with one of them.
func searchExpression(terms []string, prefix bool) string {
	between, end := "' | '", "'"
	if prefix {
		between, end = "':* | '", "':*"
	}
	return "'" + strings.Join(terms, between) + end
}

// Index implements query.Writer.
func (tx *transaction) Index(run, part int64, terms []string) error {
	return tx.Exec(setTerms, run, part, terms)
}
