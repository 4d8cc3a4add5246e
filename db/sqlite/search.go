package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/jmoiron/sqlx"

	"runboard/app"
	"runboard/db/query"
)

// The index of words. A run has a row for its error and one for each part of its log, whose number tells the run. The
// texts themselves are not in it, nor where in a text a word is. The tokenizer only splits at the blanks between terms:
// see rows.Terms.
const (
	searchTable = `CREATE VIRTUAL TABLE run_search USING fts5
		(text, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii')`
	// A trigger, so that no way of clearing an error can leave it in the index. What sets an error adds it.
	searchTrigger = `CREATE TRIGGER error_changes AFTER UPDATE OF error ON process_runs WHEN old.error <> '' AND new.error <> old.error BEGIN
		DELETE FROM run_search WHERE rowid = old.id * 1048576;
	END`
	indexText = `INSERT OR REPLACE INTO run_search (rowid, text) VALUES (?, ?)`
	dropText  = `DELETE FROM run_search WHERE rowid = ?`
)

// partsPerRun is how many rows of the index a run can have: with a log of one gigabyte, the most that can be
// kept, it has 65,536 parts at once, and their numbers begin anew at the end.
const partsPerRun = 1 << 20

// indexRow is the row of a part of a run's texts. That of its error is the first.
func indexRow(run, part int64) int64 {
	if part == query.ErrorPart {
		return run * partsPerRun
	}
	return run*partsPerRun + 1 + (part-1)%(partsPerRun-1)
}

const canSearch = "SELECT sqlite_compileoption_used('ENABLE_FTS5')"

// isSearchable reports whether a file has the index.
const isSearchable = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'run_search')"

// inspectSearch refuses a file with an index that this engine cannot keep: it would be wrong when another one uses it.
func inspectSearch(ctx context.Context, pool *sqlx.DB) error {
	var can, has bool
	if err := errors.Join(pool.GetContext(ctx, &can, canSearch), pool.GetContext(ctx, &has, isSearchable)); err != nil {
		return errCorrupt(err)
	}
	if has && !can {
		return errors.New("has an index for search that this program cannot keep up to date: build it with -tags sqlite_fts5")
	}
	return nil
}

// makeSearchable makes the index, if the engine can do that, and of what the file has already.
func makeSearchable(ctx context.Context, pool *sqlx.DB) (can bool, err error) {
	if err = pool.GetContext(ctx, &can, canSearch); err != nil || !can {
		return can, err
	}
	var made bool
	if err := pool.GetContext(ctx, &made, isSearchable); err != nil || made {
		return can, err
	}
	tx, err := pool.BeginTxx(ctx, nil)
	if err != nil {
		return can, err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	for _, text := range []string{searchTable, "DROP TRIGGER IF EXISTS error_changes", searchTrigger} {
		if _, err := tx.ExecContext(ctx, text); err != nil {
			return can, err
		}
	}
	err = query.Reindex(ctx, tx, func(run, part int64, terms []string) error {
		_, err := tx.ExecContext(ctx, indexText, indexRow(run, part), strings.Join(terms, " "))
		return err
	})
	if err != nil {
		return can, err
	}
	return can, tx.Commit()
}

func (s *Store) cannotSearch() error {
	if s.options.searchable {
		return nil
	}
	return app.Errorf(app.CodeInvalid, "This server cannot search in texts: it was built without SQLite's FTS5.")
}

// spell asks for each of the terms by itself: the engine would compare all of them for each row.
func spell(terms []string, open bool) string {
	asked := make([]string, len(terms))
	for i, term := range terms {
		if asked[i] = `"` + term + `"`; open {
			asked[i] += "*"
		}
	}
	list, _ := json.Marshal(asked) // of texts
	return string(list)
}

// index writes a text of a run down for searches.
func (tx *transaction) index(run, part int64, terms []string) error {
	if tx.indexText == nil {
		return nil
	}
	return tx.exec(tx.indexText, indexRow(run, part), strings.Join(terms, " "))
}

// indexError does so with its error, if it has one.
func (tx *transaction) indexError(run app.ProcessRun) error {
	if run.Error == "" || query.NeverSearched(run.Kind) {
		return nil
	}
	return tx.index(run.ID, query.ErrorPart, query.Terms(run.ID, run.Error))
}

// unindex takes a text out of it.
func (tx *transaction) unindex(run, part int64) error {
	if tx.dropText == nil {
		return nil
	}
	return tx.exec(tx.dropText, indexRow(run, part))
}
