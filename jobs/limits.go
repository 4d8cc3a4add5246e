package jobs

import (
	"math"

	"runboard/app"
)

// limits counts the runs in flight, and compares their numbers with the policies of their kinds. The policies
// may change at any time, so it counts the runs of all kinds.
type limits struct {
	kinds  app.KindSource
	inKind map[string]int // runs of each kind
	inKey  map[limitKey]int
}

// limitKey is a concurrency key of a kind.
type limitKey struct{ kind, key string }

func newLimits(kinds app.KindSource) *limits {
	return &limits{kinds: kinds, inKind: map[string]int{}, inKey: map[limitKey]int{}}
}

// add counts a run that is about to start.
func (l *limits) add(run app.ProcessRun) {
	l.inKind[run.Kind]++
	if run.ConcurrencyKey != "" {
		l.inKey[limitKey{run.Kind, run.ConcurrencyKey}]++
	}
}

// remove stops counting a run that was added. It reports whether the run has kept others from starting.
func (l *limits) remove(run app.ProcessRun) (wasFull bool) {
	wasFull = l.free(run) <= 0
	decrement(l.inKind, run.Kind)
	if run.ConcurrencyKey != "" {
		decrement(l.inKey, limitKey{run.Kind, run.ConcurrencyKey})
	}
	return wasFull
}

// decrement removes keys whose count is 0, so that the map does not grow with the keys of all runs there
// were.
func decrement[K comparable](counts map[K]int, key K) {
	counts[key]--
	if counts[key] == 0 {
		delete(counts, key)
	}
}

// free returns how many more runs with the kind and the concurrency key of run may start. It is negative if a
// limit was lowered while more runs were in flight.
func (l *limits) free(run app.ProcessRun) int {
	policy := l.policy(run.Kind)
	switch {
	case policy.Concurrency == 0:
		return math.MaxInt
	case len(policy.ConcurrencyKey) == 0:
		return policy.Concurrency - l.inKind[run.Kind]
	case run.ConcurrencyKey == "": // created before its kind had keys: counted with others like it
		return policy.Concurrency - l.withoutKey(run.Kind)
	}
	return policy.Concurrency - l.inKey[limitKey{run.Kind, run.ConcurrencyKey}]
}

// withoutKey returns the number of runs of a kind that have no concurrency key.
func (l *limits) withoutKey(kind string) int {
	n := l.inKind[kind]
	for key, withKey := range l.inKey {
		if key.kind == kind {
			n -= withKey
		}
	}
	return n
}

// due returns what to fetch of these kinds: nothing of a full kind, and nothing with a full key. It asks for
// heldBack more runs of a limited kind than may start, because so many may be unable to.
func (l *limits) due(kinds []string, heldBack int) []app.DueKind {
	due := make([]app.DueKind, 0, len(kinds))
	for _, name := range kinds {
		policy := l.policy(name)
		switch {
		case policy.Concurrency == 0:
			due = append(due, app.DueKind{Name: name})
		case len(policy.ConcurrencyKey) > 0:
			perKey := policy.Concurrency + heldBack
			due = append(due, app.DueKind{Name: name, PerKey: perKey, FullKeys: l.fullKeys(name)})
		case l.inKind[name] < policy.Concurrency:
			free := policy.Concurrency - l.inKind[name]
			due = append(due, app.DueKind{Name: name, Limit: free + heldBack})
		}
	}
	return due
}

// fullKeys returns the concurrency keys of a kind with which no more runs may start. There are at most as
// many as workers.
func (l *limits) fullKeys(kind string) (full []string) {
	concurrency := l.policy(kind).Concurrency
	for key, n := range l.inKey {
		if key.kind == kind && n >= concurrency {
			full = append(full, key.key)
		}
	}
	if n := l.withoutKey(kind); n > 0 && n >= concurrency {
		full = append(full, "")
	}
	return full
}

// policy returns the policy of a kind. A kind that is not offered has none.
func (l *limits) policy(kind string) app.Policy {
	known, _ := l.kinds.Kind(kind)
	return known.Policy
}
