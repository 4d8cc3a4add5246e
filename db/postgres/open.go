// Package postgres keeps process runs in a PostgreSQL database that several nodes share, and has River carry a job for
// each run that waits. Runs and their jobs are written in one transaction. A node hears of what others have changed by
// NOTIFY, which says no more than that something has changed.
package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/jmoiron/sqlx"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"

	"runboard/app"
	"runboard/db/query"
)

// Options is how to open a store. URL is required.
type Options struct {
	URL string // postgres://…
	// Synchronous is "normal" when writes may be acknowledged before the server's disk has them, else they wait for it.
	Synchronous string
	// MaxPending is how many runs may be created and not started; 0 is no limit. Nodes that create runs at the same
	// moment may exceed it by as many.
	MaxPending int64
	// MaxCrashes is how many crashes a run may be interrupted by before it is failed; the default is 3.
	MaxCrashes int
	// LogLimit is how many bytes of a run's log are kept; the default is 1 MiB.
	LogLimit int64
	// MaxLogBytes is how many bytes all logs together may have, or nearly; 0 is no limit. See TrimLogs.
	MaxLogBytes int64
	// KeepFinished is for how long finished runs are kept, and KeepMax how many of them; 0 is no limit. See PruneSome.
	KeepFinished time.Duration
	KeepMax      int64
	// Kinds are the kinds of work that this node does, to warn of runs that wait for others, unless another node has
	// told of them by Serve; nil: do not warn.
	Kinds []string
	// StartDelay returns how long after its creation or retry a run of a kind may start; nil: at once.
	StartDelay func(kind string) time.Duration
	// MaxConns is how many connections the pool may have; the default is 20. There is one more, to listen, and River has its own for that.
	MaxConns int
	// Now is the clock; the default is that of the database server.
	Now func() time.Time
	// Log gets what the store cannot tell anybody else; the default is slog.Default.
	Log *slog.Logger

	// Heartbeat is how nodes tell each other that they are alive.
	Heartbeat Heartbeat

	searched  int64         // see rows.Board
	rollEvery time.Duration // for how long what is told by statistics is gathered before it is written; the default is a second
}

const (
	// connectTime bounds how long a connection is waited for.
	connectTime = 5 * time.Second
	// statementTime bounds every statement on the server, also when nobody here waits for it any more.
	statementTime = 30 * time.Second
	// idleTime is how long a transaction may wait for its node: one that is stopped must not keep others from its runs.
	idleTime = 10 * time.Second
)

// lockTime is how long a statement waits for a lock, such as that of a row which another program has locked.
const lockTime = 5 * time.Second

// Store is an app.Store and an app.Shared in a PostgreSQL database.
type Store struct {
	query.Board // which reads

	options Options
	node    int64 // the number of this process
	pool    *pgxpool.Pool
	db      *sqlx.DB // by the same connections
	jobs    *river.Client[*sql.Tx]
	changes app.Notifier
	notify  chan struct{}         // holds one: others are to be told of a change
	fault   atomic.Pointer[error] // why the database cannot be used, nil when it can as far as is known
	mended  int64                 // up to which run RescueOrphans has come; under mending
	mending sync.Mutex

	lease    *lease
	nodeLost chan struct{} // holds one: there may be runs to rescue

	clock        *serverClock // nil if a test has another one
	starts, ends *coalescer   // what happens to every run

	door door

	rollupsMu sync.Mutex
	rollups   query.Rollups
	unsaved   batchOfRollups // owned by tick, and then by Close

	stop       context.CancelFunc // ends what goes on in the background
	background sync.WaitGroup
	closeOnce  sync.Once
}

var (
	_ app.Store        = (*Store)(nil)
	_ app.ClusterStore = (*Store)(nil)
	_ app.BulkRunner   = (*Store)(nil)
)

// Open connects to the database, looks whether it can be used, and brings its schema up to date. Its errors are for the
// operator: one line that says what is wrong with which database, without its password. A database that it refuses is
// left as it was.
func Open(ctx context.Context, options Options) (_ *Store, err error) {
	s := &Store{options: withDefaults(options), notify: make(chan struct{}, 1), nodeLost: make(chan struct{}, 1), stop: func() {}}
	s.lease = newLease(s.options.Heartbeat.StopAfter)
	defer func() {
		if err != nil {
			_ = s.Close()
			err = fmt.Errorf("the database %s %s", app.Redacted(options.URL), strings.Join(strings.Fields(err.Error()), " "))
		}
	}()
	if s.options.Now == nil {
		s.clock = &serverClock{}
		s.options.Now = s.clock.now
	}
	s.Board = s.board()
	s.starts, s.ends = s.coalescerFor(startRuns), s.coalescerFor(completeRuns)
	s.rollups.Every = s.options.rollEvery
	config, err := s.poolConfig()
	if err != nil {
		return nil, fmt.Errorf("cannot be reached: %w", err)
	}
	if err := prepare(ctx, config.ConnConfig, s.options.Log); err != nil {
		return nil, err
	}
	if err := s.connect(ctx, config); err != nil {
		return nil, fmt.Errorf("cannot be used: %w", err)
	}
	return s, nil
}

func withDefaults(o Options) Options {
	if o.MaxCrashes == 0 {
		o.MaxCrashes = 3
	}
	if o.LogLimit == 0 {
		o.LogLimit = 1 << 20
	}
	if o.StartDelay == nil {
		o.StartDelay = func(string) time.Duration { return 0 }
	}
	if o.MaxConns == 0 {
		o.MaxConns = 20
	}
	if o.rollEvery == 0 {
		o.rollEvery = time.Second
	}
	o.Heartbeat = o.Heartbeat.withDefaults()
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o
}

// poolConfig is what the address asks for, and what we need. Plans that are compiled first would take longer than they save.
func (s *Store) poolConfig() (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(s.options.URL)
	if err != nil {
		return nil, errors.New("its address is not like postgres://USER:PASSWORD@HOST:PORT/DATABASE") // the error may have the password in it
	}
	config.MaxConns = int32(s.options.MaxConns)
	config.MinIdleConns = 1
	parameters := config.ConnConfig.RuntimeParams
	parameters["application_name"] = "runboard"
	parameters["statement_timeout"] = fmt.Sprint(statementTime.Milliseconds())
	parameters["lock_timeout"] = fmt.Sprint(lockTime.Milliseconds())
	parameters["idle_in_transaction_session_timeout"] = fmt.Sprint(idleTime.Milliseconds())
	parameters["jit"] = "off"
	parameters["synchronous_commit"] = "on"
	if s.options.Synchronous == "normal" {
		parameters["synchronous_commit"] = "off"
	}
	config.ConnConfig.ConnectTimeout = connectTime
	config.ConnConfig.DialFunc = dial
	return config, nil
}

// connect opens the pool and what goes on in the background. The bell of others is heard before anybody can read.
func (s *Store) connect(ctx context.Context, config *pgxpool.Config) (err error) {
	if s.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return err
	}
	s.db = sqlx.NewDb(stdlib.OpenDBFromPool(s.pool), "pgx")
	s.jobs, err = river.NewClient(riverdatabasesql.New(s.db.DB), &river.Config{
		Logger: app.MinLevel(s.options.Log, slog.LevelWarn), FetchCooldown: river.FetchCooldownMin, // it tells of one job in that time
	})
	if err != nil {
		return err
	}
	if err := s.measureClock(ctx); err != nil {
		return err
	}
	sent := uptime()
	if err := s.db.GetContext(ctx, &s.node, joinNodes); err != nil {
		return err
	}
	s.lease.renew(sent)
	s.repairScheduled(ctx)
	listener, err := listen(ctx, config.ConnConfig)
	if err != nil {
		return err
	}
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	s.background.Go(func() { s.listenLoop(ctx, config.ConnConfig, listener) })
	s.background.Go(func() { s.notifyLoop(ctx) })
	s.background.Go(func() { s.tick(ctx) })
	s.background.Go(func() { s.keepAlive(ctx, config.ConnConfig) })
	s.background.Go(func() { s.lease.watch(ctx) })
	s.background.Go(func() { s.rescueOrphans(ctx) })
	return nil
}

// tick does each second what is to be done now and then.
func (s *Store) tick(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	var watch query.Watch
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if s.fault.Load() != nil {
			s.probe(ctx)
			continue
		}
		if err := s.measureClock(ctx); err != nil {
			if isUnavailable(err) {
				s.setHealth(err)
			}
			continue
		}
		if watch.WentBack(s.options.Now()) {
			s.repairScheduled(ctx)
		}
		s.saveRollups(ctx)
	}
}

// Pool is where all but one of the connections are, for an engine to use as well. It is closed by Close.
func (s *Store) Pool() *pgxpool.Pool { return s.pool }

// Changes implements app.Store and app.WorkStore. It is also rung when another node has changed something.
func (s *Store) Changed() *app.Notifier { return &s.changes }

// Close waits for those who write, writes down what is gathered for statistics, tells others what they have not been told,
// and closes all connections. Writes that come later fail with CodeUnavailable. It may be called more than once.
func (s *Store) Close() error {
	var err error
	s.closeOnce.Do(func() {
		s.door.close()
		s.stop()
		s.background.Wait()
		if s.db != nil {
			if s.fault.Load() == nil { // it would only take time
				s.saveLastRollups()
				s.flushNotify()
				s.leave()
			}
			err = s.db.Close()
		}
		if s.pool != nil {
			closeWithTimeout(s.pool)
		}
	})
	return err
}

// closeTime is how long connections may take to be closed.
const closeTime = 3 * time.Second

// closeInTime does not wait longer for a server that does not answer, and for who still waits for it. They are left
// to the end of the process.
func closeWithTimeout(pool *pgxpool.Pool) {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		pool.Close()
	}()
	patience := time.NewTimer(closeTime)
	defer patience.Stop()
	select {
	case <-closed:
	case <-patience.C:
	}
}

// dialect is how PostgreSQL spells what it is asked.
var dialect = query.Dialect{
	Numbers: "(SELECT value::bigint FROM jsonb_array_elements_text(?::jsonb))", Words: "(SELECT jsonb_array_elements_text(?::jsonb))",
	Indexed: func(string) string { return "" },
	Place:   "sort_id",
	Texts: query.Texts{
		Having: "run_texts WHERE words @@ ?::tsquery",
		Run:    "run_id",
		Listed: func(ids string) string { return "SELECT unnest(ARRAY(" + ids + "))" },
		Spell:  spell,
	},
}

func (s *Store) board() query.Board {
	return query.Board{Dialect: dialect, Read: s.read, Now: s.options.Now, Searched: s.options.searched, Served: s.kindsWithWorkers, Clock: &query.Clock{}}
}

// startRead begins a transaction that sees one state and changes nothing, with its bound on the server as well. Plans are made
// for what is asked: one that fits the words and kinds of most would be slow for others.
var startRead = fmt.Sprintf(`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
	SET LOCAL statement_timeout = %d; SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL enable_seqscan = off`, query.ReadTimeout.Milliseconds())

// read runs f in one read transaction, so that all it reads is of one state.
func (s *Store) read(ctx context.Context, f func(context.Context, query.Reader) error) error {
	return s.reading(ctx, func(ctx context.Context) error { return s.readFrom(ctx, f) })
}

// readOne runs f, which makes one statement and so needs no transaction: on the way to each run that would be two
// more questions.
func (s *Store) readOne(ctx context.Context, f func(context.Context, query.Reader) error) error {
	return s.reading(ctx, func(ctx context.Context) error { return f(ctx, s.db) })
}

// reading bounds what f takes, and takes note when the database cannot be used.
func (s *Store) reading(ctx context.Context, f func(context.Context) error) error {
	if !s.door.enter() {
		return query.ErrClosed
	}
	defer s.door.leave()
	ctx, cancel := context.WithTimeout(ctx, query.ReadTimeout)
	defer cancel()
	err := f(ctx)
	if isUnavailable(err) {
		s.setHealth(err)
	}
	if err != nil {
		return query.Unavailable(err)
	}
	return nil
}

func (s *Store) readFrom(ctx context.Context, f func(context.Context, query.Reader) error) error {
	conn, err := s.db.Connx(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // gives it back to the pool
	if _, err := conn.ExecContext(ctx, startRead); err != nil {
		return err
	}
	defer func() { _, _ = conn.ExecContext(ctx, "ROLLBACK") }() // one that cannot be ended does not get back into the pool
	return f(ctx, conn)
}

var _, _ query.Reader = (*sqlx.Conn)(nil), (*sqlx.DB)(nil)
