package app

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// Lane is a lane of a timeline.
type Lane struct {
	Kind string // with LaneKinds
	Slot int    // with LaneSlots, from 1
	// Rows are the attempts of the lane. Those in one row do not overlap.
	Rows [][]Bar
	Bins []TimelineBin
	// Others is the number of kinds that Bins sums up, if there are too many.
	Others int
}

// maxBinnedKinds is how many kinds have a lane of bins, so that a timeline has at most MaxBars bins.
const maxBinnedKinds = 9

// LaidOut returns the lanes of the timeline. Bins have lanes by kind whatever the order.
func (t Timeline) LaidOut() []Lane {
	switch {
	case t.Binned():
		return t.binnedLanes()
	case t.Query.Lanes == LaneKinds:
		return t.kindLanes()
	}
	var lanes []Lane
	for i, row := range t.pack(t.Bars) {
		lanes = append(lanes, Lane{Slot: i + 1, Rows: [][]Bar{row}})
	}
	return lanes
}

func (t Timeline) kindLanes() (lanes []Lane) {
	kinds := t.barsByKind()
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		lanes = append(lanes, Lane{Kind: kind, Rows: t.pack(kinds[kind])})
	}
	return lanes
}

func (t Timeline) barsByKind() map[string][]Bar {
	kinds := map[string][]Bar{}
	for _, bar := range t.Bars {
		kinds[bar.Run.Kind] = append(kinds[bar.Run.Kind], bar)
	}
	return kinds
}

// pack puts bars, which are sorted by their start, into as few rows as possible: each into the first row
// whose last one has ended by then or, if there are as many rows as workers, into that of the worker that has
// just done another run.
func (t Timeline) pack(bars []Bar) (rows [][]Bar) {
	for _, bar := range bars {
		free := slices.IndexFunc(rows, func(row []Bar) bool { return row[len(row)-1].leavesRoomFor(bar) })
		if free < 0 && t.Workers > 0 && int64(len(rows)) >= t.Workers {
			free = handedOver(rows, bar)
		}
		if free < 0 {
			rows = append(rows, []Bar{bar})
			continue
		}
		rows[free] = append(rows[free], bar)
	}
	return rows
}

// handOver is how much later than the start of the next run the end of one may be recorded, although the same
// worker did both.
const handOver = 10 * time.Millisecond

// leavesRoomFor reports whether a bar that does not start earlier fits into the same row.
func (b Bar) leavesRoomFor(next Bar) bool {
	if b.EndedAt.IsZero() {
		return false
	}
	overlap := b.EndedAt.Sub(next.StartedAt)
	return overlap <= min(handOver, b.Took(b.EndedAt)/2)
}

// lateEnd takes the place of handOver if there are as many rows as workers: then no worker was free, and the
// next run must have followed one whose end was recorded late. Completions are saved together, which takes
// longer on a busy machine.
const lateEnd = 250 * time.Millisecond

// handedOver returns the row whose last bar ended first, if the next bar may be of the same worker, or -1.
func handedOver(rows [][]Bar, next Bar) int {
	first := -1
	var end time.Time
	for i, row := range rows {
		last := row[len(row)-1].EndedAt
		if !last.IsZero() && (first < 0 || last.Before(end)) {
			first, end = i, last
		}
	}
	if first >= 0 && end.Sub(next.StartedAt) > lateEnd {
		return -1
	}
	return first
}

// binnedLanes returns a lane for each of the kinds with the most runs, by name, and one for the others.
func (t Timeline) binnedLanes() []Lane {
	kinds := map[string]*Lane{}
	lane := func(kind string) *Lane {
		if kinds[kind] == nil {
			kinds[kind] = &Lane{Kind: kind}
		}
		return kinds[kind]
	}
	for _, bin := range t.Bins {
		one := lane(bin.Kind)
		one.Bins = append(one.Bins, bin)
	}
	for kind, bars := range t.barsByKind() {
		lane(kind).Rows = t.pack(bars)
	}
	lanes := slices.SortedFunc(maps.Values(kinds), func(a, b *Lane) int {
		return cmp.Or(cmp.Compare(b.finished(), a.finished()), strings.Compare(a.Kind, b.Kind))
	})
	sorted := make([]Lane, 0, maxBinnedKinds+1)
	for _, one := range lanes[:min(len(lanes), maxBinnedKinds)] {
		sorted = append(sorted, *one)
	}
	slices.SortFunc(sorted, func(a, b Lane) int { return strings.Compare(a.Kind, b.Kind) })
	if len(lanes) > maxBinnedKinds {
		sorted = append(sorted, t.others(lanes[maxBinnedKinds:]))
	}
	return sorted
}

// others returns the lane that sums up some lanes of bins.
func (t Timeline) others(lanes []*Lane) Lane {
	sums := map[time.Time]Counters{}
	var running []Bar
	for _, lane := range lanes {
		for _, bin := range lane.Bins {
			sums[bin.At] = sums[bin.At].Add(bin.Counters)
		}
		running = append(running, slices.Concat(lane.Rows...)...)
	}
	slices.SortStableFunc(running, func(a, b Bar) int { return a.StartedAt.Compare(b.StartedAt) })
	all := Lane{Others: len(lanes), Rows: t.pack(running)}
	for _, at := range slices.SortedFunc(maps.Keys(sums), time.Time.Compare) {
		all.Bins = append(all.Bins, TimelineBin{At: at, Counters: sums[at]})
	}
	return all
}

// finished returns the number of runs in the bins of the lane.
func (l Lane) finished() (n int64) {
	for _, bin := range l.Bins {
		n += bin.Finished()
	}
	return n
}

// OfStatus returns the counters of the status of a filter only, or all without one.
func (c Counters) OfStatus(filter Filter) Counters {
	if !filter.Filtered {
		return c
	}
	switch filter.Status {
	case Completed:
		return Counters{Completed: c.Completed}
	case Failed:
		return Counters{Failed: c.Failed}
	case Cancelled:
		return Counters{Cancelled: c.Cancelled}
	}
	return Counters{}
}

// Stretch is a part of the window of a timeline.
type Stretch struct{ From, Until time.Time }

// Busy returns when at least as many attempts ran at the same time as there are workers now. It omits gaps
// that are too short to be seen. It is only true of all runs: it returns nil if the timeline has a filter,
// bins, or is cut.
func (t Timeline) Busy() (busy []Stretch) {
	workers := int(t.Workers)
	if workers < 1 || t.Query.Filter != (Filter{}) || t.Binned() || t.Cut {
		return nil
	}
	shortest := t.Query.Span.Duration / 200
	running := 0
	for _, change := range t.changes() {
		was := running
		running += change.by
		last := len(busy) - 1
		switch {
		case was < workers && running >= workers:
			if last >= 0 && change.at.Sub(busy[last].Until) < shortest {
				continue
			}
			busy = append(busy, Stretch{From: change.at})
		case was >= workers && running < workers:
			busy[last].Until = change.at
		}
	}
	return busy
}

// change is the start of an attempt, or its end.
type change struct {
	at time.Time
	by int // 1 or -1
}

// changes returns when attempts started and ended. The end of one comes before the start of the next. Bulk
// runs have workers of their own.
func (t Timeline) changes() (changes []change) {
	bulk := BulkKinds()
	for _, bar := range t.Bars {
		if slices.Contains(bulk, bar.Run.Kind) {
			continue
		}
		changes = append(changes, change{bar.StartedAt, 1}, change{bar.EndBy(t.Until), -1})
	}
	slices.SortStableFunc(changes, func(a, b change) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.by, b.by))
	})
	return changes
}
