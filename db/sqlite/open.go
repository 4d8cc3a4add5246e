// Package sqlite stores process runs in one SQLite file. One goroutine writes, and commits concurrent writes
// together; pools of read-only connections read.
//
// One process owns the file, by locks that it takes before it opens the file. So a run that is started in the
// file at open was interrupted by a crash, and Open requeues it. That needs no lease and no clock.
//
// Package postgres has the same files with the same methods: open, migrate, read, write, create, transition,
// commands, many, bulk, inputs, log, failure, search, rollup, trim, prune, clock, health, rescue. What both
// stores write or read alike is in package query. The other files are about SQLite alone: the writing
// goroutine (writer, call_state), the file (file, path, lock, inspect, watch, mount), its connections (pool),
// and the queue of the process (queue, queue_keys, rekey).
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

// Options configures Open. Path is required.
type Options struct {
	Path string
	// Synchronous is "full" (the default), so that a commit survives a power cut, or "normal".
	Synchronous string
	// MaxPending is the maximum number of created runs; 0 is no limit.
	MaxPending int64
	// MaxCrashes is the number of crashes after which a run is failed; the default is 3.
	MaxCrashes int
	// LogLimit is the size in bytes that a run's log is trimmed to; the default is 1 MiB.
	LogLimit int64
	// MaxLogBytes is the approximate maximum size in bytes of all logs together; 0 is no limit. See TrimLogs.
	MaxLogBytes int64
	// KeepFinished is how long finished runs are kept, and KeepMax how many; 0 is no limit. See Prune.
	KeepFinished time.Duration
	KeepMax      int64
	// Kinds returns the kinds that this process handles now; pages warn of waiting runs of other kinds.
	// nil, also as its result: no warning.
	Kinds func() []string
	// Workers is the number of runs, besides bulk runs, that this process works on at once; 0: not known.
	Workers int
	// Definitions has the policies of the kinds that are offered; nil: there are none.
	Definitions app.KindSource
	// Secrets returns what encrypts secret inputs; nil, also as its result: runs with secrets are refused.
	Secrets func() *app.SecretBox
	// StartDelay returns the delay between the creation or retry of a run of kind and its start; nil: no
	// delay.
	StartDelay func(kind string) time.Duration
	// Now is the clock; the default is time.Now.
	Now func() time.Time
	// Log receives what the store cannot return to a caller; the default is slog.Default.
	Log *slog.Logger

	driver     string        // opens the pools once the file is inspected; default sqliteDriver
	files      []watchedFile // the writer stops writing when one of them is lost
	searched   int64         // see query.NewReader
	searchable bool          // SQLite has FTS5; set by connect
	rollEvery  time.Duration // how often statistics are written; the default is a second
}

// Store is an app.Store and an app.QueueStore in one SQLite file. Its methods may be called from any
// goroutine.
type Store struct {
	*query.Reader
	*query.BulkActions

	options   Options
	pathLock  *flock.Flock
	inodeLock *flock.Flock
	readers   map[app.Purpose]*sqlx.DB
	writerDB  *sqlx.DB
	writer    *writer
	recovered Recovery
	warnings  []Warning
	changes   app.Notifier
	logged    atomic.Bool // a log has grown since TrimLogs was last called, or that left the logs too large
	closeOnce sync.Once
	closeErr  error
}

var _ app.Store = (*Store)(nil)

// Open locks, inspects and opens the file, or creates it, brings its schema up to date, and recovers
// interrupted runs. Its errors are for the operator: one line that says what is wrong with which file. Open
// leaves a file that it refuses unchanged, with no new files beside it. The caller must call Close.
func Open(ctx context.Context, options Options) (_ *Store, err error) {
	s := &Store{options: withDefaults(options)}
	s.logged.Store(true) // the logs of an existing file may be too large
	s.Reader = query.NewReader(database{s}, dialect, s.options.searched)
	s.BulkActions = query.NewBulkActions(s.Reader, database{s}, bulkStepTime)
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
	if s.pathLock, err = lockPath(path); err != nil {
		return nil, err
	}
	if err = s.prepareFile(ctx); err != nil {
		return nil, err
	}
	s.restrictPermissions()
	s.warnOfLinks()
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
	if o.Kinds == nil {
		o.Kinds = func() []string { return nil }
	}
	if o.Secrets == nil {
		o.Secrets = func() *app.SecretBox { return nil }
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

// connect opens the pools of an inspected file, migrates it, recovers its runs, and starts the writer. given
// is the operator's name for the file.
func (s *Store) connect(ctx context.Context, given string) (err error) {
	dsn := writerDSN(s.options.Path, s.options.Synchronous)
	if s.writerDB, err = openPool(ctx, s.options.driver, dsn, 1); err != nil {
		return err
	}
	if err = verifyPragmas(ctx, s.writerDB, writerPragmas(s.options.Synchronous)); err != nil {
		return err
	}
	limit := fmt.Sprintf("PRAGMA journal_size_limit = %d", journalLimit)
	if _, err = s.writerDB.ExecContext(ctx, limit); err != nil {
		return errCorrupt(err)
	}
	if err = migrate(ctx, s.writerDB.DB); err != nil {
		return err
	}
	if s.options.searchable, err = makeSearchable(ctx, s.writerDB); err != nil {
		return errCorrupt(err)
	}
	if err = s.connectReaders(ctx); err != nil {
		return err
	}
	if s.options.files, err = watchFiles(given, s.options.Path); err != nil {
		return err
	}
	w, err := newWriter(ctx, s.writerDB, &s.options, s.changes.Notify)
	if err != nil {
		return errCorrupt(err)
	}
	if s.recovered, err = w.rescueOrphans(); err != nil {
		return errors.Join(errCorrupt(err), w.conn.Close())
	}
	s.writer = w
	go w.run()
	return nil
}

// Recovered returns what Open did with interrupted runs.
func (s *Store) Recovered() Recovery { return s.recovered }

// Changed implements app.Store and app.QueueStore.
func (s *Store) Changed() *app.Notifier { return &s.changes }

// Close commits the accepted writes, checkpoints the write-ahead log into the file, and unlocks it. Later
// writes fail with CodeUnavailable. Close may be called more than once and returns the same error each time.
func (s *Store) Close() error {
	s.closeOnce.Do(func() { s.closeErr = s.release() })
	return s.closeErr
}

// release undoes the completed steps of Open.
func (s *Store) release() error {
	var errs []error
	if s.writer != nil {
		s.writer.stop()
	}
	for _, reader := range s.readers { // first, because an open reader blocks the checkpoint
		errs = append(errs, reader.Close())
	}
	if s.writerDB != nil {
		if s.writer != nil {
			_, err := s.writerDB.Exec("PRAGMA wal_checkpoint(TRUNCATE)")
			if lost(s.options.files) == nil { // a file that was emptied is beyond repair, and that is logged
				errs = append(errs, err)
			}
		}
		errs = append(errs, s.writerDB.Close())
	}
	if s.inodeLock != nil {
		errs = append(errs, s.inodeLock.Unlock())
	}
	if s.pathLock != nil {
		errs = append(errs, unlockPath(s.pathLock))
	}
	return errors.Join(errs...)
}
