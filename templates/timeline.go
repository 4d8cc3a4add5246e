package templates

import (
	"net/url"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"runboard/app"
)

// timelinePage is the view model of the timeline.
type timelinePage struct {
	Layout     layout
	SocketPath string
	Controls   timelineControls
	Filter     timelineFilter
	Chart      timelineChart
	Table      timelineTable
	Overview   overview
}

// timelineControls is the view model of the links that move the window. A path is "" if it leads nowhere.
type timelineControls struct {
	Spans, Orders       []timelineLink
	Earlier, Later, Now string
	ZoomIn, ZoomOut     string
}

// timelineLink is the view model of a link, of which one is current.
type timelineLink struct {
	Name, Path string
	Current    bool
}

// timelineFilter is the view model of the form that filters the timeline.
type timelineFilter struct {
	Kinds, Statuses []option
	Hidden          []field        // what the form keeps
	Chips           []timelineLink // active filters, with the path without them
}

var spanLabels = map[app.Span]string{
	app.SpanMinute: "1 min", app.SpanQuarter: "15 min", app.SpanTwoHours: "2 h", app.SpanDay: "24 h",
}

// Timeline renders the timeline.
func (t *Templates) Timeline(timeline app.Timeline) ([]byte, error) {
	return t.render("timeline", t.timelinePage(timeline))
}

// TimelineLive renders the region of the timeline that its socket keeps up to date.
func (t *Templates) TimelineLive(timeline app.Timeline) ([]byte, error) {
	return t.render("timeline_live", t.timelinePage(timeline))
}

// TimelineFrame renders the changing parts of the timeline for a socket.
func (t *Templates) TimelineFrame(timeline app.Timeline) ([]byte, error) {
	return t.render("timeline_frame", t.timelinePage(timeline))
}

func (t *Templates) timelinePage(timeline app.Timeline) timelinePage {
	view := timelinePage{
		Layout: t.layout("Timeline"), SocketPath: timelinePath(TimelinePath+"/live", timeline.Query),
		Controls: newTimelineControls(timeline, t.now()), Filter: t.timelineFilter(timeline.Query),
		Chart: t.timelineChart(timeline), Table: t.timelineTable(timeline),
		Overview: t.overview(timeline.Overview),
	}
	view.Layout.OnTimeline, view.Layout.Failed = true, view.Overview.Failed
	return view
}

// TimelineQueryPath returns the path of the timeline for query.
func TimelineQueryPath(query app.TimelineQuery) string { return timelinePath(TimelinePath, query) }

func timelinePath(path string, query app.TimelineQuery) string {
	values := url.Values{}
	for _, one := range timelineFields(query) {
		values.Set(one.Name, one.Value)
	}
	if query.Filter.Kind != "" {
		values.Set("kind", query.Filter.Kind)
	}
	if query.Filter.Filtered {
		values.Set("status", query.Filter.Status.String())
	}
	return path + "?" + values.Encode()
}

// timelineFields returns the form fields of a query without its filter.
func timelineFields(query app.TimelineQuery) []field {
	sent := []field{{"span", query.Span.String()}, {"lanes", string(query.Lanes)}}
	if !query.Until.IsZero() {
		sent = append(sent, field{"until", query.Until.String()})
	}
	return sent
}

func newTimelineControls(timeline app.Timeline, now time.Time) timelineControls {
	query, half := timeline.Query, timeline.Query.Span.Duration/2
	view := timelineControls{
		Earlier: TimelineQueryPath(endingAt(query, timeline.Until.Add(-half), now)),
	}
	if !timeline.Live {
		view.Later = TimelineQueryPath(later(timeline, now))
		view.Now = TimelineQueryPath(endingAt(query, now, now))
	}
	spans := app.Spans()
	for i, span := range spans {
		path := TimelineQueryPath(zoomed(timeline, span, now))
		view.Spans = append(view.Spans, timelineLink{spanLabels[span], path, span == query.Span})
		if span == query.Span && i > 0 {
			view.ZoomIn = TimelineQueryPath(zoomed(timeline, spans[i-1], now))
		}
		if i > 0 && spans[i-1] == query.Span {
			view.ZoomOut = path
		}
	}
	for _, order := range []app.LaneOrder{app.LaneSlots, app.LaneKinds} {
		other := query
		other.Lanes = order
		name := "By slot"
		if order == app.LaneKinds {
			name = "By kind"
		}
		view.Orders = append(view.Orders, timelineLink{name, TimelineQueryPath(other), order == query.Lanes})
	}
	return view
}

// later returns the query for the window half a span later. If that ends shortly before now, it is the live
// one: a reader who has looked at the past for a minute returns to it.
func later(timeline app.Timeline, now time.Time) app.TimelineQuery {
	span := timeline.Query.Span.Duration
	end := timeline.Until.Add(span / 2)
	if now.Sub(end) < span/10 {
		end = now
	}
	return endingAt(timeline.Query, end, now)
}

// endingAt returns the query for the window that ends at a time, or for the live one if that is not over.
func endingAt(query app.TimelineQuery, end, now time.Time) app.TimelineQuery {
	query.Until = app.TimeBound{}
	if end.Before(now) {
		query.Until = app.At(end.Truncate(time.Second))
	}
	return query
}

// zoomed returns the query for another span with the same middle. A live window stays live.
func zoomed(timeline app.Timeline, span app.Span, now time.Time) app.TimelineQuery {
	query := timeline.Query
	query.Span = span
	if timeline.Live {
		return endingAt(query, now, now)
	}
	middle := timeline.From.Add(timeline.Query.Span.Duration / 2)
	return endingAt(query, middle.Add(span.Duration/2), now)
}

// around returns the query for the next shorter span around a time, and false if there is none.
func around(timeline app.Timeline, middle, now time.Time) (query app.TimelineQuery, shorter bool) {
	query = timeline.Query
	for _, span := range app.Spans() {
		if span.Duration < timeline.Query.Span.Duration {
			query.Span, shorter = span, true
		}
	}
	return endingAt(query, middle.Add(query.Span.Duration/2), now), shorter
}

func (t *Templates) timelineFilter(query app.TimelineQuery) (view timelineFilter) {
	view.Hidden = timelineFields(query)
	filter := query.Filter
	view.Kinds = []option{{"", "All kinds", filter.Kind == ""}}
	offered := false
	for _, kind := range t.kinds.Kinds() {
		selected := kind.Name == filter.Kind
		offered = offered || selected
		view.Kinds = append(view.Kinds, option{kind.Name, t.kindLabel(kind.Name), selected})
	}
	if filter.Kind != "" && !offered { // of runs of a kind that is no longer offered
		view.Kinds = append(view.Kinds, option{filter.Kind, t.kindLabel(filter.Kind), true})
	}
	view.Statuses = []option{{"", "All statuses", !filter.Filtered}}
	for _, status := range app.Statuses() {
		if status == app.Created {
			continue
		}
		selected := filter.Filtered && filter.Status == status
		view.Statuses = append(view.Statuses, option{status.String(), status.String(), selected})
	}
	if filter.Kind != "" {
		without := query
		without.Filter.Kind = ""
		path := TimelineQueryPath(without)
		view.Chips = append(view.Chips, timelineLink{Name: t.kindLabel(filter.Kind), Path: path})
	}
	if filter.Filtered {
		without := query
		without.Filter = app.Filter{Kind: filter.Kind}
		path := TimelineQueryPath(without)
		view.Chips = append(view.Chips, timelineLink{Name: filter.Status.String(), Path: path})
	}
	return view
}

// compact formats a number in a few characters, such as 1.2k.
func compact(n int64) string {
	if n < 10_000 {
		return grouped(n)
	}
	value, prefix := humanize.ComputeSI(float64(n))
	return strings.TrimSuffix(humanize.FtoaWithDigits(value, 1), ".0") + prefix
}
