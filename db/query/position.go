package query

import (
	"slices"
	"time"

	"runboard/app"
)

// position returns the place of a created run in the queue. running is the number of started runs.
func (s *snapshot) position(run app.ProcessRun, running int64) (position app.Position) {
	now := s.db.Now()
	if run.Status != app.Created || run.ScheduledAt.After(now) || run.Waiting.Paused {
		return position
	}
	if run.Crashes > 0 { // it may be in quarantine, where it waits for others than these
		return position
	}
	if run.Waiting.Limit > 0 {
		return s.positionInGroup(run)
	}
	kinds, all := s.queuedWith(run)
	if !all && !slices.Contains(kinds, run.Kind) {
		return position // no worker handles it
	}
	var ahead int
	if all {
		ahead, position.More = s.dueBefore(s.dialect.scanStatus(app.Created), run.ID)
	} else {
		ahead, position.More = s.dueOfKindsBefore(kinds, run.ID)
	}
	position.Place = 1 + min(ahead, app.CountedAhead)
	if !position.More {
		load := app.Load{Running: running, Recent: s.rates(now)}
		position.Wait = load.Wait(position.Place)
	}
	return position
}

// positionInGroup is position for a run whose limit is full: it waits for the runs that are counted together
// with it.
func (s *snapshot) positionInGroup(run app.ProcessRun) (position app.Position) {
	kind := s.definition(run.Kind)
	key := ""
	if len(kind.ConcurrencyKey) > 0 {
		key = run.ConcurrencyKey
	}
	ahead, more := s.dueBefore(s.dialect.scanSharing(kind, key, app.Created), run.ID)
	position.Place, position.More = 1+min(ahead, app.CountedAhead), more
	if !more {
		rounds := time.Duration(ahead/run.Waiting.Limit + 1) // the kind may have lost its limit meanwhile
		position.Wait = rounds * s.medianDuration(run.Kind)
	}
	return position
}

// queuedWith returns the kinds that share workers with a run. all is true if it is not known which kinds
// workers handle.
func (s *snapshot) queuedWith(run app.ProcessRun) (kinds []string, all bool) {
	handled, err := s.db.HandledKinds(s.ctx, s.q)
	if s.fail(err); handled == nil {
		return nil, true
	}
	kinds = slices.Clone(handled)
	slices.Sort(kinds)
	isBulk := slices.Contains(app.BulkKinds(), run.Kind) // bulk runs have a queue of their own
	return slices.DeleteFunc(slices.Compact(kinds), func(kind string) bool {
		return slices.Contains(app.BulkKinds(), kind) != isBulk
	}), false
}

// dueBefore returns the number of due runs of a scan with lower ids than a run. It looks at the nearest
// CountedAhead+1 of them; more says that there may be others.
func (s *snapshot) dueBefore(scan IndexScan, run int64) (due int, more bool) {
	statement := `SELECT COUNT(*) AS seen,
			coalesce(sum(CASE WHEN scheduled_at <= ? THEN 1 ELSE 0 END), 0) AS due
		FROM (` + scan.selectSQL("scheduled_at", false) + `) AS nearest`
	var found struct{ Seen, Due int }
	args := scan.Args(IDRange{Before: run}, app.CountedAhead+1)
	s.get(&found, statement, append([]any{s.db.Now().UnixMilli()}, args...)...)
	return found.Due, found.Seen > app.CountedAhead
}

// KindsBeforeSQL returns the query for those of some kinds that are not paused and have created runs with ids
// below a run. It probes the index once for each kind. Its arguments are the JSONArray of the kinds and the
// run.
func (d Dialect) KindsBeforeSQL() string {
	return SQL(`WITH wanted (kind) AS ` + d.TextArray + ` SELECT kind FROM wanted
		WHERE NOT EXISTS (SELECT 1 FROM paused_kinds WHERE paused_kinds.kind = wanted.kind)
			AND EXISTS (SELECT 1 FROM ` + d.runsBy("process_runs_by_kind") + `
				WHERE kind = wanted.kind AND status = :created AND ` + d.SortKey + ` < ?)`)
}

// dueOfKindsBefore is dueBefore for the runs of some kinds. Of a kind with a limit, at most as many count as
// may be started at once: the others wait for these.
func (s *snapshot) dueOfKindsBefore(kinds []string, run int64) (due int, more bool) {
	var before []string
	s.all(&before, s.dialect.KindsBeforeSQL(), JSONArray(kinds), run)
	for _, name := range before {
		ofKind, capped := s.dueBefore(s.dialect.scanKind(name, app.Created), run)
		kind := s.definition(name)
		switch {
		case kind.Concurrency > 0 && len(kind.ConcurrencyKey) == 0:
			ofKind, capped = min(ofKind, kind.Concurrency), false
		case kind.Concurrency > 0:
			ofKind, capped = min(ofKind, kind.Concurrency*s.keysBefore(name, run)), false
		}
		due += ofKind
		if capped || due > app.CountedAhead {
			return due, true
		}
	}
	return due, false
}

// keysBefore returns the number of different concurrency keys among the created runs of a kind that are
// nearest before a run.
func (s *snapshot) keysBefore(kind string, run int64) (keys int) {
	scan := s.dialect.scanKind(kind, app.Created)
	statement := "SELECT COUNT(DISTINCT concurrency_key) FROM (" + scan.selectSQL("concurrency_key", false) +
		") AS nearest"
	s.get(&keys, statement, scan.Args(IDRange{Before: run}, app.CountedAhead+1)...)
	return keys
}

// definition returns the definition of a kind, or the zero Kind if it has none.
func (s *snapshot) definition(name string) app.Kind {
	definitions := s.db.Definitions()
	if definitions == nil {
		return app.Kind{}
	}
	kind, _ := definitions.Kind(name)
	return kind
}

const ratesSQL = `SELECT at, CAST(sum(started) AS bigint) AS started,
		CAST(sum(requeued) AS bigint) AS requeued, CAST(sum(completed) AS bigint) AS completed,
		CAST(sum(failed) AS bigint) AS failed, CAST(sum(cancelled) AS bigint) AS cancelled
	FROM rollups WHERE step = ? AND at >= ? AND at <= ? GROUP BY at`

// rates returns how many runs started and ended in the last minutes.
func (s *snapshot) rates(now time.Time) app.Period {
	step := app.Last15Minutes.Step()
	period := app.Period{
		Lookback: app.Last15Minutes, From: now.Truncate(step).Add(-app.RateSteps * step),
		Counters: make([]app.Counters, app.RateSteps+1),
	}
	var found []struct {
		app.Counters
		At int64
	}
	s.all(&found, ratesSQL, step.Milliseconds(), period.From.UnixMilli(), now.UnixMilli())
	for _, row := range found {
		period.Counters[FromMillis(row.At).Sub(period.From)/step] = row.Counters
	}
	return period
}
