package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/mattn/go-sqlite3"
)

// faultyDriver is SQLite's driver with injected faults. The path of the file selects the fault.
const faultyDriver = "sqlite3 with faults"

var registerFaulty = sync.OnceFunc(func() { sql.Register(faultyDriver, faulty{&sqlite3.SQLiteDriver{}}) })

// faults maps the path of a file to its *fault.
var faults sync.Map

// fault makes exactly one call to the database fail: the left-th after it is armed.
type fault struct {
	err   error
	left  atomic.Int64 // calls up to and including the failing one; negative: disarmed
	calls atomic.Int64 // calls made so far
}

func (f *fault) hit() error {
	f.calls.Add(1)
	if f.left.Add(-1) == 0 {
		return f.err
	}
	return nil
}

type faulty struct{ driver.Driver }

func (d faulty) Open(dsn string) (driver.Conn, error) {
	path, _, _ := strings.Cut(strings.TrimPrefix(dsn, "file:"), "?")
	known, _ := faults.Load(path)
	conn, err := d.Driver.Open(dsn)
	if err != nil {
		return nil, err
	}
	return faultyConn{conn.(*sqlite3.SQLiteConn), known.(*fault)}, nil
}

// faultyConn is a connection of SQLite whose calls may fail. Other methods are promoted.
type faultyConn struct {
	*sqlite3.SQLiteConn
	fault *fault
}

func (c faultyConn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

func (c faultyConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if err := c.fault.hit(); err != nil {
		return nil, err
	}
	stmt, err := c.SQLiteConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return faultyStmt{stmt.(*sqlite3.SQLiteStmt), c.fault}, nil
}

func (c faultyConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result,
	error) {
	if err := c.fault.hit(); err != nil {
		return nil, err
	}
	return c.SQLiteConn.ExecContext(ctx, query, args)
}

func (c faultyConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows,
	error) {
	if err := c.fault.hit(); err != nil {
		return nil, err
	}
	rows, err := c.SQLiteConn.QueryContext(ctx, query, args)
	return faultyRows{rows, c.fault}.unless(err)
}

func (c faultyConn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	if err := c.fault.hit(); err != nil {
		return nil, err
	}
	return c.SQLiteConn.BeginTx(ctx, options)
}

type faultyStmt struct {
	*sqlite3.SQLiteStmt
	fault *fault
}

func (s faultyStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if err := s.fault.hit(); err != nil {
		return nil, err
	}
	return s.SQLiteStmt.ExecContext(ctx, args)
}

func (s faultyStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if err := s.fault.hit(); err != nil {
		return nil, err
	}
	rows, err := s.SQLiteStmt.QueryContext(ctx, args)
	return faultyRows{rows, s.fault}.unless(err)
}

type faultyRows struct {
	driver.Rows
	fault *fault
}

func (r faultyRows) unless(err error) (driver.Rows, error) {
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (r faultyRows) Next(dest []driver.Value) error {
	if err := r.fault.hit(); err != nil {
		return err
	}
	return r.Rows.Next(dest)
}
