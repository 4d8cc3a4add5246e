package query

import (
	"slices"

	"runboard/app"
)

// waitingReader reads what the created runs of a page wait for. Its cost depends on the number of different
// kinds and concurrency keys among them, and on the limits of these kinds.
type waitingReader struct {
	*snapshot
	paused []string
	full   map[fullKey]app.Waiting
}

// fullKey identifies the runs that are counted together.
type fullKey struct{ kind, key string }

// fillWaiting sets Waiting of the runs that are created and due.
func (s *snapshot) fillWaiting(runs []app.ProcessRun) {
	now := s.db.Now()
	var reader *waitingReader
	for i, run := range runs {
		if run.Status != app.Created || run.ScheduledAt.After(now) {
			continue
		}
		if reader == nil {
			reader = &waitingReader{snapshot: s, full: map[fullKey]app.Waiting{}}
			s.all(&reader.paused, "SELECT kind FROM paused_kinds")
		}
		runs[i].Waiting = reader.of(run)
	}
}

// of returns what a created run waits for.
func (r *waitingReader) of(run app.ProcessRun) app.Waiting {
	if slices.Contains(r.paused, run.Kind) {
		return app.Waiting{Paused: true}
	}
	kind := r.definition(run.Kind)
	if kind.Concurrency == 0 {
		return app.Waiting{}
	}
	key := fullKey{kind: run.Kind}
	if len(kind.ConcurrencyKey) > 0 {
		key.key = run.ConcurrencyKey
	}
	waiting, known := r.full[key]
	if !known {
		waiting = r.fullLimit(kind, key.key)
		r.full[key] = waiting
	}
	return waiting
}

// fullLimit returns the limit of a kind, if as many runs with the key are started, and the oldest of them.
func (s *snapshot) fullLimit(kind app.Kind, key string) app.Waiting {
	started, oldest := s.sharing(kind, key, app.Started, kind.Concurrency)
	if started < int64(kind.Concurrency) {
		return app.Waiting{}
	}
	return app.Waiting{Limit: kind.Concurrency, By: oldest}
}
