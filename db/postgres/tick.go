package postgres

import (
	"context"
	"time"

	"runboard/app"
	"runboard/db/query"
)

// tickInterval is how often a node does its periodic work. It finds changes that it was not notified of, because
// their node was lost before it notified, or because the notification was. A view waits up to live.MinInterval
// for its next frame. Together they stay below the second within which every page must be right.
const tickInterval = 700 * time.Millisecond

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
	ticker := time.NewTicker(s.options.tickEvery)
	defer ticker.Stop()
	var watch query.ClockWatch
	var before transactions
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
		state, err := s.readServer(ctx)
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
			s.repairScheduled(ctx)
		}
		s.saveRollups(ctx)
	}
}

// readServer reads the state of the server, and sets the clock.
func (s *Store) readServer(ctx context.Context) (state serverState, err error) {
	ctx, cancel := context.WithTimeout(ctx, query.ReadTimeout)
	defer cancel()
	var jobs []string
	for _, kind := range s.options.Kinds() {
		jobs = append(jobs, app.Job{RunKind: kind}.Kind())
	}
	var millis int64
	var snapshot, unseen string
	sent := time.Now()
	err = s.pool.QueryRow(ctx, readServer, queueNames, jobs).
		Scan(&millis, &snapshot, &unseen, &state.queues)
	if err != nil {
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
