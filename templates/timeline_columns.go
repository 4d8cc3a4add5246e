package templates

import (
	"math"
	"strings"

	"runboard/app"
)

// timelineColumn is the view model of a bin.
type timelineColumn struct {
	ElementID, Path, Title, Label string
	X, Width, LabelX, LabelY      string
	Parts                         []columnPart
	First                         bool
}

// columnPart is the part of a column for a status.
type columnPart struct{ Class, Fill, Y, Height string }

// columns returns the bins of a lane with a label as columns. Each lane has its own scale: a kind of which
// few runs are started would be a line below one with many.
func (c canvas) columns(lane app.Lane, label string, number int, y float64) (columns []timelineColumn) {
	highest := highestBin(lane)
	for _, bin := range lane.Bins {
		until := bin.At.Add(c.Bin)
		x, width := c.extent(bin.At, until.Add(-c.Bin/20)) // with a gap between columns
		left, right := max(0, c.percent(bin.At)), min(100, c.percent(until))
		column := timelineColumn{
			ElementID: binID(number, bin.At), Title: c.binTitle(label, bin), X: x, Width: width,
			LabelX: hundredths((left + right) / 2), LabelY: shortest(y + 10),
			Parts: columnParts(bin.Counters, highest, y+columnHeight-2),
		}
		if right-left > 0.6*c.binWidth() {
			column.Label = compact(bin.Finished())
		}
		if query, shorter := around(c.Timeline, bin.At.Add(c.Bin/2), c.now); shorter {
			query.Filter.Kind = lane.Kind
			if lane.Others > 0 {
				query.Filter.Kind = c.Query.Filter.Kind
			}
			column.Path = TimelineQueryPath(query)
		}
		columns = append(columns, column)
	}
	return columns
}

// binWidth returns the width of a bin in percent.
func (c canvas) binWidth() float64 { return 100 * float64(c.Bin) / float64(c.Until.Sub(c.From)) }

// highestBin returns the largest number of runs in a bin of a lane.
func highestBin(lane app.Lane) (highest int64) {
	for _, bin := range lane.Bins {
		highest = max(highest, bin.Finished())
	}
	return highest
}

// columnParts stacks the statuses of a bin from the bottom: the part that matters least is on top.
func columnParts(counters app.Counters, highest int64, bottom float64) (parts []columnPart) {
	const room = columnHeight - 16 // above it is the label
	for _, one := range []struct {
		class string
		runs  int64
	}{{"failed", counters.Failed}, {"cancelled", counters.Cancelled}, {"completed", counters.Completed}} {
		if one.runs == 0 {
			continue
		}
		height := max(2, math.Round(10*room*float64(one.runs)/float64(max(1, highest)))/10)
		bottom -= height
		parts = append(parts, columnPart{
			Class: one.class, Fill: fills[one.class], Y: shortest(bottom), Height: shortest(height),
		})
	}
	return parts
}

// binTitle describes a bin of a lane with a label.
func (c canvas) binTitle(label string, bin app.TimelineBin) string {
	from, until := bin.At.UTC().Format("15:04:05"), bin.At.Add(c.Bin).UTC().Format("15:04:05 UTC")
	return from + "–" + until + " · " + label + "\n" + endedInWords(bin.Counters)
}

// endedInWords says how many runs finished, by status.
func endedInWords(counters app.Counters) string {
	var parts []string
	for _, one := range []struct {
		name string
		runs int64
	}{{"completed", counters.Completed}, {"failed", counters.Failed}, {"cancelled", counters.Cancelled}} {
		if one.runs > 0 {
			parts = append(parts, grouped(one.runs)+" "+one.name)
		}
	}
	return strings.Join(parts, ", ")
}
