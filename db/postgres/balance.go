package postgres

import (
	"context"
	"sync"
	"time"

	"runboard/app"
	"runboard/db/query"
)

// balanceJobs makes waiting jobs available.
const balanceJobs = `UPDATE river_job SET state = 'available'
	WHERE id = ANY ($1) AND state IN ('pending', 'scheduled') RETURNING queue`

// balancer is what a node still has to do for runs that may start.
type balancer struct {
	wake chan struct{} // holds one: there is something to do

	mu     sync.Mutex
	groups map[groupKey]limitGroup // to be balanced
	sweep  sweepScope
}

// groupKey identifies a limitGroup.
type groupKey struct{ kind, key string }

func newBalancer() *balancer {
	return &balancer{wake: make(chan struct{}, 1), groups: map[groupKey]limitGroup{}}
}

// add has groups balanced soon.
func (b *balancer) add(groups ...limitGroup) {
	if len(groups) == 0 {
		return
	}
	b.mu.Lock()
	for _, group := range groups {
		b.groups[groupKey{group.kind, group.key}] = group
	}
	b.mu.Unlock()
	b.signal()
}

// sweepSoon has the waiting runs of all groups checked soon.
func (b *balancer) sweepSoon(scope sweepScope) {
	b.mu.Lock()
	b.sweep = max(b.sweep, scope)
	b.mu.Unlock()
	b.signal()
}

func (b *balancer) signal() {
	select {
	case b.wake <- struct{}{}:
	default: // it is awake
	}
}

// take returns what is to be done, and forgets it.
func (b *balancer) take() (groups []limitGroup, sweep sweepScope) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, group := range b.groups {
		groups = append(groups, group)
	}
	clear(b.groups)
	sweep, b.sweep = b.sweep, noSweep
	return groups, sweep
}

// ApplyDefinitions implements app.ClusterStore.
func (s *Store) ApplyDefinitions() {
	s.starting.Lock() // waits for the starts that may have read the earlier definitions
	defer s.starting.Unlock()
	s.balancer.sweepSoon(fullSweep)
}

// balanceLoop balances groups when that is due, until ctx ends.
func (s *Store) balanceLoop(ctx context.Context) {
	ticker := time.NewTicker(s.options.sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.balancer.wake:
		case <-ticker.C:
			s.balancer.sweepSoon(periodicSweep)
		}
		if err := s.balanceDue(ctx); err != nil && !s.door.isClosed() {
			s.options.Log.Log(ctx, app.RepeatedLevel(err), "waiting runs could not be checked", "error", err)
			query.Pause(ctx, time.Second)
		}
	}
}

// balanceDue does what is due. What it cannot do stays due.
func (s *Store) balanceDue(ctx context.Context) error {
	groups, sweep := s.balancer.take()
	for i, group := range groups {
		if err := s.balance(ctx, group); err != nil {
			s.balancer.add(groups[i:]...)
			s.balancer.sweepSoon(sweep)
			return err
		}
	}
	if sweep == noSweep {
		return nil
	}
	err := s.sweep(ctx, sweep)
	if err != nil {
		s.balancer.sweepSoon(sweep)
	}
	return err
}

// balance makes the jobs of the oldest due runs of a group available, as many as may start.
func (s *Store) balance(ctx context.Context, group limitGroup) error {
	if !group.isLimited() {
		return s.release(ctx, group.kind, releaseAll)
	}
	return s.write(ctx, func(tx *transaction) error {
		tx.noNotify = true
		if err := tx.lockGroup(group); err != nil {
			return err
		}
		var paused bool
		if _, err := tx.Find(&paused, isPaused, group.kind); err != nil || paused {
			return err
		}
		var jobs []int64
		err := tx.SelectContext(tx.ctx, &jobs, group.ready(),
			group.kind, group.key, group.policy.Concurrency, tx.now.UnixMilli())
		if err != nil || len(jobs) == 0 {
			return err
		}
		var queues []string
		err = tx.SelectContext(tx.ctx, &queues, balanceJobs, jobs)
		for _, queue := range queues {
			tx.addJob(queue, time.Time{})
		}
		return err
	})
}
