// Package sqlite keeps process runs in one SQLite file. One goroutine writes, and commits together what
// everybody wants written; a pool of read-only connections reads.
//
// One process owns the file, by locks that it takes before it opens it. So whatever is started
// in the file when it is opened was interrupted by a crash, and is given back: that needs no
// lease and no clock.
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"github.com/jmoiron/sqlx"

	"runboard/app"
	"runboard/db/query"
)

// Options is how to open a store. Path is required.
type Options struct {
	Path string
	// Synchronous is "full" (the default), so that a commit survives a power cut, or "normal".
	Synchronous string
	// MaxPending is how many runs may be created and not started; 0 is no limit.
	MaxPending int64
	// MaxCrashes is how many crashes a run may be interrupted by before it is failed; the default is 3.
	MaxCrashes int
	// LogLimit is how many bytes of a run's log are kept; the default is 1 MiB.
	LogLimit int64
	// MaxLogBytes is how many bytes all logs together may have, or nearly; 0 is no limit. See TrimLogs.
	MaxLogBytes int64
	// KeepFinished is for how long finished runs are kept, and KeepMax how many of them; 0 is no limit. See Prune.
	KeepFinished time.Duration
	KeepMax      int64
	// Kinds are the kinds of work that somebody here does, to warn of runs that wait for others; nil: do not warn.
	Kinds []string
	// StartDelay returns how long after its creation or retry a run of a kind may start; nil: at once.
	StartDelay func(kind string) time.Duration
	// Now is the clock; the default is time.Now.
	Now func() time.Time
	// Log gets what the store cannot tell anybody else; the default is slog.Default.
	Log *slog.Logger

	driver     string        // by which the store reads and writes, once the file is known to be good
	files      []watchedFile // which must stay where they are
	searched   int64         // see rows.Board
	searchable bool          // whether the engine can search in texts
	rollEvery  time.Duration // for how long what is told by statistics is gathered before it is written; the default is a second
}

// Store is an app.Store and an app.QueueStore in one SQLite file.
type Store struct {
	query.Board // which reads

	options   Options
	nameLock  *flock.Flock
	fileLock  *flock.Flock
	readers   map[app.Purpose]*sqlx.DB
	writerDB  *sqlx.DB
	writer    *writer
	recovered Recovery
	warnings  []Warning
	changes   app.Notifier
	logged    atomic.Bool // something has been written to a log since the logs were trimmed
	closeOnce sync.Once
	closeErr  error
}

var (
	_ app.Store      = (*Store)(nil)
	_ app.QueueStore = (*Store)(nil)
)

// Open locks, checks and opens the file, makes it when there is none, brings its schema up to date
// and gives interrupted runs back. Its errors are for the operator: one line that says what is wrong
// with which file. A file that it refuses is left as it was, and nothing is left beside it.
func Open(ctx context.Context, options Options) (_ *Store, err error) {
	s := &Store{options: withDefaults(options)}
	s.logged.Store(true) // as far as is known
	s.Board = s.board()
	defer func() {
		if err != nil {
			_ = s.release()
			err = fmt.Errorf("the database %s %w", options.Path, err)
		}
	}()
	path, err := realPath(options.Path)
	if err != nil {
		return nil, err
	}
	s.options.Path = path
	if s.nameLock, err = lockPath(path); err != nil {
		return nil, err
	}
	if err = s.prepareFile(ctx); err != nil {
		return nil, err
	}
	s.tighten()
	s.warnOfPlace()
	if err = s.connect(ctx, options.Path); err != nil {
		return nil, err
	}
	return s, nil
}

func withDefaults(o Options) Options {
	if o.Synchronous == "" {
		o.Synchronous = "full"
	}
	if o.MaxCrashes == 0 {
		o.MaxCrashes = 3
	}
	if o.LogLimit == 0 {
		o.LogLimit = 1 << 20
	}
	if o.StartDelay == nil {
		o.StartDelay = func(string) time.Duration { return 0 }
	}
	if o.driver == "" {
		o.driver = sqliteDriver
	}
	if o.rollEvery == 0 {
		o.rollEvery = time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o
}

// connect opens both pools on a file that is known to be good, and starts the writer. given is the operator's name for it.
func (s *Store) connect(ctx context.Context, given string) (err error) {
	if s.writerDB, err = openPool(ctx, s.options.driver, writerDSN(s.options.Path, s.options.Synchronous), 1); err != nil {
		return err
	}
	if err = verifyPragmas(ctx, s.writerDB, writerPragmas(s.options.Synchronous)); err != nil {
		return err
	}
	if _, err = s.writerDB.ExecContext(ctx, fmt.Sprintf("PRAGMA journal_size_limit = %d", journalLimit)); err != nil {
		return errCorrupt(err)
	}
	if err = migrate(ctx, s.writerDB.DB); err != nil {
		return err
	}
	if s.options.searchable, err = makeSearchable(ctx, s.writerDB); err != nil {
		return errCorrupt(err)
	}
	if err = groupFailures(ctx, s.writerDB); err != nil {
		return errCorrupt(err)
	}
	if err = s.connectReaders(ctx); err != nil {
		return err
	}
	if s.recovered, err = recoverRuns(ctx, s.writerDB, s.options); err != nil {
		return err
	}
	if s.options.files, err = watchFiles(given, s.options.Path); err != nil {
		return err
	}
	s.writer, err = startWriter(ctx, s.writerDB, s.options, s.changes.Notify)
	return err
}

// Recovered says what was found interrupted when the store was opened.
func (s *Store) Recovered() Recovery { return s.recovered }

// Changes implements app.Store and app.QueueStore.
func (s *Store) Changed() *app.Notifier { return &s.changes }

// Ready implements app.Store.
func (s *Store) Ready() error { return s.writer.ready() }

// Close commits what was handed in, folds the write-ahead log into the file and unlocks it. Writes
// that come later fail with CodeUnavailable. It may be called more than once.
func (s *Store) Close() error {
	s.closeOnce.Do(func() { s.closeErr = s.release() })
	return s.closeErr
}

// release undoes whatever of Open was done.
func (s *Store) release() error {
	var errs []error
	if s.writer != nil {
		s.writer.stop()
	}
	for _, reader := range s.readers { // first: an open reader would keep the log from being folded in
		errs = append(errs, reader.Close())
	}
	if s.writerDB != nil {
		if s.writer != nil {
			_, err := s.writerDB.Exec("PRAGMA wal_checkpoint(TRUNCATE)")
			errs = append(errs, err)
		}
		errs = append(errs, s.writerDB.Close())
	}
	if s.fileLock != nil {
		errs = append(errs, s.fileLock.Unlock())
	}
	if s.nameLock != nil {
		errs = append(errs, unlockName(s.nameLock))
	}
	return errors.Join(errs...)
}
