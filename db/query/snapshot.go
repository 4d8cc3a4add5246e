package query

import (
	"context"

	"runboard/app"
)

// snapshot is the state of the database in one read transaction. Its first error ends it, as with a
// bufio.Scanner: later reads find nothing, and Reader.read returns the error.
type snapshot struct {
	*Reader
	ctx context.Context
	q   Queryer
	err error
	// firstIDs are the results of firstIDSince.
	firstIDs map[int64]int64
}

// read calls f with a snapshot and returns the first error of the snapshot.
func (r *Reader) read(ctx context.Context, f func(s *snapshot)) error {
	return r.db.Read(ctx, func(ctx context.Context, q Queryer) error {
		s := &snapshot{Reader: r, ctx: ctx, q: q, firstIDs: map[int64]int64{}}
		f(s)
		return s.err
	})
}

// fail ends the snapshot with an error, unless it has ended before. It ignores nil.
func (s *snapshot) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

// get reads one row into row and reports whether there is one.
func (s *snapshot) get(row any, statement string, args ...any) (found bool) {
	if s.err == nil {
		found, s.err = Find(s.ctx, s.q, row, statement, args...)
	}
	return found
}

// all reads all rows into the slice that rows points to.
func (s *snapshot) all(rows any, statement string, args ...any) {
	if s.err == nil {
		s.err = Select(s.ctx, s.q, rows, statement, args...)
	}
}

// readRuns reads runs with a query that selects Columns.
func (s *snapshot) readRuns(statement string, args ...any) (runs []app.ProcessRun) {
	if s.err == nil {
		runs, s.err = ReadRuns(s.ctx, s.q, statement, args...)
	}
	return runs
}

// countBy runs a query that returns counts by status, in the columns status and n.
func (s *snapshot) countBy(statement string, args ...any) (counts app.Counts) {
	if s.err == nil {
		counts, s.err = CountBy(s.ctx, s.q, statement, args...)
	}
	return counts
}

// counts returns the stored number of runs in each status.
func (s *snapshot) counts() app.Counts { return s.countBy(countsSQL) }

const countsSQL = "SELECT status, n FROM status_counts"

// ReadCounts returns the stored number of runs in each status. It does not count them.
func ReadCounts(ctx context.Context, q Queryer) (app.Counts, error) {
	return CountBy(ctx, q, countsSQL)
}
