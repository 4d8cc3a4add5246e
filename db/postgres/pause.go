package postgres

import (
	"context"
	"slices"
	"time"

	"runboard/db/query"
)

const pausedKinds = `SELECT kind FROM paused_kinds ORDER BY kind`

// pausedInterval is the shortest time between two reads of the paused kinds: every change notifies.
const pausedInterval = 200 * time.Millisecond

// PauseKind implements app.Store.
func (s *Store) PauseKind(ctx context.Context, kind string, paused bool) error {
	err := s.write(ctx, func(tx *transaction) error {
		changed, err := query.PauseKind(tx, kind, paused, tx.now)
		tx.noNotify = !changed
		return err
	})
	if err != nil {
		return err
	}
	return s.readPaused(ctx)
}

// PausedKinds implements app.ClusterStore. If another node has just paused a kind or resumed it, this node
// may not know it yet; StartJob does.
func (s *Store) PausedKinds() []string { return *s.paused.Load() }

func (s *Store) isPaused(kind string) bool { return slices.Contains(s.PausedKinds(), kind) }

// readPaused reads which kinds are paused, and applies what has changed since.
func (s *Store) readPaused(ctx context.Context) error {
	paused := []string{}
	err := s.readOne(ctx, func(ctx context.Context, q query.Queryer) error {
		return query.Select(ctx, q, &paused, pausedKinds)
	})
	if err != nil {
		return err
	}
	before := *s.paused.Swap(&paused)
	if slices.Equal(before, paused) {
		return nil
	}
	for _, kind := range before {
		if !slices.Contains(paused, kind) {
			s.balancer.add(limitGroup{kind: kind, policy: s.policy(kind)})
		}
	}
	s.balancer.sweepSoon(fullSweep)
	return nil
}

// pausedLoop learns of kinds that other nodes have paused or resumed, until ctx ends.
func (s *Store) pausedLoop(ctx context.Context) {
	changes, unsubscribe := s.changes.Subscribe()
	defer unsubscribe()
	for {
		select {
		case <-ctx.Done():
			return
		case <-changes:
		}
		_ = s.readPaused(ctx) // after an error the next change tries again, and reading has recorded it
		query.Pause(ctx, pausedInterval)
	}
}
