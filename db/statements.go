package db

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jmoiron/sqlx"
)

// statements are the writer's, prepared once on its one connection: preparing a statement costs
// three times what running it does. They take no context: the driver would start a goroutine for each
// call, and a cancelled one would take the others' transaction with it.
type statements struct {
	conn                                *sqlx.Conn
	begin, commit, rollback             *sqlx.Stmt
	findRequest, addRequest, oldRequest *sqlx.Stmt
	insert, setCount                    *sqlx.Stmt
	start, finish, giveBack             *sqlx.Stmt
}

func prepare(ctx context.Context, pool *sqlx.DB) (*statements, error) {
	conn, err := pool.Connx(ctx)
	if err != nil {
		return nil, err
	}
	s := &statements{conn: conn}
	for _, p := range []struct {
		statement **sqlx.Stmt
		text      string
	}{
		{&s.begin, "BEGIN IMMEDIATE"},
		{&s.commit, "COMMIT"},
		{&s.rollback, "ROLLBACK"},
		{&s.findRequest, findRequest},
		{&s.addRequest, addRequest},
		{&s.oldRequest, dropOldRequests},
		{&s.insert, insertRun},
		{&s.setCount, "UPDATE status_counts SET n = ? WHERE status = ?"},
		{&s.start, startRun},
		{&s.finish, finishRun},
		{&s.giveBack, giveBackRun},
	} {
		if *p.statement, err = conn.PreparexContext(ctx, p.text); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return s, nil
}

func (s *statements) exec(statement *sqlx.Stmt, args ...any) error {
	_, err := statement.Exec(args...)
	return err
}

// changesOne runs a statement that changes one row or none, and reports which.
func (s *statements) changesOne(statement *sqlx.Stmt, args ...any) (bool, error) {
	result, err := statement.Exec(args...)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

// find scans the one row that statement returns, and reports whether there was one.
func (s *statements) find(statement *sqlx.Stmt, row any, args ...any) (bool, error) {
	err := statement.Get(row, args...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

func (s *statements) close() {
	for _, statement := range []*sqlx.Stmt{
		s.begin, s.commit, s.rollback, s.findRequest, s.addRequest, s.oldRequest,
		s.insert, s.setCount, s.start, s.finish, s.giveBack,
	} {
		_ = statement.Close()
	}
	_ = s.conn.Close()
}
