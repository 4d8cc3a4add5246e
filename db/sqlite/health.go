package sqlite

import (
	"errors"
	"sync/atomic"

	"github.com/mattn/go-sqlite3"

	"runboard/app"
	"runboard/db/query"
)

// Ready implements app.Store.
func (s *Store) Ready() error { return s.writer.ready() }

// health is why the database cannot be written, as far as the writer knows without trying.
type health struct {
	fault    atomic.Pointer[error] // the fault of the last transaction, or nil
	lostFile atomic.Pointer[error] // which file was deleted or replaced, or nil
	relapses query.Relapses
}

// ready returns nil if the writer accepts writes and, as far as it knows without trying, the database can be
// written.
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
	if fault := w.relapses.Err(); fault != nil {
		return query.Unavailable(fault)
	}
	return nil
}

// checkFiles returns nil while the files of the database are in place, and logs changes. SQLite would go on
// to write to a deleted or replaced file; such writes would be acknowledged and then lost.
func (w *writer) checkFiles() error {
	was, gone := w.lostFile.Load(), lost(w.options.files)
	switch {
	case gone == nil && was != nil:
		w.options.Log.Info("the files of the database are back") // before it shows
		w.lostFile.Store(nil)
	case gone != nil && (was == nil || (*was).Error() != gone.Error()):
		w.options.Log.Error("nothing is written until the database is put back, or the server restarted",
			"error", gone)
		w.lostFile.Store(&gone)
	}
	return gone
}

// setHealth records whether the database can be written, from the result of a transaction, and logs changes.
// An error that is no storage fault concerns one write and leaves the health as it was.
func (w *writer) setHealth(err error) {
	was := w.fault.Load()
	switch {
	case err == nil && was != nil:
		w.relapses.Recovered()
		w.fault.Store(nil)
		w.options.Log.Info("the database can be written again")
	case err != nil && !storageFault(err):
		w.options.Log.Error("a write failed", "error", err)
	case err != nil:
		w.relapses.Failed(err)
		w.fault.Store(&err)
		if was == nil {
			w.options.Log.Error("the database cannot be written", "error", err)
		}
	}
}

// probe tests whether the database can be written. It writes a value that is already there.
func (tx *transaction) probe() error {
	return tx.Exec(setCount, tx.counts[app.Created], app.Created)
}

// storageFault reports whether the file, the disk or the engine caused err, and not the statement.
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
