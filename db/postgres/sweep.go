package postgres

import (
	"context"
	"maps"
	"math"
	"slices"
	"time"

	"runboard/app"
	"runboard/db/query"
)

// sweepInterval is how often a node looks for runs that wait although they may start: the node that should
// have balanced their group may be lost, and the definitions of nodes may differ.
const sweepInterval = 15 * time.Second

// sweepScope is how much a sweep changes.
type sweepScope int

const (
	noSweep sweepScope = iota
	// periodicSweep finds runs that wait although they may start.
	periodicSweep
	// fullSweep follows a change of definitions or pauses. It also has runs wait that need not have waited
	// before, so that their jobs do not delay others.
	fullSweep
)

const (
	// sweepBatch is how many jobs one statement of a sweep changes.
	sweepBatch = 10_000
	// releasePeriodic is how many jobs of a kind without a limit a periodic sweep releases. A node with other
	// definitions may hold them again.
	releasePeriodic = 1000
	releaseAll      = math.MaxInt
)

const (
	// parkJobs has available jobs wait. The kinds are those of the jobs.
	parkJobs = `UPDATE river_job SET state = 'pending' WHERE state = 'available' AND id IN (
			SELECT id FROM river_job WHERE state = 'available' AND queue = ANY ($1) AND kind = ANY ($2)
			LIMIT $3 FOR UPDATE SKIP LOCKED)
		RETURNING id`
	// releaseJobs makes the oldest waiting jobs of a kind available, unless the kind of run is paused.
	releaseJobs = `UPDATE river_job SET state = 'available' WHERE state = 'pending' AND id IN (
			SELECT id FROM river_job WHERE state = 'pending' AND kind = $1
				AND NOT EXISTS (SELECT FROM paused_kinds WHERE kind = $2)
			ORDER BY id + 0 LIMIT $3 FOR UPDATE SKIP LOCKED)
		RETURNING queue`
	// pendingKinds is a loose index scan for the kinds of waiting jobs.
	pendingKinds = `WITH RECURSIVE kinds (kind) AS (
			SELECT min(kind) FROM river_job WHERE state = 'pending'
			UNION ALL
			SELECT (SELECT min(kind) FROM river_job WHERE state = 'pending' AND river_job.kind > kinds.kind)
				FROM kinds WHERE kinds.kind IS NOT NULL)
		SELECT kind FROM kinds WHERE kind IS NOT NULL`
)

// freeKeys is the query for the concurrency keys of a kind whose runs wait although fewer than $2 are
// started. $3 is the time. It is a loose index scan: it costs a few probes for each key, whatever the number
// of runs.
var freeKeys = query.SQL(`WITH RECURSIVE keys (key) AS (
		SELECT min(concurrency_key) FROM process_runs
			WHERE kind = $1 AND status = :created AND concurrency_key <> ''
		UNION ALL
		SELECT (SELECT min(concurrency_key) FROM process_runs
				WHERE kind = $1 AND status = :created AND concurrency_key <> ''
					AND concurrency_key > keys.key)
			FROM keys WHERE keys.key IS NOT NULL)
	SELECT key FROM keys WHERE key IS NOT NULL
		AND EXISTS (SELECT FROM (SELECT job FROM process_runs
				WHERE kind = $1 AND concurrency_key = key AND concurrency_key <> '' AND status = :created
					AND scheduled_at <= $3
				ORDER BY sort_id LIMIT $2) AS oldest
			JOIN river_job ON river_job.id = oldest.job WHERE state = 'pending')
		AND (SELECT count(*) FROM (SELECT FROM process_runs
				WHERE kind = $1 AND concurrency_key = key AND concurrency_key <> '' AND status = :started
				LIMIT $2) AS started) < $2`)

// sweep balances all groups with runs that wait although they may start.
func (s *Store) sweep(ctx context.Context, scope sweepScope) error {
	names := s.namesByJob()
	most := releasePeriodic
	if scope == fullSweep {
		most = releaseAll
		if err := s.rekey(ctx); err != nil {
			return err
		}
		if err := s.park(ctx, names); err != nil {
			return err
		}
	}
	var waiting []string
	err := s.readOne(ctx, func(ctx context.Context, q query.Queryer) error {
		return query.Select(ctx, q, &waiting, pendingKinds)
	})
	if err != nil {
		return err
	}
	for _, job := range waiting {
		name, known := names[job]
		if !known { // other nodes work on it
			continue
		}
		if err := s.sweepKind(ctx, name, most); err != nil {
			return err
		}
	}
	return nil
}

// rekey gives created runs the concurrency keys that the policies of their kinds ask for.
func (s *Store) rekey(ctx context.Context) error {
	if s.options.Definitions == nil {
		return nil
	}
	for _, kind := range s.options.Definitions.Kinds() {
		if len(kind.ConcurrencyKey) == 0 {
			continue
		}
		err := s.Rekey(ctx, kind, func(keys map[int64]string) error {
			return s.write(ctx, func(tx *transaction) error { return query.SetKeys(tx, keys) })
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// namesByJob returns the kinds of runs that this node knows, by the kinds of their jobs.
func (s *Store) namesByJob() map[string]string {
	kinds := slices.Concat(s.PausedKinds(), s.options.Kinds())
	if s.options.Definitions != nil {
		for _, kind := range s.options.Definitions.Kinds() {
			kinds = append(kinds, kind.Name)
		}
	}
	names := make(map[string]string, len(kinds))
	for _, kind := range kinds {
		names[app.Job{RunKind: kind}.Kind()] = kind
	}
	return names
}

// park has the available jobs of limited and of paused kinds wait. A million of them, when each was found out
// by its start, would delay other kinds.
func (s *Store) park(ctx context.Context, names map[string]string) error {
	kinds := maps.Clone(names)
	maps.DeleteFunc(kinds, func(_, name string) bool { return !s.mayWait(name) })
	if len(kinds) == 0 {
		return nil
	}
	queues := []string{app.DefaultQueue, app.QuarantineQueue}
	jobs := slices.Collect(maps.Keys(kinds))
	for parked := sweepBatch; parked == sweepBatch; {
		err := s.write(ctx, func(tx *transaction) error {
			tx.noNotify = true
			var ids []int64
			err := tx.SelectContext(tx.ctx, &ids, parkJobs, queues, jobs, sweepBatch)
			parked = len(ids)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// sweepKind balances the groups of a kind with runs that wait although they may start. most is how many jobs
// it releases if the kind has no limit.
func (s *Store) sweepKind(ctx context.Context, kind string, most int) error {
	policy := s.policy(kind)
	if policy.Concurrency == 0 {
		return s.release(ctx, kind, most)
	}
	keys := []string{""}
	if len(policy.ConcurrencyKey) > 0 {
		var free []string
		err := s.read(ctx, func(ctx context.Context, q query.Queryer) error {
			return query.Select(ctx, q, &free, freeKeys, kind, policy.Concurrency, s.options.Now().UnixMilli())
		})
		if err != nil {
			return err
		}
		keys = append(keys, free...)
	}
	for _, key := range keys {
		if err := s.balance(ctx, limitGroup{kind: kind, key: key, policy: policy}); err != nil {
			return err
		}
	}
	return nil
}

// release makes the jobs of the oldest waiting runs of a kind available, at most most of them, unless the
// kind is paused.
func (s *Store) release(ctx context.Context, kind string, most int) error {
	job := app.Job{RunKind: kind}.Kind()
	for left := most; left > 0; {
		batch := min(left, sweepBatch)
		var queues []string
		err := s.write(ctx, func(tx *transaction) error {
			tx.noNotify = true
			queues = nil
			err := tx.SelectContext(tx.ctx, &queues, releaseJobs, job, kind, batch)
			for _, queue := range queues {
				tx.addJob(queue, time.Time{})
			}
			return err
		})
		if err != nil || len(queues) < batch {
			return err
		}
		left -= len(queues)
	}
	return nil
}
