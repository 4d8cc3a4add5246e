package jobs

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"runboard/app"
)

// policies is a source of kinds with nothing but policies.
type policies map[string]app.Policy

func (p policies) Kinds() []app.Kind { return nil }

func (p policies) Kind(name string) (app.Kind, bool) {
	policy, known := p[name]
	return app.Kind{Name: name, Policy: policy}, known
}

var testPolicies = policies{
	"free":   {},
	"whole":  {Concurrency: 2},
	"by key": {Concurrency: 1, ConcurrencyKey: []string{"database"}},
}

func runOf(kind, key string) app.ProcessRun { return app.ProcessRun{Kind: kind, ConcurrencyKey: key} }

func TestLimits_CountByKindAndKey(t *testing.T) {
	t.Parallel()
	l := newLimits(testPolicies)
	for _, run := range []app.ProcessRun{
		runOf("free", ""), runOf("free", "a"), runOf("whole", "a"), runOf("by key", "a"),
		runOf("unknown", ""),
	} {
		l.add(run)
	}
	for want, runs := range map[int][]app.ProcessRun{
		math.MaxInt: {runOf("free", ""), runOf("free", "a"), runOf("unknown", "")},
		1:           {runOf("whole", ""), runOf("whole", "a"), runOf("by key", "b"), runOf("by key", "")},
		0:           {runOf("by key", "a")},
	} {
		for _, run := range runs {
			if got := l.free(run); got != want {
				t.Errorf("%d runs of kind %q with the key %q may start, want %d",
					got, run.Kind, run.ConcurrencyKey, want)
			}
		}
	}
}

func TestLimits_ReportWhatWasFull(t *testing.T) {
	t.Parallel()
	l := newLimits(testPolicies)
	one, other := runOf("whole", "a"), runOf("whole", "b")
	l.add(one)
	l.add(other)
	if !l.remove(one) {
		t.Error("the first of two ended runs kept no others from starting")
	}
	if l.remove(other) {
		t.Error("the last run kept others from starting")
	}
	if len(l.inKind)+len(l.inKey) != 0 {
		t.Errorf("without runs, there are counts: %v, %v", l.inKind, l.inKey)
	}
}

// A changed policy holds for the runs that are in flight.
func TestLimits_FollowChangedPolicies(t *testing.T) {
	t.Parallel()
	kinds := policies{"backup": {}}
	l := newLimits(kinds)
	for _, key := range []string{"a", "a", "b", ""} {
		l.add(runOf("backup", key))
	}
	kinds["backup"] = app.Policy{Concurrency: 3}
	if got := l.free(runOf("backup", "c")); got != -1 {
		t.Errorf("with a lowered limit, %d runs may start", got)
	}
	kinds["backup"] = app.Policy{Concurrency: 2, ConcurrencyKey: []string{"database"}}
	for key, want := range map[string]int{"a": 0, "b": 1, "c": 2, "": 1} {
		if got := l.free(runOf("backup", key)); got != want {
			t.Errorf("%d runs with the key %q may start, want %d", got, key, want)
		}
	}
}

func TestLimits_FetchNothingThatIsFull(t *testing.T) {
	t.Parallel()
	l := newLimits(testPolicies)
	names := []string{"free", "whole", "by key"}
	for range 2 {
		l.add(runOf("whole", ""))
	}
	for _, key := range []string{"a", "b", ""} {
		l.add(runOf("by key", key))
	}
	due := l.due(names, 0)
	if len(due) != 2 || due[0].Name != "free" || due[0].Limit != 0 || due[1].Name != "by key" {
		t.Fatalf("what is fetched is %+v", due)
	}
	slices.Sort(due[1].FullKeys)
	if due[1].PerKey != 1 || !slices.Equal(due[1].FullKeys, []string{"", "a", "b"}) {
		t.Errorf("of the kind with keys, %+v is fetched", due[1])
	}
	l.remove(runOf("whole", ""))
	if due := l.due(names, 3); len(due) != 3 || due[1].Limit != 1+3 || due[2].PerKey != 1+3 {
		t.Errorf("with 3 runs that are held back, what is fetched is %+v", due)
	}
}

// More runs with a key may be prefetched than may start.
func TestPrefetch_TakeKeepsLimits(t *testing.T) {
	t.Parallel()
	busy := &inFlight{runs: map[int64]app.ProcessRun{}, limits: newLimits(testPolicies)}
	var p prefetch
	for i, run := range []app.ProcessRun{
		runOf("by key", "a"), runOf("by key", "a"), runOf("whole", ""), runOf("free", ""),
		runOf("by key", "b"), runOf("whole", ""), runOf("whole", ""), runOf("free", ""),
	} {
		run.ID = int64(i + 1)
		p.runs = append(p.runs, run)
	}
	var taken, kept []int64
	for _, run := range p.take(100, 3, busy) {
		taken = append(taken, run.ID)
	}
	for _, run := range p.runs {
		kept = append(kept, run.ID)
	}
	if !slices.Equal(taken, []int64{1, 3, 4, 5, 6, 8}) || !slices.Equal(kept, []int64{2, 7}) {
		t.Errorf("the runs %v are taken and %v are kept", taken, kept)
	}
}

// The counts are those of a simple model, in any order of starts and ends.
func TestLimits_AgreeWithAModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l := newLimits(testPolicies)
		var flying []app.ProcessRun
		kinds, keys := []string{"free", "whole", "by key"}, []string{"", "a", "b"}
		t.Repeat(map[string]func(*rapid.T){
			"start": func(t *rapid.T) {
				run := runOf(rapid.SampledFrom(kinds).Draw(t, "kind"), rapid.SampledFrom(keys).Draw(t, "key"))
				if l.free(run) > 0 {
					l.add(run)
					flying = append(flying, run)
				}
			},
			"end": func(t *rapid.T) {
				if len(flying) == 0 {
					t.Skip("nothing is in flight")
				}
				i := rapid.IntRange(0, len(flying)-1).Draw(t, "run")
				l.remove(flying[i])
				flying = slices.Delete(flying, i, i+1)
			},
			"": func(t *rapid.T) {
				whole, keyed := 0, map[string]int{}
				for _, run := range flying {
					switch run.Kind {
					case "whole":
						whole++
					case "by key":
						keyed[run.ConcurrencyKey]++
					}
				}
				if got := l.free(runOf("whole", "a")); got != 2-whole {
					t.Fatalf("%d runs of the whole kind may start, want %d", got, 2-whole)
				}
				for _, key := range keys {
					if got := l.free(runOf("by key", key)); got != 1-keyed[key] {
						t.Fatalf("%d runs with the key %q may start, want %d", got, key, 1-keyed[key])
					}
				}
			},
		})
	})
}
