package templates

import (
	"math"
	"time"

	"runboard/app"
)

// timelineChart is the view model of the picture. Horizontal positions are in percent of its width, vertical
// ones in CSS pixels, so that it needs no scaling, which would distort texts.
type timelineChart struct {
	Summary     string
	From, Until clockTime
	Live        bool
	Workers     string // number of workers, or "" if that is not known
	Note        string // what the picture leaves out, or ""
	Height      string // of the picture
	Ticks       []tick
	Busy        []busyStretch
	Lanes       []timelineLane
	Kinds       bool // lanes are kinds, whose names need room
}

// tick is a line across the picture at a round time. Minor ones have no room for a label on a phone.
type tick struct {
	X string
	clockTime
	Minor bool
}

// busyStretch is when as many runs were started as there are workers.
type busyStretch struct{ X, Width, Title string }

// timelineLane is the view model of a lane.
type timelineLane struct {
	Label, Description string
	Path               string // the timeline of this kind, or ""
	Y, Height, TextY   string
	Odd                bool
	Bars               []timelineBar
	Columns            []timelineColumn
}

// timelineBar is the view model of a bar. Without Wait, it is not known how long the run waited.
type timelineBar struct {
	ElementID, Path, Title string
	Class                  string // the status, or "earlier" for an attempt that was followed by another
	Fill                   string
	Y, Height              string
	X, Width               string
	Wait                   *waitLine
	Label, LabelY          string // if there is room
	LabelX, LabelWidth     string
	First                  bool // the tab key leads here
}

// waitLine is the time that a run waited before a bar.
type waitLine struct{ X, Width, Y string }

// Measures of the picture, in pixels.
const (
	axisHeight   = 28
	columnHeight = 44 // of a lane of bins
	laneGap      = 6
)

// narrowest is the least width of a bar, in percent: a run of a millisecond has to be seen.
const narrowest = 0.3

// labelled is the least width of a bar with a label, in percent.
const labelled = 6

// tickSteps are the times between labels.
var tickSteps = map[app.Span]time.Duration{
	app.SpanMinute: 10 * time.Second, app.SpanQuarter: 3 * time.Minute, app.SpanTwoHours: 20 * time.Minute,
	app.SpanDay: 4 * time.Hour,
}

// canvas computes positions in the window of a timeline.
type canvas struct {
	app.Timeline
	now time.Time
	row float64 // height of a row of bars
}

// rowHeight returns the height of a row of bars: the more rows, the lower they are.
func rowHeight(lanes []app.Lane) float64 {
	rows := 0
	for _, lane := range lanes {
		rows += len(lane.Rows)
	}
	switch {
	case rows <= 24:
		return 22
	case rows <= 60:
		return 14
	}
	return 8
}

func (t *Templates) timelineChart(timeline app.Timeline) timelineChart {
	lanes := timeline.LaidOut()
	c := canvas{Timeline: timeline, now: t.now(), row: rowHeight(lanes)}
	view := timelineChart{
		Summary: timelineSummary(timeline), Note: timelineNote(timeline),
		From: dateTime(timeline.From), Until: dateTime(timeline.Until), Live: timeline.Live, Ticks: c.ticks(),
		Kinds: timeline.Binned() || timeline.Query.Lanes == app.LaneKinds,
	}
	if timeline.Workers > 0 {
		view.Workers = decimal(timeline.Workers)
	}
	for _, busy := range timeline.Busy() {
		x, width := c.extent(busy.From, busy.Until)
		title := "As many runs as there are workers, for " + between(busy.Until.Sub(busy.From))
		view.Busy = append(view.Busy, busyStretch{x, width, title})
	}
	y := float64(axisHeight)
	for i, lane := range lanes {
		shown, height := t.timelineLane(c, lane, i, y)
		shown.Odd = i%2 == 1
		view.Lanes = append(view.Lanes, shown)
		y += height
	}
	view.Height = shortest(y)
	view.setFirst()
	return view
}

// setFirst marks the first bar as the one that the tab key leads to. The arrow keys lead to the others, see
// static/timeline.js.
func (c *timelineChart) setFirst() {
	for i := range c.Lanes {
		switch lane := &c.Lanes[i]; {
		case len(lane.Bars) > 0:
			lane.Bars[0].First = true
			return
		case len(lane.Columns) > 0 && lane.Columns[0].Path != "":
			lane.Columns[0].First = true
			return
		}
	}
}

// percent returns how far a time lies from the start of the window, in percent of its length.
func (c canvas) percent(at time.Time) float64 {
	return 100 * float64(at.Sub(c.From)) / float64(c.Until.Sub(c.From))
}

// extent returns the position and width of a stretch of time, which may begin before the window and end after
// it. It is cut a little outside of the window, so that its rounded corners are not seen.
func (c canvas) extent(from, until time.Time) (x, width string) {
	left := max(-1, c.percent(from))
	right := max(left+narrowest, min(101, c.percent(until)))
	return hundredths(left), hundredths(right - left)
}

// hundredths formats a percentage.
func hundredths(x float64) string { return shortest(math.Round(100*x)/100) + "%" }

func (c canvas) ticks() (ticks []tick) {
	step := tickSteps[c.Query.Span]
	for at := c.From.Truncate(step).Add(step); at.Before(c.Until); at = at.Add(step) {
		x := c.percent(at)
		if x < 4 || x > 96 { // the label would be cut
			continue
		}
		minor := at.UnixMilli()/step.Milliseconds()%2 == 1
		ticks = append(ticks, tick{hundredths(x), c.tickTime(at), minor})
	}
	return ticks
}

// tickTime returns the time of a tick, to the second only where ticks are not whole minutes.
func (c canvas) tickTime(at time.Time) clockTime {
	if c.Query.Span == app.SpanMinute {
		return timeOfDay(at)
	}
	return clockTime{At: second(at), Style: "minute", Text: at.UTC().Format("15:04 UTC")}
}

// timelineLane returns a lane and its height.
func (t *Templates) timelineLane(c canvas, lane app.Lane, number int, y float64) (
	view timelineLane, height float64,
) {
	view.Label, view.Description = t.laneLabel(lane)
	if lane.Kind != "" && c.Query.Filter.Kind == "" {
		query := c.Query
		query.Filter.Kind = lane.Kind
		view.Path = TimelineQueryPath(query)
	}
	top := y
	if lane.Slot == 0 {
		y += laneGap / 2
	}
	if c.Binned() {
		view.Columns = c.columns(lane, view.Label, number, y)
		y += columnHeight
	}
	for _, row := range lane.Rows {
		for _, bar := range row {
			view.Bars = append(view.Bars, t.timelineBar(c, bar, y))
		}
		y += c.row
	}
	if lane.Slot == 0 {
		y += laneGap / 2
	}
	view.Y, view.Height = shortest(top), shortest(y-top)
	view.TextY = shortest(top + min(y-top, 24)/2 + 4)
	return view, y - top
}

func (t *Templates) laneLabel(lane app.Lane) (label, description string) {
	switch {
	case lane.Slot > 0:
		return decimal(int64(lane.Slot)), "Slot " + decimal(int64(lane.Slot))
	case lane.Others > 0:
		label = plural(int64(lane.Others), "other kind", "other kinds")
		return label, label
	}
	label = t.kindLabel(lane.Kind)
	return label, label
}

// fills are the patterns of statuses, so that these differ not only in colour.
var fills = map[string]string{"failed": "url(#hatched)", "cancelled": "url(#dotted)"}

func (t *Templates) timelineBar(c canvas, bar app.Bar, y float64) timelineBar {
	class := bar.Status.String()
	if !bar.Last {
		class = "earlier"
	}
	margin := math.Round(c.row / 6)
	view := timelineBar{
		ElementID: BarID(bar.Run.ID, bar.StartedAt), Path: RunPath(bar.Run.ID), Class: class,
		Fill: fills[class], Title: t.barTitle(c, bar),
		Y: shortest(y + margin), Height: shortest(c.row - 2*margin),
	}
	end := bar.EndBy(c.Until)
	view.X, view.Width = c.extent(bar.StartedAt, end)
	if bar.Waited() > 0 && c.percent(bar.StartedAt) > 0 {
		x, width := c.extent(bar.Queued, bar.StartedAt)
		view.Wait = &waitLine{X: x, Width: width, Y: shortest(y + c.row - 1.5)}
	}
	left := max(0, c.percent(bar.StartedAt))
	if seen := min(100, c.percent(end)) - left; seen >= labelled && c.row >= 14 {
		view.Label, view.LabelY = "#"+decimal(bar.Run.ID), shortest(y+c.row/2+4)
		view.LabelX, view.LabelWidth = hundredths(left), hundredths(seen)
	}
	return view
}

// barTitle describes a bar.
func (t *Templates) barTitle(c canvas, bar app.Bar) string {
	run := bar.Run
	title := "#" + decimal(run.ID) + " " + t.kindLabel(run.Kind)
	if bar.Number > 1 || !bar.Last {
		title += ", attempt " + decimal(int64(bar.Number))
	}
	title += " · " + barState(bar) + "\n"
	if bar.Waited() > 0 {
		title += "waited " + between(bar.Waited()) + " · "
	}
	if bar.EndedAt.IsZero() {
		title += "running for " + between(max(0, c.now.Sub(bar.StartedAt)))
	} else {
		title += "ran " + between(bar.EndedAt.Sub(bar.StartedAt))
	}
	if bar.Note != "" {
		title += "\n" + clip(bar.Note)
	}
	return title
}

// barState returns the status that an attempt ended in, in words.
func barState(bar app.Bar) string {
	if bar.Status == app.Created {
		return "interrupted"
	}
	return bar.Status.String()
}
