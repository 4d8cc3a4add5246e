package sqlite

import (
	"context"
	"time"

	"github.com/jmoiron/sqlx"

	"runboard/app"
	"runboard/db/query"
)

// transaction is a write transaction in progress. Its totals become the writer's after the commit. Only the
// writer's goroutine uses it.
//
// Its statements have no context: the driver would start a goroutine for each, and a cancelled one would roll
// back the transaction of all callers.
type transaction struct {
	totals
	conn     *sqlx.Conn
	options  *Options
	now      time.Time // the same for all writes
	events   []query.StatsEvent
	changed  bool // subscribers must be notified
	requeued int64
	enqueued int64
}

// totals is what the writer knows of the runs without reading them.
type totals struct {
	counts         app.Counts
	newest         int64 // created_at of the newest run, in milliseconds
	cancelRequests int64 // started runs whose cancellation is requested
}

// write calls apply in a transaction and returns after its commit. If ctx ends before apply is called, apply
// is never called and write fails with CodeUnavailable. Once apply has started, write waits for the result,
// because a caller that gets an error must be able to try again. apply may be called twice, if another write
// spoilt the first transaction; the last call counts.
//
// If apply fails with an *app.Error, it must have written nothing, and the other writes of the transaction
// stand. After any other error the whole transaction is rolled back.
func (s *Store) write(ctx context.Context, apply func(*transaction) error) error {
	return s.writer.do(ctx, apply)
}

// Find implements query.Writer.
func (tx *transaction) Find(row any, statement string, args ...any) (bool, error) {
	return query.Find(context.Background(), tx.conn, row, statement, args...)
}

// Exec implements query.Writer.
func (tx *transaction) Exec(statement string, args ...any) error {
	_, err := tx.conn.ExecContext(context.Background(), statement, args...)
	return err
}

// execChanged executes a statement and returns how many rows it changed.
func (tx *transaction) execChanged(statement string, args ...any) (int64, error) {
	result, err := tx.conn.ExecContext(context.Background(), statement, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// time returns the time of the transaction with the precision of the database.
func (tx *transaction) time() time.Time { return query.FromMillis(tx.now.UnixMilli()) }
