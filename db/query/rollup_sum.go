package query

import (
	"cmp"
	"slices"
	"time"

	"runboard/app"
)

// kindRollup sums up the rows of a kind.
type kindRollup struct {
	kind string
	Rollup
	steps []app.Counters
}

func newKindRollup(kind string, steps int) *kindRollup {
	return &kindRollup{kind: kind, steps: make([]app.Counters, steps)}
}

// add adds a row that belongs to a step.
func (k *kindRollup) add(row rollupRow, step int) {
	k.Counters = k.Counters.Add(row.Counters)
	k.steps[step] = k.steps[step].Add(row.Counters)
	k.merge(row.Times)
}

// addKind adds all rows of another kind.
func (k *kindRollup) addKind(other *kindRollup) {
	k.Counters = k.Counters.Add(other.Counters)
	k.queueTime.addAll(&other.queueTime)
	k.runTime.addAll(&other.runTime)
	for i, counters := range other.steps {
		k.steps[i] = k.steps[i].Add(counters)
	}
}

func (k *kindRollup) statistics() app.KindStatistics {
	return app.KindStatistics{Kind: k.kind, Summary: k.summary(), Counters: k.steps}
}

func (r *Rollup) summary() app.Summary {
	return app.Summary{
		Total: r.Counters, QueueTime: r.queueTime.quantiles(), RunTime: r.runTime.quantiles(),
	}
}

// lookbackRollups sums up the rows of a lookback, by kind and in all.
type lookbackRollups struct {
	lookback app.Lookback
	from     time.Time // start of the first step
	kinds    map[string]*kindRollup
	all      *kindRollup
}

func newLookbackRollups(lookback app.Lookback, now time.Time) *lookbackRollups {
	r := &lookbackRollups{
		lookback: lookback, from: now.Truncate(lookback.Step()).Add(-lookback.Length()),
		kinds: map[string]*kindRollup{},
	}
	r.all = newKindRollup("", r.steps())
	return r
}

// steps returns the number of steps. The last one is incomplete.
func (r *lookbackRollups) steps() int { return int(r.lookback.Length()/r.lookback.Step()) + 1 }

func (r *lookbackRollups) add(row rollupRow) {
	step := int(FromMillis(row.At).Sub(r.from) / r.lookback.Step())
	if r.kinds[row.Kind] == nil {
		r.kinds[row.Kind] = newKindRollup(row.Kind, r.steps())
	}
	r.kinds[row.Kind].add(row, step)
	r.all.add(row, step)
}

// period returns the sums. It leaves out what does not come from rollups.
func (r *lookbackRollups) period() app.Period {
	kinds := r.sorted()
	others := newKindRollup("", r.steps())
	period := app.Period{Lookback: r.lookback, From: r.from, OtherKinds: max(0, len(kinds)-app.MaxKinds)}
	for i, kind := range kinds {
		if i < app.MaxKinds {
			period.Kinds = append(period.Kinds, kind.statistics())
		} else {
			others.addKind(kind)
		}
	}
	period.Counters, period.Summary = r.all.steps, r.all.summary()
	period.Others = others.statistics()
	return period
}

// sorted returns the kinds of which a run has started or finished, those with the most finished runs first.
func (r *lookbackRollups) sorted() (kinds []*kindRollup) {
	for _, kind := range r.kinds {
		if kind.Started+kind.Finished() > 0 {
			kinds = append(kinds, kind)
		}
	}
	slices.SortFunc(kinds, func(a, b *kindRollup) int {
		return cmp.Or(cmp.Compare(b.Finished(), a.Finished()), cmp.Compare(a.kind, b.kind))
	})
	return kinds
}
