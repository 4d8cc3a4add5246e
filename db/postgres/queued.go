package postgres

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"runboard/db/query"
)

// queuedInterval is the shortest time between two notifications of new jobs by a node.
const queuedInterval = 5 * time.Millisecond

// notifyQueues has River fetch from queues.
const notifyQueues = `SELECT
	pg_notify(current_schema() || '.river_insert', json_build_object('queue', queue)::text)
	FROM unnest($1::text[]) AS queue`

// queued collects the queues that have new jobs. River would notify in the transaction that adds a job, and
// PostgreSQL serializes the commits of these; it would also not notify of a job that closely follows another.
type queued struct {
	wake chan struct{} // holds one: there are queues

	mu     sync.Mutex
	queues map[string]bool
}

func newQueued() *queued {
	return &queued{wake: make(chan struct{}, 1), queues: map[string]bool{}}
}

// add has River notified of committed jobs in queues.
func (q *queued) add(queues ...string) {
	if len(queues) == 0 {
		return
	}
	q.mu.Lock()
	for _, queue := range queues {
		q.queues[queue] = true
	}
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default: // it is awake
	}
}

// take returns the queues, and forgets them.
func (q *queued) take() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	queues := slices.Collect(maps.Keys(q.queues))
	clear(q.queues)
	return queues
}

// queuedLoop notifies of new jobs until ctx ends. If it fails, River finds the jobs when it polls.
func (s *Store) queuedLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.queued.wake:
		}
		s.notifyQueued(ctx)
		query.Pause(ctx, queuedInterval)
	}
}

// notifyQueued has River fetch from the queues that have new jobs.
func (s *Store) notifyQueued(ctx context.Context) {
	queues := s.queued.take()
	if len(queues) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	_, err := s.pool.Exec(ctx, notifyQueues, queues)
	if isUnavailable(err) {
		s.setHealth(err)
	}
}
