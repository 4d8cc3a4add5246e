package sqlite

import (
	"context"
	"time"

	"runboard/db/query"
)

// TrimLogs deletes the logs of the runs that finished first, until all logs together are within MaxLogBytes,
// none is left or ctx ends. It returns how many logs it deleted.
func (s *Store) TrimLogs(ctx context.Context) (int, error) {
	dropped, over, err := s.Reader.TrimLogs(ctx, s.options.MaxLogBytes, s.dropLogs)
	if over || err != nil {
		s.logged.Store(true) // Maintain tries again: more runs may have finished
	}
	return dropped, err
}

// dropLogs replaces the logs of the given runs. It is a query.DropFunc.
func (s *Store) dropLogs(ctx context.Context, runs []int64) (dropped int, left []int64, err error) {
	return s.dropSome(ctx, runs, (*transaction).trimLog)
}

// trimLog replaces the log of a finished run by a line that says so. If until passes before, it deletes only
// a part and partial is true. It keeps the log of a run that is not finished.
func (tx *transaction) trimLog(id int64, until time.Time) (dropped, partial bool, err error) {
	run, found, err := tx.read(id)
	if err != nil {
		return false, false, err
	}
	if !found || !run.Status.Final() { // the run was retried or deleted
		return true, false, query.KeepLog(tx, id)
	}
	tx.changed = true
	short, err := tx.shortenLog(id, until)
	if err != nil || !short {
		return false, err == nil, err
	}
	return true, false, query.TrimLog(tx, run, tx.now)
}
