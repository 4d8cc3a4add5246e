package postgres

import (
	"context"
	"database/sql"
	"strings"

	"github.com/jmoiron/sqlx"
	"github.com/pressly/goose/v3"

	"runboard/db/query"
)

const (
	setWords = `INSERT INTO run_texts AS kept (run_id, part, words) VALUES ($1, $2, array_to_tsvector($3::text[]))
		ON CONFLICT (run_id, part) DO UPDATE SET words = excluded.words`

	// Several statements clear errors, so a trigger removes them from the index.
	searchTrigger = `
		CREATE OR REPLACE FUNCTION drop_error_words() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			DELETE FROM run_texts WHERE run_id = old.id AND part = 0;
			RETURN NULL;
		END $$;
		CREATE TRIGGER error_changes AFTER UPDATE OF error ON process_runs
			FOR EACH ROW WHEN (old.error <> '' AND new.error <> old.error) EXECUTE FUNCTION drop_error_words();`
)

// remakeIndex empties the index. Every search reads the pending list of the GIN index, so it is kept short. Statistics are
// off: terms begin with a block number, and those of old runs mislead the planner about the newest ones.
var remakeIndex = []string{
	"TRUNCATE run_texts",
	"ALTER INDEX run_texts_by_word SET (gin_pending_list_limit = 512)",
	"ALTER TABLE run_texts ALTER COLUMN words SET STATISTICS 0",
	"DROP TRIGGER IF EXISTS error_changes ON process_runs",
	searchTrigger,
}

// migrateSearch rebuilds the search index with the program's tokenizer, which SQL cannot call.
func migrateSearch(number int64) *goose.Migration {
	return goose.NewGoMigration(number, &goose.GoFunc{RunDB: reindex}, nil)
}

// reindex empties the search index and fills it again.
func reindex(ctx context.Context, pool *sql.DB) error {
	tx, err := sqlx.NewDb(pool, "pgx").BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	for _, text := range remakeIndex {
		if _, err := tx.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	err = query.Reindex(ctx, tx, func(run, part int64, terms []string) error {
		_, err := tx.ExecContext(ctx, setWords, run, part, terms)
		return err
	})
	if err != nil {
		return err
	}
	return tx.Commit()
}

// spell returns the tsquery for rows that have one of the terms, or a word that begins with one if open is true.
func spell(terms []string, open bool) string {
	between, end := "' | '", "'"
	if open {
		between, end = "':* | '", "':*"
	}
	return "'" + strings.Join(terms, between) + end
}

// index makes a text of a run searchable.
func (tx *transaction) index(run, part int64, terms []string) error {
	return tx.exec(setWords, run, part, terms)
}
