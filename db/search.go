package db

import (
	"context"
	"strings"

	"github.com/jmoiron/sqlx"

	"runboard/app"
	"runboard/db/rows"
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
)

// partsPerRun is how many rows of the index a run can have: with a log of one gigabyte, the most that can be
// kept, it has 65,536 parts at once, and their numbers begin anew at the end.
const partsPerRun = 1 << 20

// errorRow and partRow are the rows of a run.
func errorRow(run int64) int64 { return dialect.Texts.First(run) }

func partRow(run, part int64) int64 { return errorRow(run) + 1 + part%(partsPerRun-1) }

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

// match asks for all words of a text or, when nothing has them all, for those whose last one goes on: so a part of a
// word is found as well. It is not asked for at once, because for the beginning of a word the engine first gathers
// all that match, however many these are.
func (s *Store) match(ctx context.Context, from rows.Reader, text string) (string, error) {
	if !s.options.searchable {
		return "", app.Errorf(app.CodeInvalid, "This server cannot search in texts: it was built without SQLite's FTS5.")
	}
	match := quoted(text)
	var found bool
	if err := rows.Get(ctx, from, &found, matchesAny, match); err != nil || found {
		return match, err
	}
	return match + "*", nil
}

// quoted has the words of a text in quotes, where nothing has a meaning of its own.
func quoted(text string) string {
	return rows.Words(text, " ", func(word string) string { return `"` + strings.ReplaceAll(word, `"`, `""`) + `"` })
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
