package templates

import "runboard/app"

// overview is the view model of the numbers of all runs.
type overview struct {
	Failed    string  // number of failed runs for the navigation
	Counts    []count // all runs, then the runs in each status
	Unhandled string  // warning about waiting runs without a worker, or ""
	Paused    pausedKinds
}

// pausedKinds is the view model of the note about paused kinds. Without Kinds there is none.
type pausedKinds struct {
	Kinds []link // without Path if the kind is not offered
	More  bool
}

func (t *Templates) paused(kinds app.PausedKinds) (view pausedKinds) {
	for _, name := range kinds.Named() {
		kind := link{Text: t.kindLabel(name)}
		if _, offered := t.kinds.Kind(name); offered {
			kind.Path = KindPath(name)
		}
		view.Kinds = append(view.Kinds, kind)
	}
	view.More = kinds.More
	return view
}

// count is the view model of the number of runs in a status.
type count struct {
	ElementID, Runs string
	None            bool
	Capped          bool // there are more
}

func newCount(id string, n int64, capped bool) count { return count{id, grouped(n), n == 0, capped} }

// listOverview returns the overview of a list, whose counts are those within the filter.
func (t *Templates) listOverview(page app.Page) overview {
	view := t.overview(page.Overview)
	view.Counts = listCounts(page)
	return view
}

func (t *Templates) overview(from app.Overview) overview {
	view := overview{
		Failed: failedText(from.Failed()), Counts: newCounts(app.TabCounts{Counts: from.Counts}),
		Unhandled: unhandledWarning(from.Unhandled),
		Paused:    t.paused(from.Paused),
	}
	return view
}

// newCounts returns the number of all runs, then those in each status.
func newCounts(from app.TabCounts) []count {
	counts := []count{newCount(totalID, from.Counts.Total(), from.AnyCapped())}
	for _, status := range app.Statuses() {
		counts = append(counts, newCount(CountID(status), from.Counts[status], from.Capped[status]))
	}
	return counts
}
