package postgres

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"runboard/db/query"
)

const (
	// queuedInterval is the shortest time between two notifications of new jobs by a node.
	queuedInterval = 5 * time.Millisecond
	// delayStep is what the delays of jobs are rounded up to, so that there are few notifications for many jobs.
	delayStep = 250 * time.Millisecond
	// schedulerAhead is how long before they are due River's scheduler, or makeAvailable, makes jobs available.
	schedulerAhead = 5 * time.Second
)

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

// addAfter is add for jobs that are due after a while. Those that are due later than schedulerAhead are found when
// River polls.
func (q *queued) addAfter(wait time.Duration, queue string) {
	switch {
	case wait <= 0:
		q.add(queue)
	case wait <= schedulerAhead:
		time.AfterFunc(wait, func() { q.add(queue) })
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

// NotifyQueue implements app.ClusterStore.
func (s *Store) NotifyQueue(queue string) { s.queued.add(queue) }

// newJob is a queue that has a job, and how long until it is due.
type newJob struct {
	queue string
	wait  time.Duration
}

// addJob has River notified of a job after the commit, when the job is due; the zero time is now.
func (tx *transaction) addJob(queue string, due time.Time) {
	wait := max(0, due.Sub(tx.now))
	if due.IsZero() {
		wait = 0
	}
	wait = (wait + delayStep - 1) / delayStep * delayStep
	if tx.newJobs == nil {
		tx.newJobs = map[newJob]bool{}
	}
	tx.newJobs[newJob{queue, wait}] = true
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
