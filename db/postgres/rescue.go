package postgres

import (
	"context"
	"sync"
	"time"

	"runboard/app"
	"runboard/db/query"
)

// rescueBatch is the most waiting runs that one call of RescueOrphans checks. The next call continues after
// them.
const rescueBatch = 20_000

var (
	// startedOrphans are started runs whose node is lost, unless their job waits: a snoozed run has no node.
	startedOrphans = query.SQL(`SELECT process_runs.id FROM process_runs
		LEFT JOIN river_job AS jobs ON jobs.id = process_runs.job
		WHERE process_runs.status = :started AND NOT node_is_alive(process_runs.node)
			AND (jobs.id IS NULL OR NOT job_has_node(jobs.state, jobs.attempted_by))`)
	// createdOrphans are runs whose node, of an older version, was lost between fetching their job and
	// starting them.
	createdOrphans = query.SQL(`SELECT process_runs.id FROM river_job AS jobs
		JOIN process_runs ON process_runs.id = (jobs.args->>'run')::bigint AND process_runs.job = jobs.id
		WHERE jobs.state = 'running' AND process_runs.status = :created
			AND NOT job_has_node(jobs.state, jobs.attempted_by)`)
	// nextCreated is the next range of created runs to check, and createdWithoutJob are the runs in it
	// without a live job.
	nextCreated = query.SQL(`SELECT coalesce(max(id), 0) AS last, count(*) AS n FROM
		(SELECT id FROM process_runs WHERE status = :created AND sort_id > $1
			ORDER BY sort_id LIMIT $2) AS part`)
	createdWithoutJob = query.SQL(`SELECT process_runs.id FROM process_runs
		LEFT JOIN river_job AS jobs ON jobs.id = process_runs.job
		WHERE status = :created AND sort_id > $1 AND sort_id <= $2
			AND (jobs.id IS NULL OR jobs.finalized_at IS NOT NULL)`)

	// startedHere are the started runs of a node. A snoozed run has no node.
	startedHere = query.SQL(`SELECT ` + query.Columns + ` FROM process_runs
		WHERE status = :started AND node = $1`)

	// dropLostJobs deletes what remains of lost nodes of older versions: jobs that their runs have replaced.
	dropLostJobs = query.SQL(`DELETE FROM river_job
		WHERE state = 'running' AND NOT job_has_node(state, attempted_by)
			AND NOT EXISTS (SELECT FROM process_runs
				WHERE job = river_job.id AND id = (args->>'run')::bigint AND status IN (:created, :started))`)
)

const (
	deleteJob  = `DELETE FROM river_job WHERE id = $1`
	replaceJob = `UPDATE process_runs SET job = $1 WHERE id = $2`
	isAlive    = `SELECT node_is_alive($1)`
	jobHasNode = `SELECT job_has_node(state, attempted_by) FROM river_job WHERE id = $1`
)

// rescuer is the state of a node's search for orphans.
type rescuer struct {
	wake chan struct{} // holds one: a node has gone, and there may be runs to rescue

	mu     sync.Mutex
	cursor int64 // the last created run that RescueOrphans has checked
}

// rescueSoon has the runs of lost nodes rescued.
func (r *rescuer) rescueSoon() {
	select {
	case r.wake <- struct{}{}:
	default: // a rescue is pending already
	}
}

// Rescue implements app.ClusterStore.
func (s *Store) Rescue(ctx context.Context, run app.ProcessRun) error {
	return s.changeAttempt(ctx, run, (*transaction).crashUnlessAlive)
}

// crashUnlessAlive is crash for a run that another live node may work on.
func (tx *transaction) crashUnlessAlive(current lockedRun) (app.ProcessRun, app.Event, error) {
	if current.node == tx.store.node {
		return tx.crash(current)
	}
	alive, err := tx.isAlive(current.node)
	if err == nil && alive {
		err = app.Errorf(app.CodeConflict, "Run #%d is running on another node.", current.run.ID)
	}
	if err != nil {
		return current.run, app.Event{}, err
	}
	return tx.crash(current)
}

// crash ends the attempt of a lost worker.
func (tx *transaction) crash(current lockedRun) (app.ProcessRun, app.Event, error) {
	return app.Crash(current.run, tx.store.options.MaxCrashes, tx.time())
}

// rescueLoop rescues the runs of lost nodes when a node has gone, and again after an error, until ctx ends.
// Now and then it looks for them without cause: all nodes may have been lost before any of them was done.
func (s *Store) rescueLoop(ctx context.Context) {
	soon, rarely := s.options.Heartbeat.Every, s.options.Heartbeat.rescueEvery()
	timer := time.NewTimer(soon)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-s.rescuer.wake:
		}
		timer.Reset(soon)
		if s.fault.Load() != nil {
			continue
		}
		n, err := s.rescueLostNodes(ctx)
		if err == nil {
			timer.Reset(rarely)
		}
		if n > 0 {
			s.options.Log.Warn("rescued runs of lost nodes", "runs", n)
		}
		if err != nil && !s.door.isClosed() { // Close refuses reads and writes before it ends ctx
			level := app.RepeatedLevel(err)
			s.options.Log.Log(ctx, level, "runs of lost nodes could not be rescued", "error", err)
		}
	}
}

// rescueLostNodes rescues the runs of lost nodes, and returns how many there were.
func (s *Store) rescueLostNodes(ctx context.Context) (rescued int, err error) {
	var started, waiting []int64
	err = s.read(ctx, func(ctx context.Context, q query.Queryer) error {
		if err := query.Select(ctx, q, &started, startedOrphans); err != nil {
			return err
		}
		return query.Select(ctx, q, &waiting, createdOrphans)
	})
	if err != nil {
		return 0, err
	}
	if rescued, err = s.rescueEach(ctx, append(started, waiting...)); err != nil {
		return rescued, err
	}
	return rescued, s.write(ctx, func(tx *transaction) error {
		tx.noNotify = true
		return tx.Exec(dropLostJobs)
	})
}

// rescueEach rescues those of runs that are orphans, and returns how many were. It goes on after an error and
// returns the last one.
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

// RescueOrphans implements app.ClusterStore. Each call checks up to rescueBatch waiting runs: there may be
// millions.
func (s *Store) RescueOrphans(ctx context.Context) (rescued int, err error) {
	s.rescuer.mu.Lock()
	defer s.rescuer.mu.Unlock()
	var waiting []int64
	err = s.read(ctx, func(ctx context.Context, q query.Queryer) (err error) {
		var part struct{ Last, N int64 }
		if err = query.Get(ctx, q, &part, nextCreated, s.rescuer.cursor, rescueBatch); err != nil {
			return err
		}
		err = query.Select(ctx, q, &waiting, createdWithoutJob, s.rescuer.cursor, part.Last)
		s.rescuer.cursor = part.Last
		if part.N < rescueBatch { // the end: begin again
			s.rescuer.cursor = 0
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	if rescued, err = s.rescueEach(ctx, waiting); err != nil {
		return rescued, err
	}
	orphans, err := s.rescueLostNodes(ctx)
	return rescued + orphans, err
}

// rescue requeues or fails a run whose job has ended or whose node is lost, and reports whether the run was
// still such an orphan. It locks the row, so only one of several nodes rescues it.
func (tx *transaction) rescue(run int64) (orphan bool, err error) {
	current, found, err := tx.lock(run)
	if err != nil || !found || current.run.Status.Final() {
		tx.noNotify = true
		return false, err
	}
	var hasNode bool
	if _, err := tx.Find(&hasNode, jobHasNode, current.job); err != nil || hasNode {
		tx.noNotify = true
		return false, err
	}
	if current.run.Status == app.Created {
		return true, tx.replaceJob(current)
	}
	if alive, err := tx.isAlive(current.node); err != nil || alive {
		tx.noNotify = true
		return false, err
	}
	if err := tx.Exec(deleteJob, current.job); err != nil {
		return false, err
	}
	_, err = tx.apply(current, (*transaction).crash)
	return true, err
}

// replaceJob replaces the dead job of a waiting run.
func (tx *transaction) replaceJob(current lockedRun) error {
	tx.noNotify = true
	if err := tx.Exec(deleteJob, current.job); err != nil {
		return err
	}
	jobs, err := tx.addJobs(tx.mayWait(current.run), current.run)
	if err != nil {
		return err
	}
	return tx.Exec(replaceJob, jobs[0], current.run.ID)
}

// isAlive reports whether a node is alive.
func (tx *transaction) isAlive(node int64) (alive bool, err error) {
	_, err = tx.Find(&alive, isAlive, node)
	return alive, err
}

// StartedRuns implements app.ClusterStore.
func (s *Store) StartedRuns(ctx context.Context) (runs []app.ProcessRun, err error) {
	var rows []query.Run
	err = s.readOne(ctx, func(ctx context.Context, q query.Queryer) error {
		return query.Select(ctx, q, &rows, startedHere, s.node)
	})
	for _, row := range rows {
		runs = append(runs, row.App())
	}
	return runs, err
}
