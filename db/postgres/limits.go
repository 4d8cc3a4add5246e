package postgres

import (
	"runboard/app"
	"runboard/db/query"
)

// A created run waits if its kind is paused, or if as many runs as the policy of its kind allows are started.
// Its job is then pending, so that it is not fetched. The start of a run decides whether it may start;
// balance makes the jobs of those available that may. Both hold the lock of the runs that are counted
// together, so they see each other's changes.

// limitGroup are the runs that are counted together: those of a kind and, if its policy says so, with the
// same concurrency key.
type limitGroup struct {
	kind, key string
	policy    app.Policy
}

// policy returns the policy of a kind. A kind that is not defined has none.
func (s *Store) policy(kind string) app.Policy {
	if s.options.Definitions == nil {
		return app.Policy{}
	}
	known, _ := s.options.Definitions.Kind(kind)
	return known.Policy
}

// groupOf returns the group of a run.
func (s *Store) groupOf(run app.ProcessRun) limitGroup {
	group := limitGroup{kind: run.Kind, policy: s.policy(run.Kind)}
	if len(group.policy.ConcurrencyKey) > 0 {
		group.key = run.ConcurrencyKey
	}
	return group
}

// isLimited reports whether the policy limits the runs of the group.
func (g limitGroup) isLimited() bool { return g.policy.Concurrency > 0 }

// where returns the condition that a run is in the group. $1 and $2 are its kind and key. The condition is
// part of the text, so that the planner can use the index of its runs.
func (g limitGroup) where() string {
	switch {
	case len(g.policy.ConcurrencyKey) == 0:
		return "kind = $1 AND $2::text IS NOT NULL"
	case g.key == "": // runs that were created before their kind had keys
		return "kind = $1 AND concurrency_key = $2"
	}
	return "kind = $1 AND concurrency_key = $2 AND concurrency_key <> ''"
}

const (
	isPaused = `SELECT EXISTS (SELECT FROM paused_kinds WHERE kind = $1)`
	// lockGroup serializes the starts in a group. Two groups with the same hash wait for each other, which is
	// harmless.
	lockGroup = `SELECT pg_advisory_xact_lock(hashtextextended($1::text || chr(1) || $2::text, 15))`
)

// startedOf returns the number of started runs of the group, at most $3.
func (g limitGroup) startedOf() string {
	return query.SQL(`(SELECT count(*) FROM (SELECT FROM process_runs
		WHERE ` + g.where() + ` AND status = :started LIMIT $3) AS started)`)
}

// mayStart returns the query for whether a run may start: fewer runs are started than $3 allows, and not all
// that are still free are due to older runs. $4 is the time and $5 the run.
func (g limitGroup) mayStart() string {
	return query.SQL(`SELECT ` + g.startedOf() + ` + (SELECT count(*) FROM (SELECT FROM process_runs
		WHERE ` + g.where() + ` AND status = :created AND scheduled_at <= $4 AND sort_id < $5
		ORDER BY sort_id LIMIT $3) AS older) < $3`)
}

// ready returns the query for the jobs of the oldest due runs that may start and whose jobs wait. $4 is the
// time.
func (g limitGroup) ready() string {
	return query.SQL(`SELECT river_job.id FROM (SELECT job FROM process_runs
		WHERE ` + g.where() + ` AND status = :created AND scheduled_at <= $4
		ORDER BY sort_id LIMIT $3 - ` + g.startedOf() + `) AS oldest
		JOIN river_job ON river_job.id = oldest.job WHERE state IN ('pending', 'scheduled')`)
}

// lockGroup locks a group until the end of the transaction. The caller must not have locked any run.
func (tx *transaction) lockGroup(group limitGroup) error {
	return tx.Exec(lockGroup, group.kind, group.key)
}

// mayStart reports whether a run of a locked group may start.
func (tx *transaction) mayStart(group limitGroup, run app.ProcessRun) (may bool, err error) {
	var paused bool
	if _, err := tx.Find(&paused, isPaused, run.Kind); err != nil || paused {
		return false, err
	}
	if !group.isLimited() {
		return true, nil
	}
	_, err = tx.Find(&may, group.mayStart(),
		group.kind, group.key, group.policy.Concurrency, tx.now.UnixMilli(), run.ID)
	return may, err
}

// mayWait reports whether a created run may have to wait. If so, the transaction is followed by a balance.
func (tx *transaction) mayWait(run app.ProcessRun) bool {
	tx.balance(run)
	return tx.store.mayWait(run.Kind)
}

// balance has the group of a changed run balanced after the commit, if runs of its kind may wait.
func (tx *transaction) balance(run app.ProcessRun) {
	if tx.store.mayWait(run.Kind) {
		tx.groups = append(tx.groups, tx.store.groupOf(run))
	}
}

// balanceSoon is balance after a commit.
func (s *Store) balanceSoon(run app.ProcessRun) {
	if s.mayWait(run.Kind) {
		s.balancer.add(s.groupOf(run))
	}
}

// mayWait reports whether runs of a kind may have to wait for more than a worker.
func (s *Store) mayWait(kind string) bool {
	return s.policy(kind).Concurrency > 0 || s.isPaused(kind)
}
