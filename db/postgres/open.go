// Package postgres stores process runs in a PostgreSQL database that several nodes share. Each created run
// has a River job, written in the same transaction. Nodes notify each other of changes by LISTEN/NOTIFY; a
// notification carries no content.
//
// Package sqlite has the same files with the same methods: open, migrate, read, write, create, transition,
// commands, many, bulk, inputs, log, failure, search, rollup, trim, prune, clock, health, rescue. What both
// stores write or read alike is in package query. The other files are about PostgreSQL alone: the nodes
// (cluster, heartbeat, lease, uptime, server_clock), jobs (job, fetch, start, queued), the runs that must
// wait (limits, pause, balance, sweep), what other nodes change (notify, tick, changes), batches of
// concurrent changes (coalescer), and connections (session, dial, door, redact).
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

// Options configures a store. URL is required.
type Options struct {
	URL string // postgres://…
	// Synchronous is "normal" to acknowledge writes before they are on the server's disk. Otherwise writes
	// wait for it.
	Synchronous string
	// MaxPending is the maximum number of created runs; 0 is no limit. Concurrent requests may exceed it by
	// their runs.
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
	// Kinds returns the kinds that this node handles now. Waiting runs of other kinds are reported as
	// unhandled, unless another node has announced the kind; nil, also as its result, reports none.
	Kinds func() []string
	// Workers is the number of runs, besides bulk runs, that this node works on at once; 0: none.
	Workers int
	// Definitions has the policies of the kinds that are offered; nil: there are none.
	Definitions app.KindSource
	// Secrets returns what encrypts secret inputs; nil, also as its result: runs with secrets are refused.
	Secrets func() *app.SecretBox
	// StartDelay returns the delay between the creation or retry of a run of kind and its start; nil: no
	// delay.
	StartDelay func(kind string) time.Duration
	// MaxConns is the size of the pool; the default is 20. Listening, heartbeats and ticks use one more
	// connection each.
	MaxConns int
	// Now is the clock; the default is that of the database server.
	Now func() time.Time
	// Log receives background errors; the default is slog.Default.
	Log *slog.Logger

	// Heartbeat configures how lost nodes are detected.
	Heartbeat Heartbeat

	searched  int64         // see query.NewReader
	rollEvery time.Duration // how often statistics are saved; the default is a second
	// sweepEvery is how often a node looks for runs that wait although they may start; the default is
	// sweepInterval.
	sweepEvery time.Duration
	// tickEvery is how often a busy node does its periodic work; the default is tickInterval.
	tickEvery time.Duration
	// onlyNotified has the node find no changes that it is not notified of, for tests that count
	// notifications.
	onlyNotified bool
}

const (
	// lockTimeout bounds how long a statement waits for a lock.
	lockTimeout = 5 * time.Second
	// connectTimeout bounds opening a connection. A busy server takes seconds to start the process of a
	// connection, and a client that gives up and tries again makes it busier. So connectTimeout is longer
	// than a read may take: a later read uses a slow connection. It is shorter than a write may take, so
	// that a write finds out that the server cannot be reached.
	connectTimeout = 10 * time.Second
	// statementTimeout bounds every statement on the server, even if its client is gone.
	statementTimeout = 30 * time.Second
	// idleTimeout bounds how long a transaction may be idle: a suspended node must not keep its runs locked.
	idleTimeout = 10 * time.Second
)

// Store implements app.Store and app.ClusterStore in a PostgreSQL database.
type Store struct {
	*query.Reader
	*query.BulkActions

	options Options
	node    int64 // the ID of this process
	pool    *pgxpool.Pool
	db      *sqlx.DB // uses pool
	jobs    *river.Client[*sql.Tx]
	changes app.Notifier
	notify  chan struct{}         // holds one: other nodes must be notified
	failed  chan error            // see Failed
	fault   atomic.Pointer[error] // why the database cannot be used; nil if it can

	relapses query.Relapses

	clock       *serverClock // nil if Options.Now is set
	lease       *lease
	starting    sync.RWMutex // read-locked by each start, from reading the definitions to its commit
	completions *coalescer
	rollups     nodeRollups
	rescuer     rescuer
	balancer    *balancer
	pace        *pace
	queues      map[string]*jobQueue // by name
	queued      *queued
	leads       atomic.Bool              // see IsLeader
	paused      atomic.Pointer[[]string] // the paused kinds, as far as this node knows
	door        door

	stop       context.CancelFunc // ends the background goroutines
	background sync.WaitGroup
	closeOnce  sync.Once
}

var (
	_ app.Store        = (*Store)(nil)
	_ app.ClusterStore = (*Store)(nil)
)

// Open connects to the database, checks that it can be used, and migrates its schema. Errors are one line for
// the operator that names the database without its password. A database that Open refuses is unchanged.
func Open(ctx context.Context, options Options) (_ *Store, err error) {
	s := &Store{
		options: withDefaults(options), notify: make(chan struct{}, 1), stop: func() {},
		failed:  make(chan error, 1),
		rescuer: rescuer{wake: make(chan struct{}, 1)}, balancer: newBalancer(), queues: newJobQueues(),
		queued: newQueued(), pace: newPace(),
	}
	s.paused.Store(&[]string{})
	s.lease = newLease(s.options.Heartbeat.StopAfter)
	defer func() {
		if err != nil {
			_ = s.Close()
			err = s.named(err)
		}
	}()
	if s.options.Now == nil {
		s.clock = &serverClock{}
		s.options.Now = s.clock.now
	}
	s.Reader = query.NewReader(database{s}, dialect, s.options.searched)
	s.BulkActions = query.NewBulkActions(s.Reader, database{s}, bulkStepTime)
	s.completions = &coalescer{do: s.completeMany}
	s.rollups.pending.Every = s.options.rollEvery
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

// named returns err as one line that names the database.
func (s *Store) named(err error) error {
	line := strings.Join(strings.Fields(err.Error()), " ")
	return fmt.Errorf("the database %s %s", Redacted(s.options.URL), line)
}

func withDefaults(o Options) Options {
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
	if o.MaxConns == 0 {
		o.MaxConns = 20
	}
	if o.rollEvery == 0 {
		o.rollEvery = time.Second
	}
	if o.sweepEvery == 0 {
		o.sweepEvery = sweepInterval
	}
	if o.tickEvery == 0 {
		o.tickEvery = tickInterval
	}
	o.Heartbeat = o.Heartbeat.withDefaults()
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o
}

// poolConfig parses Options.URL.
func (s *Store) poolConfig() (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(s.options.URL)
	if err != nil {
		// err may contain the password.
		return nil, errors.New("its address is not like postgres://USER:PASSWORD@HOST:PORT/DATABASE")
	}
	config.MaxConns = int32(s.options.MaxConns) + 1 // the tick loop keeps one
	config.MinIdleConns = 1
	config.ConnConfig.RuntimeParams["application_name"] = "runboard"
	config.ConnConfig.ConnectTimeout = connectTimeout
	config.ConnConfig.DialFunc = dial
	config.ConnConfig.AfterConnect = s.begin
	return config, nil
}

// connect opens the pool and starts the background goroutines. It listens before the first read, so that no
// change is missed.
func (s *Store) connect(ctx context.Context, config *pgxpool.Config) (err error) {
	if s.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return err
	}
	s.db = sqlx.NewDb(stdlib.OpenDBFromPool(s.pool), "pgx")
	s.jobs, err = river.NewClient(riverdatabasesql.New(s.db.DB), &river.Config{
		Logger: app.MinLevel(s.options.Log, slog.LevelWarn),
		// River notifies of the first job in that time, but no node listens.
		FetchCooldown: time.Hour, FetchPollInterval: time.Hour,
	})
	if err != nil {
		return err
	}
	if err := s.measureClock(ctx); err != nil {
		return err
	}
	sent := uptime()
	if err := s.db.GetContext(ctx, &s.node, joinNodes, s.options.Workers); err != nil {
		return err
	}
	s.lease.renew(sent)
	var leads bool
	if err := s.db.GetContext(ctx, &leads, isFirstNode, s.node); err != nil {
		return err
	}
	s.leads.Store(leads && s.options.Workers > 0)
	_ = s.repairScheduled(ctx) // it has logged the error
	if err := s.readPaused(ctx); err != nil {
		return err
	}
	listener, err := listen(ctx, config.ConnConfig)
	if err != nil {
		return err
	}
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	s.background.Go(func() { s.listenLoop(ctx, config.ConnConfig, listener) })
	s.background.Go(func() { s.notifyLoop(ctx) })
	s.background.Go(func() { s.queuedLoop(ctx) })
	s.background.Go(func() { s.tickLoop(ctx) })
	s.background.Go(func() { s.heartbeatLoop(ctx, config.ConnConfig) })
	s.background.Go(func() { s.lease.watch(ctx) })
	s.background.Go(func() { s.rescueLoop(ctx) })
	s.background.Go(func() { s.pausedLoop(ctx) })
	s.background.Go(func() { s.balanceLoop(ctx) })
	s.balancer.sweepSoon(fullSweep) // the definitions may have changed since this node was last started
	return nil
}

// Pool returns the connection pool. Close closes it.
func (s *Store) Pool() *pgxpool.Pool { return s.pool }

// Changed implements app.Store and app.WorkStore. It also notifies of the changes of other nodes.
func (s *Store) Changed() *app.Notifier { return &s.changes }

// Close waits for the reads and writes in progress, saves pending statistics, sends the pending notification
// and closes all connections. Later calls of other methods fail with CodeUnavailable. It may be called more
// than once.
func (s *Store) Close() error {
	var err error
	s.closeOnce.Do(func() {
		s.door.close()
		s.stop()
		s.background.Wait()
		if s.db != nil {
			if s.fault.Load() == nil { // otherwise these would only time out
				s.saveLastRollups()
				s.flushNotify()
				s.notifyQueued(context.Background())
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

// closeTimeout bounds closing the pool.
const closeTimeout = 3 * time.Second

// closeWithTimeout closes the pool, and returns after closeTimeout even if connections are still in use
// because the server does not answer.
func closeWithTimeout(pool *pgxpool.Pool) {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		pool.Close()
	}()
	timeout := time.NewTimer(closeTimeout)
	defer timeout.Stop()
	select {
	case <-closed:
	case <-timeout.C:
	}
}
