package postgres

import (
	"context"
	"time"

	"runboard/app"
	"runboard/db/query"
)

// rescueScan is the most waiting runs that one call of RescueOrphans checks. The next call continues after them.
const rescueScan = 20_000

const (
	// startedOrphans are started runs whose node is lost, unless their job waits: a snoozed run has no node.
	startedOrphans = `SELECT process_runs.id FROM process_runs LEFT JOIN river_job AS jobs ON jobs.id = process_runs.job
		WHERE process_runs.status = 1 AND NOT node_is_alive(process_runs.node)
			AND (jobs.id IS NULL OR NOT job_has_node(jobs.state, jobs.attempted_by))`
	// waitingOrphans are runs whose node was lost between fetching their job and starting them.
	waitingOrphans = `SELECT process_runs.id FROM river_job AS jobs
		JOIN process_runs ON process_runs.id = (jobs.args->>'run')::bigint AND process_runs.job = jobs.id
		WHERE jobs.state = 'running' AND process_runs.status = 0 AND NOT job_has_node(jobs.state, jobs.attempted_by)`
	// waitingPart is the next range of waiting runs to check, and waitingWithout are the runs in it without a live job.
	waitingPart = `SELECT coalesce(max(id), 0) AS last, count(*) AS n FROM
		(SELECT id FROM process_runs WHERE status = 0 AND sort_id > $1 ORDER BY sort_id LIMIT $2) AS part`
	waitingWithout = `SELECT process_runs.id FROM process_runs LEFT JOIN river_job AS jobs ON jobs.id = process_runs.job
		WHERE status = 0 AND sort_id > $1 AND sort_id <= $2 AND (jobs.id IS NULL OR jobs.finalized_at IS NOT NULL)`

	// handedJobs are the jobs that this node works on, according to River or to the runs.
	handedJobs = `SELECT id FROM river_job
		WHERE state = 'running' AND kind LIKE 'run:%' AND attempted_by[cardinality(attempted_by)] = $1::bigint::text
		UNION SELECT job FROM process_runs LEFT JOIN river_job AS jobs ON jobs.id = process_runs.job
		WHERE process_runs.status = 1 AND process_runs.node = $1 AND (jobs.id IS NULL OR jobs.finalized_at IS NOT NULL)
		ORDER BY 1`
	putBack = `UPDATE river_job SET state = 'available', attempt = greatest(attempt - 1, 0)
		WHERE id = $1 AND state = 'running' AND attempted_by[cardinality(attempted_by)] = $2::bigint::text RETURNING true`
	startedBy = `SELECT id FROM process_runs WHERE status = 1 AND job = $1 AND node = $2`

	isAlive  = `SELECT node_is_alive($1)`
	jobLives = `SELECT job_has_node(state, attempted_by) FROM river_job WHERE id = $1`
	endJob   = `UPDATE river_job SET state = 'discarded', finalized_at = now() WHERE id = $1 AND state = 'running'`
	// endLostJobs ends what remains of lost nodes: jobs that their runs have replaced, and maintenance jobs.
	endLostJobs = `UPDATE river_job SET state = 'discarded', finalized_at = now()
		WHERE state = 'running' AND NOT job_has_node(state, attempted_by)
			AND NOT EXISTS (SELECT FROM process_runs
				WHERE job = river_job.id AND id = (args->>'run')::bigint AND status IN (0, 1))`
)

// rescueOrphans rescues the runs of lost nodes when one is found, and periodically, until ctx ends: the node that found it
// may be lost before it is done.
func (s *Store) rescueOrphans(ctx context.Context) {
	ticker := time.NewTicker(s.options.Heartbeat.Every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-s.nodeLost:
		}
		if s.fault.Load() != nil {
			continue
		}
		n, err := s.rescueAll(ctx)
		if n > 0 {
			s.options.Log.Warn("rescued runs of lost nodes", "runs", n)
		}
		if err != nil && ctx.Err() == nil {
			s.options.Log.Error("runs of lost nodes could not be rescued", "error", err)
		}
	}
}

// rescueAll rescues the runs of lost nodes, and returns how many there were.
func (s *Store) rescueAll(ctx context.Context) (rescued int, err error) {
	var started, waiting []int64
	err = s.read(ctx, func(ctx context.Context, q query.Queryer) error {
		if err := query.Select(ctx, q, &started, startedOrphans); err != nil {
			return err
		}
		return query.Select(ctx, q, &waiting, waitingOrphans)
	})
	if err != nil {
		return 0, err
	}
	if rescued, err = s.rescueEach(ctx, append(started, waiting...)); err != nil {
		return rescued, err
	}
	return rescued, s.write(ctx, func(tx *transaction) error {
		tx.noNotify = true
		return tx.exec(endLostJobs)
	})
}

// rescueEach rescues those of runs that are orphans, and returns how many were. It goes on after an error and returns the
// last one.
func (s *Store) rescueEach(ctx context.Context, runs []int64) (rescued int, failed error) {
	for _, run := range runs {
		if ctx.Err() != nil {
			break
		}
		var orphan bool
		err := s.write(ctx, func(tx *transaction) (err error) {
			orphan, err = tx.rescue(run)
			return err
		})
		switch {
		case err != nil:
			failed = err
		case orphan:
			rescued++
		}
	}
	return rescued, failed
}

// RescueOrphans implements app.ClusterStore. Each call checks up to rescueScan waiting runs: there may be millions.
func (s *Store) RescueOrphans(ctx context.Context) (rescued int, err error) {
	s.rescueMu.Lock()
	defer s.rescueMu.Unlock()
	var waiting []int64
	err = s.read(ctx, func(ctx context.Context, q query.Queryer) (err error) {
		var part struct{ Last, N int64 }
		if err = query.Get(ctx, q, &part, waitingPart, s.rescueCursor, rescueScan); err != nil {
			return err
		}
		err = query.Select(ctx, q, &waiting, waitingWithout, s.rescueCursor, part.Last)
		if s.rescueCursor = part.Last; part.N < rescueScan {
			s.rescueCursor = 0
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	if rescued, err = s.rescueEach(ctx, waiting); err != nil {
		return rescued, err
	}
	orphans, err := s.rescueAll(ctx)
	return rescued + orphans, err
}

// rescue requeues or fails a run whose job has ended or whose node is lost, and reports whether the run was still such an
// orphan. It locks the row, so only one of several nodes rescues it.
func (tx *transaction) rescue(run int64) (orphan bool, err error) {
	now, found, err := tx.lock(run)
	if err != nil || !found || now.run.Status.Final() {
		tx.noNotify = true
		return false, err
	}
	var lives bool
	if _, err := tx.find(&lives, jobLives, now.job); err != nil || lives {
		tx.noNotify = true
		return false, err
	}
	if now.run.Status == app.Created {
		return true, tx.replaceJob(now)
	}
	if alive, err := tx.isAlive(now.node); err != nil || alive {
		tx.noNotify = true
		return false, err
	}
	if err := tx.exec(endJob, now.job); err != nil {
		return false, err
	}
	_, err = tx.apply(now, (*transaction).crash)
	return true, err
}

// replaceJob replaces the dead job of a waiting run.
func (tx *transaction) replaceJob(now lockedRun) error {
	tx.noNotify = true
	if err := tx.exec(endJob, now.job); err != nil {
		return err
	}
	jobs, err := tx.addJobs(now.run)
	if err != nil {
		return err
	}
	return tx.exec(`UPDATE process_runs SET job = $1 WHERE id = $2`, jobs[0], now.run.ID)
}

// isAlive reports whether a node is alive.
func (tx *transaction) isAlive(node int64) (alive bool, err error) {
	_, err = tx.find(&alive, isAlive, node)
	return alive, err
}

// JobsInHand implements app.ClusterStore.
func (s *Store) JobsInHand(ctx context.Context) (jobs []int64, err error) {
	err = s.read(ctx, func(ctx context.Context, q query.Queryer) error {
		return query.Select(ctx, q, &jobs, handedJobs, s.node)
	})
	return jobs, err
}

// Release implements app.ClusterStore.
func (s *Store) Release(ctx context.Context, job int64) error {
	return s.write(ctx, func(tx *transaction) error {
		tx.noNotify = true
		var waits bool
		if _, err := tx.find(&waits, putBack, job, s.node); err != nil || waits {
			return err
		}
		var run int64
		if found, err := tx.find(&run, startedBy, job, s.node); err != nil || !found {
			return err
		}
		now, found, err := tx.lock(run)
		if err != nil || !found || now.run.Status != app.Started || now.job != job || now.node != s.node {
			return err
		}
		tx.noNotify = false
		_, err = tx.apply(now, (*transaction).crash)
		return err
	})
}
