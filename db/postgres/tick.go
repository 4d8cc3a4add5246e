package postgres

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"runboard/app"
	"runboard/db/query"
)

// tickInterval is how often a node does its periodic work while anything happens on it. It finds changes that
// it was not notified of, because their node was lost before it notified, or because the notification was. A
// view waits up to live.MinInterval for its next frame. Together they stay below the second within which
// every page must be right.
const tickInterval = 700 * time.Millisecond

const (
	// idleTicks is how many times longer an idle node waits between ticks. It finds jobs that it was not
	// notified of, and measures the clock.
	idleTicks = 5
	// busyFor is how long after the last read for a live page, or change, a node counts as busy. The hub
	// reads open pages every few seconds whether or not they have changed.
	busyFor = 8 * time.Second
)

// pace tells the tick loop whether the node is busy.
type pace struct {
	busyUntil atomic.Int64  // uptime, in nanoseconds
	woken     chan struct{} // holds one: the node has become busy
}

func newPace() *pace { return &pace{woken: make(chan struct{}, 1)} }

// stir makes the node busy for a while.
func (p *pace) stir() {
	now := uptime()
	if before := p.busyUntil.Swap(int64(now + busyFor)); before >= int64(now) {
		return
	}
	select {
	case p.woken <- struct{}{}:
	default: // it is awake
	}
}

// interval returns how long to wait for the next tick.
func (p *pace) interval(every time.Duration) time.Duration {
	if int64(uptime()) > p.busyUntil.Load() {
		return idleTicks * every
	}
	return every
}

// readServer reads all that a node asks the server periodically, in one statement: an idle node costs little
// more than its statements. They are the time, which transactions have written, which of these were the last
// heartbeats of nodes, and those queues of $1 that have a job of a kind of $2 to be fetched. Rows have the
// lower 32 bits of the ID of their transaction.
//
// The planner does not see the parameters behind SELECT. When it saw how few rows they stand for, plans for
// single calls looked cheaper than one for all, and planning each took the server longer than executing it.
const readServer = `SELECT server_millis(), pg_current_snapshot()::text,
	coalesce((SELECT string_agg(xmin::text, ',') FROM nodes), ''),
	ARRAY(SELECT name FROM unnest((SELECT $1::text[])) AS name WHERE (SELECT true FROM river_job
		WHERE state = 'available' AND queue = name AND kind = ANY ($2) AND scheduled_at <= now() LIMIT 1))`

// serverState is the result of readServer.
type serverState struct {
	transactions transactions
	unseen       []uint64 // the lower 32 bits of the IDs of transactions that were heartbeats
	queues       []string // those that have jobs to be fetched
}

// tickLoop does the periodic work of a node, until ctx ends.
func (s *Store) tickLoop(ctx context.Context) {
	timer := time.NewTimer(s.options.tickEvery)
	defer timer.Stop()
	var conn tickConn
	defer conn.release()
	var watch query.ClockWatch
	var repairDue bool
	var before transactions
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-s.pace.woken:
		}
		timer.Reset(s.pace.interval(s.options.tickEvery))
		if s.fault.Load() != nil {
			conn.release()
			s.probe(ctx)
			continue
		}
		state, err := s.readServer(ctx, &conn)
		if err != nil {
			if isUnavailable(err) {
				s.setHealth(err)
			}
			continue // the next tick compares with the same transactions
		}
		s.jobsAdded(state.queues...)
		if !s.options.onlyNotified && state.transactions.differ(before, state.unseen) {
			s.changes.Notify()
		}
		before = state.transactions
		if watch.WentBack(s.options.Now()) {
			repairDue = true
		}
		if repairDue {
			repairDue = s.repairScheduled(ctx) != nil
		}
		s.saveRollups(ctx)
	}
}

// tickConn is the connection of the tick loop. The loop keeps it: the pool would ping it before each use. The
// zero tickConn is not connected.
type tickConn struct{ conn *pgxpool.Conn }

// acquire takes a connection from the pool, unless there is one.
func (c *tickConn) acquire(ctx context.Context, pool *pgxpool.Pool) (err error) {
	if c.conn == nil {
		c.conn, err = pool.Acquire(ctx)
	}
	return err
}

// release returns the connection to the pool, which closes it if it is broken.
func (c *tickConn) release() {
	if c.conn != nil {
		c.conn.Release()
		c.conn = nil
	}
}

// readServer reads the state of the server, and sets the clock. If the connection has broken since the last
// call, it uses another one.
func (s *Store) readServer(ctx context.Context, conn *tickConn) (state serverState, err error) {
	kept := conn.conn != nil
	state, err = s.readServerOnce(ctx, conn)
	if err != nil && kept {
		state, err = s.readServerOnce(ctx, conn)
	}
	return state, err
}

func (s *Store) readServerOnce(ctx context.Context, conn *tickConn) (state serverState, err error) {
	ctx, cancel := context.WithTimeout(ctx, query.ReadTimeout)
	defer cancel()
	if err := conn.acquire(ctx, s.pool); err != nil {
		return state, causeOf(ctx, err)
	}
	var jobs []string
	for _, kind := range s.options.Kinds() {
		jobs = append(jobs, app.Job{RunKind: kind}.Kind())
	}
	var millis int64
	var snapshot, unseen string
	sent := time.Now()
	err = conn.conn.QueryRow(ctx, readServer, queueNames, jobs).
		Scan(&millis, &snapshot, &unseen, &state.queues)
	if err != nil {
		conn.release()
		return state, causeOf(ctx, err)
	}
	if s.clock != nil { // nil if a test has set Options.Now
		s.clock.set(time.UnixMilli(millis).UTC(), sent, time.Now())
	}
	if state.transactions, err = parseTransactions(snapshot); err != nil {
		return state, err
	}
	state.unseen, err = parseNumbers(unseen)
	return state, err
}
