package templates

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"runboard/app"
)

// kindTable is the view model of the table of kinds.
type kindTable struct {
	Caption string
	Rows    []kindRow
}

// kindRow is the view model of a kind in a period.
type kindRow struct {
	Kind, Path  string // without a Path it is no single kind
	Finished    string
	Cancelled   string // the part of the finished runs that the failure rate leaves out, or ""
	FailureRate string // "" if no run completed or failed
	FailedOf    string // "1 of 12", for the failure rate
	Failed      bool
	QueueTime   durations
	RunTime     durations
	Spark       spark
}

// durations is the view model of a median and a 95th percentile. Both are "" if there is none.
type durations struct{ P50, P95 string }

func newDurations(q app.Quantiles) durations {
	if q.Count == 0 {
		return durations{}
	}
	return durations{between(q.P50), between(q.P95)}
}

// spark is the view model of a small picture: the finished runs of each bar, and the failed ones among them,
// as SVG paths.
type spark struct{ Width, Title, Finished, Failed string }

// sparkHeight is the height of a spark in SVG units. A bar is one unit wide.
const sparkHeight = 20

func (t *Templates) kindTable(period app.Period, bars []bar) kindTable {
	view := kindTable{Caption: "By kind, last " + lookbackWords[period.Lookback].span}
	for _, kind := range period.Kinds {
		row := newKindRow(kind, period, bars)
		row.Kind, row.Path = t.kindLabel(kind.Kind), QueryPath(app.Query{Filter: app.Filter{
			Kind: kind.Kind, Since: sinceStartOf(period.Lookback),
		}})
		view.Rows = append(view.Rows, row)
	}
	if period.OtherKinds > 0 {
		row := newKindRow(period.Others, period, bars)
		row.Kind = plural(int64(period.OtherKinds), "other kind", "other kinds")
		view.Rows = append(view.Rows, row)
	}
	return view
}

// sinceStartOf returns the bound of a list with the runs of a lookback.
func sinceStartOf(lookback app.Lookback) app.TimeBound {
	bound, err := app.ParseTimeBound(lookback.String())
	if err != nil {
		panic(err) // a lookback has a name that is a bound
	}
	return bound
}

func newKindRow(kind app.KindStatistics, period app.Period, bars []bar) kindRow {
	total := kind.Total
	row := kindRow{
		Finished: grouped(total.Finished()), Cancelled: cancelledText(total), Failed: total.Failed > 0,
		QueueTime: newDurations(kind.QueueTime), RunTime: newDurations(kind.RunTime),
		Spark: newSpark(kind.Counters, bars, lookbackWords[period.Lookback].bar),
	}
	if rate, known := total.FailureRate(); known {
		row.FailureRate = percent(rate)
		row.FailedOf = grouped(total.Failed) + " of " + grouped(total.Completed+total.Failed)
	}
	return row
}

// cancelledText says how many runs were cancelled, or returns "" if there are none.
func cancelledText(total app.Counters) string {
	if total.Cancelled == 0 {
		return ""
	}
	return grouped(total.Cancelled) + " cancelled"
}

func newSpark(steps []app.Counters, bars []bar, every string) spark {
	sums := make([]app.Counters, len(bars))
	var most int64
	for i, bar := range bars {
		sums[i] = app.Sum(steps[bar.first:bar.end])
		most = max(most, sums[i].Finished())
	}
	if most == 0 {
		return spark{}
	}
	view := spark{
		Width: decimal(int64(len(bars))),
		Title: fmt.Sprintf("At most %s in %s", plural(most, "run", "runs"), every),
	}
	height := func(n int64) float64 {
		if n == 0 {
			return 0
		}
		return max(1, sparkHeight*float64(n)/float64(most))
	}
	var finished, failed strings.Builder
	for i, sum := range sums {
		drawSpark(&finished, i, height(sum.Finished()))
		drawSpark(&failed, i, height(sum.Failed))
	}
	view.Finished, view.Failed = finished.String(), failed.String()
	return view
}

// drawSpark adds a bar to a path.
func drawSpark(path *strings.Builder, i int, height float64) {
	if height > 0 {
		fmt.Fprintf(path, "M%d %dv-%sh.8V%dz", i, sparkHeight, coordinate(height), sparkHeight)
	}
}

// tableRow is the view model of a bar in the table.
type tableRow struct {
	At, Day, Clock                        string // start; without a Day it is that of today
	Waiting, Completed, Failed, Cancelled string
}

// tableRows returns the bars, newest first.
func tableRows(lookback app.Lookback, bars []bar) (rows []tableRow) {
	for _, one := range slices.Backward(bars) {
		from := one.from.UTC()
		row := tableRow{
			At: second(from), Clock: from.Format(time.TimeOnly), Waiting: "–",
			Completed: grouped(one.Completed), Failed: grouped(one.Failed), Cancelled: grouped(one.Cancelled),
		}
		if lookback != app.Last15Minutes {
			row.Day, row.Clock = from.Format("2 Jan"), from.Format("15:04")
		}
		if one.waiting >= 0 {
			row.Waiting = grouped(one.waiting)
		}
		rows = append(rows, row)
	}
	return rows
}
