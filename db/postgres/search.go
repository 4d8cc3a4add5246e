package postgres

import "strings"

const setWords = `INSERT INTO run_search AS kept (run_id, part, words) VALUES ($1, $2, array_to_tsvector($3::text[]))
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

// index makes a part of a run's texts searchable.
func (tx *transaction) index(run, part int64, terms []string) error {
	return tx.exec(setWords, run, part, terms)
}
