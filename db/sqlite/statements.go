package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jmoiron/sqlx"
)

// statements are prepared once on the writer's only connection, because preparing a statement costs three
// times as much as running it. They take no context: the driver would start a goroutine for each call, and a
// cancelled call would roll back the transaction of all callers.
type statements struct {
	conn                                *sqlx.Conn
	searchable                          bool
	begin, commit, rollback             *sqlx.Stmt
	findRequest, addRequest, oldRequest *sqlx.Stmt
	insert, setCount                    *sqlx.Stmt
	findRun, saveRun, report            *sqlx.Stmt
	event, oldEvent                     *sqlx.Stmt
	isClaimed, lastPart, addPart        *sqlx.Stmt
	extendPart, dropParts               *sqlx.Stmt
	partAfterSome                       *sqlx.Stmt
	dropRun, dropEvents                 *sqlx.Stmt
	findRollup, addRollup, dropRollups  *sqlx.Stmt
	addAction, moveAction, dropAction   *sqlx.Stmt
	findFailure, addFailure             *sqlx.Stmt
	dropFailures, dropFailureHours      *sqlx.Stmt
	keepsLog                            *sqlx.Stmt
	indexText, dropText                 *sqlx.Stmt // nil without FTS5
	startRuns, completeRuns, addEvents  *sqlx.Stmt // change many runs
}

// prepare takes a connection from pool and prepares the statements on it. The caller must call close.
func prepare(ctx context.Context, pool *sqlx.DB, searchable bool) (*statements, error) {
	conn, err := pool.Connx(ctx)
	if err != nil {
		return nil, err
	}
	s := &statements{conn: conn, searchable: searchable}
	for _, p := range s.queries() {
		if err := s.prepare(ctx, p); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return s, nil
}

func (s *statements) prepare(ctx context.Context, p namedQuery) error {
	prepared, err := s.conn.PreparexContext(ctx, p.sql)
	p.set(prepared)
	return err
}

// set stores the prepared statement in its field; close closes it.
func (p namedQuery) set(prepared *sqlx.Stmt) { *p.statement = prepared }

// namedQuery is a field of statements with its SQL.
type namedQuery struct {
	statement **sqlx.Stmt
	sql       string
}

func (s *statements) queries() []namedQuery {
	texts := []namedQuery{
		{&s.begin, "BEGIN IMMEDIATE"},
		{&s.commit, "COMMIT"},
		{&s.rollback, "ROLLBACK"},
		{&s.findRequest, findRequest},
		{&s.addRequest, addRequest},
		{&s.oldRequest, dropOldRequests},
		{&s.insert, insertRuns},
		{&s.setCount, "UPDATE status_counts SET n = ? WHERE status = ?"},
		{&s.startRuns, startRuns},
		{&s.completeRuns, completeRuns},
		{&s.addEvents, addEvents},
		{&s.findRun, findRun},
		{&s.saveRun, saveRun},
		{&s.report, reportRun},
		{&s.event, addEvent},
		{&s.oldEvent, dropOldEvent},
		{&s.isClaimed, isOwned},
		{&s.lastPart, lastPart},
		{&s.addPart, addPart},
		{&s.extendPart, extendPart},
		{&s.dropParts, dropParts},
		{&s.partAfterSome, partAfterSome},
		{&s.dropRun, dropRun},
		{&s.dropEvents, dropEvents},
		{&s.findRollup, findRollup},
		{&s.addRollup, addRollup},
		{&s.dropRollups, dropRollups},
		{&s.addAction, addAction},
		{&s.moveAction, moveAction},
		{&s.dropAction, dropAction},
		{&s.findFailure, findFailure},
		{&s.addFailure, addFailure},
		{&s.dropFailures, dropFailures},
		{&s.dropFailureHours, dropFailureHours},
		{&s.keepsLog, keepsLog},
	}
	if s.searchable {
		texts = append(texts, namedQuery{&s.indexText, indexText}, namedQuery{&s.dropText, dropText})
	}
	return texts
}

func (s *statements) exec(statement *sqlx.Stmt, args ...any) error {
	_, err := statement.Exec(args...)
	return err
}

// changesOne runs a statement that changes at most one row, and reports whether it changed one.
func (s *statements) changesOne(statement *sqlx.Stmt, args ...any) (bool, error) {
	result, err := statement.Exec(args...)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

// find scans the only row that statement returns into row, and reports whether there was one.
func (s *statements) find(statement *sqlx.Stmt, row any, args ...any) (bool, error) {
	err := statement.Get(row, args...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

func (s *statements) close() {
	for _, p := range s.queries() {
		_ = (*p.statement).Close()
	}
	_ = s.conn.Close()
}
