package sqlite

import (
	"context"
	"errors"
	"strings"

	"github.com/jmoiron/sqlx"

	"runboard/db/query"
)

// The search index. A run has one row for its error, one for its inputs and one for each part of its log;
// the rowid encodes the run. The index holds neither the texts nor the positions of words in them. The
// tokenizer only splits at the blanks between terms, see query.Terms.
const (
	searchTable = `CREATE VIRTUAL TABLE run_search USING fts5
		(text, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii')`
	// searchTrigger is a trigger, so that no statement that clears an error can leave it in the index. The
	// code that sets an error adds it.
	searchTrigger = `CREATE TRIGGER run_search_clear_error AFTER UPDATE OF error ON process_runs
	WHEN old.error <> '' AND new.error <> old.error BEGIN
		DELETE FROM run_search WHERE rowid = old.id * 1048576;
	END`
	indexText = `INSERT OR REPLACE INTO run_search (rowid, text) VALUES (?, ?)`
	dropText  = `DELETE FROM run_search WHERE rowid = ?`
)

// partsPerRun is the maximum number of rows of a run in the index. The largest possible log, one gigabyte,
// has 65,536 parts at once; the part numbers wrap around.
const partsPerRun = 1 << 20

// indexRow returns the rowid of a part of a run's texts. The error comes first, and the inputs last.
func indexRow(run, part int64) int64 {
	switch part {
	case query.ErrorPart:
		return run * partsPerRun
	case query.InputPart:
		return run*partsPerRun + partsPerRun - 1
	}
	return run*partsPerRun + 1 + (part-1)%(partsPerRun-2)
}

const canSearch = "SELECT sqlite_compileoption_used('ENABLE_FTS5')"

// isSearchable selects whether the file has the search index.
const isSearchable = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'run_search')"

// inspectSearch refuses a file with a search index that this build of SQLite cannot update: searches by
// another build would then miss texts.
func inspectSearch(ctx context.Context, pool *sqlx.DB) error {
	var can, has bool
	if err := pool.GetContext(ctx, &can, canSearch); err != nil {
		return errCorrupt(err)
	}
	if err := pool.GetContext(ctx, &has, isSearchable); err != nil {
		return errCorrupt(err)
	}
	if has && !can {
		return errors.New("has an index for search that this program cannot keep up to date: " +
			"build it with -tags sqlite_fts5")
	}
	return nil
}

// makeSearchable creates the search index of a file without one, from the texts that the file has. It reports
// whether this build of SQLite can search, and does nothing if it cannot.
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
	dropTrigger := "DROP TRIGGER IF EXISTS run_search_clear_error"
	for _, statement := range []string{searchTable, dropTrigger, searchTrigger} {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return can, err
		}
	}
	if err := indexStored(ctx, tx); err != nil {
		return can, err
	}
	return can, tx.Commit()
}

// storedTexts selects the errors and the parts of the logs of all runs.
var storedTexts = []string{
	`SELECT id AS run_id, kind, 0 AS part, error AS text, NULL AS line_index, '' AS before
		FROM process_runs WHERE error <> ''`,
	`SELECT run_id, kind, -1 AS part, group_concat(value, char(10)) AS text, NULL AS line_index, '' AS before
		FROM run_inputs JOIN process_runs ON process_runs.id = run_id
		WHERE type NOT IN ('secret', 'flag') GROUP BY run_id`,
	`SELECT run_id, kind, part + 1 AS part, ` + query.WrittenColumns + `
		FROM run_logs JOIN process_runs ON process_runs.id = run_id`,
}

// indexStored adds all texts of the file to the search index.
func indexStored(ctx context.Context, tx *sqlx.Tx) error {
	for _, statement := range storedTexts {
		texts, err := tx.QueryxContext(ctx, statement)
		if err != nil {
			return err
		}
		defer texts.Close()
		for texts.Next() {
			if err := indexStoredText(ctx, tx, texts); err != nil {
				return err
			}
		}
		if err := texts.Err(); err != nil {
			return err
		}
	}
	return nil
}

// indexStoredText adds the current row of storedTexts to the search index.
func indexStoredText(ctx context.Context, tx *sqlx.Tx, texts *sqlx.Rows) error {
	var text struct {
		query.WrittenPart
		Run  int64 `db:"run_id"`
		Kind string
		Part int64
	}
	if err := texts.StructScan(&text); err != nil || query.NeverSearched(text.Kind) {
		return err
	}
	terms := query.Terms(text.Run, text.Text)
	if text.Part > query.ErrorPart {
		var err error
		if terms, err = text.Terms(text.Run); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, indexText, indexRow(text.Run, text.Part), strings.Join(terms, " "))
	return err
}

// Index implements query.Writer.
func (tx *transaction) Index(run, part int64, terms []string) error {
	if !tx.options.searchable {
		return nil
	}
	return tx.Exec(indexText, indexRow(run, part), strings.Join(terms, " "))
}

// unindex removes a part of a run's texts from the search index.
func (tx *transaction) unindex(run, part int64) error {
	if !tx.options.searchable {
		return nil
	}
	return tx.Exec(dropText, indexRow(run, part))
}
