package db

import (
	"context"
	"math"
	"strings"

	"github.com/jmoiron/sqlx"

	"runboard/app"
)

// The index of texts. A run has a row for its error and one for each part of its log; their numbers tell the
// run, so that matches come in the order of the runs. The texts themselves are not in it.
const (
	searchTable = `CREATE VIRTUAL TABLE run_search USING fts5
		(text, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2')`
	// What there was before there was an index, in an older file or one from an engine without.
	indexErrors = `INSERT INTO run_search (rowid, text) SELECT id * 1048576, error FROM process_runs WHERE status = 3 AND error <> ''`
	indexText   = `INSERT OR REPLACE INTO run_search (rowid, text) VALUES (?, ?)`
	dropText    = `DELETE FROM run_search WHERE rowid = ?`

	matches = `SELECT rowid FROM run_search WHERE run_search MATCH ? AND rowid >= ? AND rowid < ? ORDER BY rowid `
)

// partsPerRun is how many rows of the index a run can have: with a log of one gigabyte, the most that can be
// kept, it has 65,536 parts at once, and their numbers begin anew at the end.
const partsPerRun = 1 << 20

// searched is how many matches of a search are looked at for one answer.
const searched = 2000

// errorRow and partRow are the rows of a run.
func errorRow(run int64) int64 { return rowsFrom(run) }

func partRow(run, part int64) int64 { return rowsFrom(run) + 1 + part%(partsPerRun-1) }

// rowsFrom is the first row of a run. The spans of lists go beyond all runs.
func rowsFrom(run int64) int64 {
	if run > math.MaxInt64/partsPerRun {
		return math.MaxInt64
	}
	return run * partsPerRun
}

// makeSearchable makes the index, if the engine can do that.
func makeSearchable(ctx context.Context, pool *sqlx.DB) (can bool, err error) {
	if err = pool.GetContext(ctx, &can, "SELECT sqlite_compileoption_used('ENABLE_FTS5')"); err != nil || !can {
		return can, err
	}
	var made bool
	if err := pool.GetContext(ctx, &made, "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'run_search')"); err != nil || made {
		return can, err
	}
	tx, err := pool.BeginTxx(ctx, nil)
	if err != nil {
		return can, err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	for _, text := range []string{searchTable, indexErrors} {
		if _, err := tx.ExecContext(ctx, text); err != nil {
			return can, err
		}
	}
	return can, tx.Commit()
}

const matchesAny = `SELECT EXISTS (SELECT 1 FROM run_search WHERE run_search MATCH ?)`

// matchOf asks for all words of a text or, when nothing has them all, for those whose last one goes on: so a part of a
// word is found as well. It is not asked for at once, because for the beginning of a word the engine first gathers
// all that match, however many these are.
func matchOf(ctx context.Context, tx *sqlx.Tx, text string) (string, error) {
	match := quoted(text)
	var found bool
	if err := tx.GetContext(ctx, &found, matchesAny, match); err != nil || found {
		return match, err
	}
	return match + "*", nil
}

// quoted has the words of a text in quotes, where nothing has a meaning of its own.
func quoted(text string) string {
	words := strings.Fields(text)
	for i, word := range words {
		words[i] = `"` + strings.ReplaceAll(word, `"`, `""`) + `"`
	}
	return strings.Join(words, " ")
}

// index writes a text of a run down for searches.
func (tx *transaction) index(row int64, text string) error {
	if tx.indexText == nil {
		return nil
	}
	return tx.exec(tx.indexText, row, text)
}

// unindex takes a text out of it.
func (tx *transaction) unindex(row int64) error {
	if tx.dropText == nil {
		return nil
	}
	return tx.exec(tx.dropText, row)
}

func searchText(s section, ascending bool) string {
	order := "DESC"
	if ascending {
		order = "ASC"
	}
	return "SELECT " + columns + " FROM (" + matches + order + " LIMIT ?) AS found CROSS JOIN process_runs ON id = found.rowid / ? WHERE " +
		s.where + "TRUE ORDER BY found.rowid " + order
}

// search returns the first limit runs of a span that have the words. When only some of the matches
// could be looked at, and there are not enough runs among them, searchedTo is where to go on.
func (l *list) search(ctx context.Context, in span, ascending bool, limit int) (runs []app.ProcessRun, searchedTo int64, err error) {
	low, high := rowsFrom(beyond(in.after)), rowsFrom(in.before)
	where := l.where()
	rows, err := l.tx.QueryxContext(ctx, searchText(where, ascending), append([]any{l.match, low, high, searched, partsPerRun}, where.args...)...)
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	runs = []app.ProcessRun{}
	for len(runs) < limit && rows.Next() {
		var row runRow
		if err := rows.StructScan(&row); err != nil {
			return nil, 0, err
		}
		if n := len(runs); n == 0 || runs[n-1].ID != row.ID { // a run has as many matches as rows that match
			runs = append(runs, row.run())
		}
	}
	if err := rows.Err(); err != nil || len(runs) == limit || ascending {
		return runs, 0, err
	}
	searchedTo, err = l.searchedTo(ctx, low, high, searched)
	return runs, searchedTo, err
}

// searchedTo is the oldest run whose matches are among the newest so many, when there may be older ones, else 0.
func (l *list) searchedTo(ctx context.Context, low, high int64, looked int) (int64, error) {
	var seen struct {
		N     int    `db:"n"`
		Least *int64 `db:"least"`
	}
	err := l.tx.GetContext(ctx, &seen, "SELECT COUNT(*) AS n, min(rowid) AS least FROM ("+matches+"DESC LIMIT ?)", l.match, low, high, looked)
	if err != nil || seen.N < looked || seen.Least == nil {
		return 0, err
	}
	return *seen.Least / partsPerRun, nil
}

// where are the conditions of all sections in one: matches are looked up one by one.
func (l *list) where() (all section) {
	var any []string
	for _, section := range l.sections {
		any = append(any, section.where+"TRUE")
		all.args = append(all.args, section.args...)
	}
	all.where = "(" + strings.Join(any, " OR ") + ") AND "
	return all
}

// countSearch counts the runs among so many matches, and says whether there are more matches.
func (l *list) countSearch(ctx context.Context, looked int) (n int, more bool, err error) {
	where := l.where()
	counts, err := countBy(ctx, l.tx, countFoundText(where), l.searchArgs(where, looked)...)
	if err != nil {
		return 0, false, err
	}
	left, err := l.searchedTo(ctx, rowsFrom(beyond(l.all.after)), rowsFrom(l.all.before), looked)
	return int(counts.Total()), left > 0, err
}

// countFoundText counts the runs among the newest matches, by status. For its arguments see searchArgs.
func countFoundText(where section) string {
	return "SELECT status, COUNT(DISTINCT id) AS n FROM (" + matches + "DESC LIMIT ?) AS found CROSS JOIN process_runs ON id = found.rowid / ? WHERE " +
		where.where + "TRUE GROUP BY status"
}

func (l *list) searchArgs(where section, looked int) []any {
	return append([]any{l.match, rowsFrom(beyond(l.all.after)), rowsFrom(l.all.before), looked, partsPerRun}, where.args...)
}
