package postgres

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"runboard/app"
	"runboard/db/query"
)

const (
	// jobsChannel is the NOTIFY channel for new jobs. The payload is the ID of the sending node, and the
	// names of the queues.
	jobsChannel = "runboard_jobs"
	// queuedInterval is the shortest time between two notifications of new jobs by a node: PostgreSQL
	// serializes the commits of transactions that notify.
	queuedInterval = 5 * time.Millisecond
	// delayStep is what the delays of jobs are rounded up to, so that there are few notifications for many
	// jobs.
	delayStep = 250 * time.Millisecond
)

// queueNames are the queues of jobs.
var queueNames = []string{app.DefaultQueue, app.QuarantineQueue, app.BulkQueue}

// jobQueue is what a node knows of a queue.
type jobQueue struct {
	added app.Notifier // notifies of new jobs
	empty atomic.Bool  // the last StartJobs has found no job
}

func newJobQueues() map[string]*jobQueue {
	queues := map[string]*jobQueue{}
	for _, name := range queueNames {
		queues[name] = &jobQueue{}
	}
	return queues
}

// JobsAdded implements app.ClusterStore.
func (s *Store) JobsAdded(queue string) *app.Notifier { return &s.queues[queue].added }

// jobsAdded notifies this node of jobs in queues. It ignores queues that it does not know.
func (s *Store) jobsAdded(queues ...string) {
	for _, name := range queues {
		if queue, known := s.queues[name]; known {
			queue.added.Notify()
		}
	}
}

// queued collects the queues with new jobs of which the other nodes have not been notified. To notify in the
// transactions that add the jobs would have these wait for each other.
type queued struct {
	wake chan struct{} // holds one: there are queues

	mu     sync.Mutex
	queues map[string]bool
}

func newQueued() *queued {
	return &queued{wake: make(chan struct{}, 1), queues: map[string]bool{}}
}

func (q *queued) add(queues ...string) {
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

// notifyJobs notifies all nodes of committed jobs that are due after a while. At the latest, a node finds
// them at its next tick.
func (s *Store) notifyJobs(wait time.Duration, queue string) {
	switch {
	case wait <= 0:
		s.jobsAdded(queue)
		s.queued.add(queue)
	case wait <= schedulerAhead:
		time.AfterFunc(wait, func() { s.notifyJobs(0, queue) })
	}
}

// newJob is a queue that has a job, and how long until it is due.
type newJob struct {
	queue string
	wait  time.Duration
}

// addJob has the nodes notified of a job after the commit, when the job is due; the zero time is now.
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

// queuedLoop notifies the other nodes of new jobs until ctx ends.
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

// notifyQueued notifies the other nodes of the queues that have new jobs.
func (s *Store) notifyQueued(ctx context.Context) {
	queues := s.queued.take()
	if len(queues) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	payload := strconv.FormatInt(s.node, 10) + " " + strings.Join(queues, " ")
	_, err := s.pool.Exec(ctx, notify, jobsChannel, payload)
	if isUnavailable(err) {
		s.setHealth(err)
	}
}

// heardOfJobs notifies this node of the jobs that another node has added. payload is that of the
// notification.
func (s *Store) heardOfJobs(payload string) {
	sender, queues, _ := strings.Cut(payload, " ")
	if sender != strconv.FormatInt(s.node, 10) {
		s.jobsAdded(strings.Fields(queues)...)
	}
}
