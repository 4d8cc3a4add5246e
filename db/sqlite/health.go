package sqlite

import (
	"context"
	"errors"

	"github.com/mattn/go-sqlite3"

	"runboard/app"
	"runboard/db/query"
)

// ready returns nil while writes are taken and the database can be written as far as is known.
func (w *writer) ready() error {
	w.mu.RLock()
	closed := w.closed
	w.mu.RUnlock()
	if closed {
		return query.ErrClosed
	}
	for _, fault := range []*error{w.lostFile.Load(), w.fault.Load()} {
		if fault != nil {
			return query.Unavailable(*fault)
		}
	}
	return nil
}

// look returns nil while the files of the database are where they were, and logs when that changes. What would be written
// while they are not would be acknowledged, and then lost.
func (w *writer) checkFiles() error {
	was, gone := w.lostFile.Load(), lost(w.files)
	switch {
	case gone == nil && was != nil:
		w.log.Info("the files of the database are back") // before the state changes, so that it explains the state
		w.lostFile.Store(nil)
	case gone != nil && (was == nil || (*was).Error() != gone.Error()):
		w.log.Error("nothing is written any more until the database is put back, or the server restarted", "error", gone)
		w.lostFile.Store(&gone)
	}
	return gone
}

// note remembers whether the database can be written, and logs when that changes. A write that failed by a
// fault of its own says nothing of the database.
func (w *writer) setHealth(err error) {
	was := w.fault.Load()
	switch {
	case err == nil && was != nil:
		w.fault.Store(nil)
		w.log.Info("the database can be written again")
	case err != nil && !storageFault(err):
		w.log.Error("a write failed", "error", err)
	case err != nil:
		w.fault.Store(&err)
		if was == nil {
			w.log.Error("the database cannot be written", "error", err)
		}
	}
}

// mendDue lets the runs that wait for another attempt wait from now on, if they were put to wait at a time that is yet to
// come: the clock was set back, and they would wait longer by as much.
func (tx *transaction) repairScheduled() error {
	result, err := tx.conn.ExecContext(context.Background(), repairScheduled, tx.now.UnixMilli())
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	tx.changed = tx.changed || n > 0
	return err
}

// probe writes something that changes nothing.
func (tx *transaction) probe() error {
	return tx.exec(tx.setCount, tx.counts[app.Created], app.Created)
}

// storageFault reports whether err lies in the file or the disk and not in what was asked of it.
func storageFault(err error) bool {
	if errors.Is(err, errNoTransaction) {
		return true
	}
	fault, ok := errors.AsType[sqlite3.Error](err)
	if !ok {
		return false
	}
	switch fault.Code {
	case sqlite3.ErrFull, sqlite3.ErrIoErr, sqlite3.ErrBusy, sqlite3.ErrLocked, sqlite3.ErrReadonly,
		sqlite3.ErrCantOpen, sqlite3.ErrCorrupt, sqlite3.ErrNotADB, sqlite3.ErrNomem:
		return true
	}
	return false
}
