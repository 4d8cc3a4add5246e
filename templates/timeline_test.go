package templates_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"runboard/app"
	"runboard/templates"
)

// emptyTimeline returns the last 15 minutes of a board on which nothing has happened.
func emptyTimeline() app.Timeline {
	return app.Timeline{
		Query: app.TimelineQuery{Span: app.SpanQuarter, Lanes: app.LaneSlots},
		From:  before(15 * time.Minute), Until: noon, Live: true, Workers: 2, Overview: overview,
	}
}

// busyTimeline returns a timeline with bars in all statuses. A kind contains markup.
func busyTimeline() app.Timeline {
	timeline := emptyTimeline()
	run := func(id int64, kind string, status app.Status, queued, start, end time.Duration) {
		one := app.ProcessRun{
			ID: id, Kind: kind, Status: status, Attempt: 1, FencingToken: 1, CreatedAt: before(queued),
			StartedAt: before(start), FinishedAt: before(end),
		}
		if status == app.Started {
			one.FinishedAt = time.Time{}
		}
		if status == app.Failed {
			one.Error = `<script>alert("disk full")</script>`
		}
		timeline.AddBars(one.Bars(nil))
	}
	run(1, "simulated", app.Completed, 20*time.Minute, 18*time.Minute, 9*time.Minute)
	run(2, "simulated", app.Failed, 20*time.Minute, 9*time.Minute, 8*time.Minute)
	run(3, "<b>report</b>", app.Cancelled, 12*time.Minute, 12*time.Minute, 7*time.Minute)
	run(4, "simulated", app.Completed, 6*time.Minute, 6*time.Minute, 6*time.Minute-3*time.Millisecond)
	run(5, "<b>report</b>", app.Started, 7*time.Minute, 2*time.Minute, 0)
	retried := app.ProcessRun{
		ID: 6, Kind: "simulated", Status: app.Started, Attempt: 2, FencingToken: 2,
		CreatedAt: before(5 * time.Minute), StartedAt: before(time.Minute),
	}
	timeline.AddBars(retried.Bars([]app.Event{
		{Version: 2, At: before(4 * time.Minute), Status: app.Started, Attempt: 1},
		{Version: 3, At: before(3 * time.Minute), Status: app.Created, Attempt: 1, Note: "disk full"},
		{Version: 4, At: before(time.Minute), Status: app.Started, Attempt: 2},
	}))
	return timeline
}

// binnedTimeline returns a past day of which only the numbers of runs are known.
func binnedTimeline() app.Timeline {
	timeline := emptyTimeline()
	timeline.Query.Span, timeline.Query.Until = app.SpanDay, app.At(before(time.Hour))
	timeline.From, timeline.Until, timeline.Live = before(25*time.Hour), before(time.Hour), false
	timeline.Bin = time.Hour
	for hour := range 24 {
		at := before(time.Duration(25-hour) * time.Hour)
		timeline.Bins = append(timeline.Bins,
			app.TimelineBin{At: at, Kind: "<b>report</b>", Counters: app.Counters{Failed: int64(hour % 3)}},
			app.TimelineBin{At: at, Kind: "simulated", Counters: app.Counters{
				Completed: int64(hour * 1000), Failed: int64(hour), Cancelled: 2,
			}})
	}
	return timeline
}

func TestTimeline_Golden(t *testing.T) {
	t.Parallel()
	tmpl, render := newTemplates(t), must(t)
	kinds := busyTimeline()
	kinds.Query.Lanes = app.LaneKinds
	kinds.Query.Filter = app.Filter{Kind: "report", Filtered: true, Status: app.Failed}
	golden(t, "timeline_empty", render(tmpl.Timeline(emptyTimeline())))
	golden(t, "timeline_slots", render(tmpl.Timeline(busyTimeline())))
	golden(t, "timeline_kinds", render(tmpl.Timeline(kinds)))
	golden(t, "timeline_binned", render(tmpl.Timeline(binnedTimeline())))
	golden(t, "timeline_frame", render(tmpl.TimelineFrame(busyTimeline())))
}

func TestTimelineLive_IsTheRegionOfThePage(t *testing.T) {
	t.Parallel()
	tmpl, render := newTemplates(t), must(t)
	whole := parsePage(t, render(tmpl.Timeline(busyTimeline())))
	part := parseFragment(t, render(tmpl.TimelineLive(busyTimeline())))
	if got, want := markup(t, byID(t, part, "live")), markup(t, byID(t, whole, "live")); got != want {
		t.Errorf("the region alone is\n%s\nand on the page\n%s", got, want)
	}
}

// barOf returns the bar of a run on a timeline, and its element for the attempt.
func barOf(t *testing.T, root *html.Node, run int64) (link, bar *html.Node) {
	t.Helper()
	for _, one := range elements(root, named("a")) {
		if strings.HasPrefix(attribute(one, "id"), fmt.Sprintf("bar_%d_", run)) {
			return one, elements(one, withClass("work"))[0]
		}
	}
	t.Fatalf("run %d has no bar", run)
	return nil, nil
}

func TestTimeline_BarsLieWhereTheirTimesAre(t *testing.T) {
	t.Parallel()
	root := parsePage(t, must(t)(newTemplates(t).Timeline(busyTimeline())))
	for run, want := range map[int64][2]string{
		1: {"-1%", "41%"},    // began before the window
		3: {"20%", "33.33%"}, // 12 to 7 minutes ago
		4: {"60%", "0.3%"},   // too short to be seen
		5: {"86.67%", "13.33%"},
	} {
		link, bar := barOf(t, root, run)
		if got := [2]string{attribute(bar, "x"), attribute(bar, "width")}; got != want {
			t.Errorf("the bar of run %d is at %v and not %v", run, got, want)
		}
		if attribute(link, "href") != templates.RunPath(run) {
			t.Errorf("the bar of run %d leads to %s", run, attribute(link, "href"))
		}
	}
	link, _ := barOf(t, root, 5)
	wait := elements(link, withClass("wait"))
	if len(wait) != 1 || attribute(wait[0], "x") != "53.33%" || attribute(wait[0], "width") != "33.33%" {
		t.Errorf("the wait of run 5 is %+v", wait)
	}
}

func TestTimeline_TitlesTellTheRun(t *testing.T) {
	t.Parallel()
	root := parsePage(t, must(t)(newTemplates(t).Timeline(busyTimeline())))
	for run, want := range map[int64]string{
		1: "#1 simulated · completed\nwaited 2 min · ran 9 min",
		2: "#2 simulated · failed\nwaited 11 min · ran 1 min\n<script>alert(\"disk full\")</script>",
		5: "#5 <b>report</b> · started\nwaited 5 min · running for 2 min",
		6: "#6 simulated, attempt 1 · failed\nwaited 1 min · ran 1 min\ndisk full",
	} {
		link, _ := barOf(t, root, run)
		if got := textOf(elements(link, named("title"))[0]); got != want {
			t.Errorf("the title of run %d is %q and not %q", run, got, want)
		}
	}
}

func TestTimeline_HasOneTabStopForAllBars(t *testing.T) {
	t.Parallel()
	for name, timeline := range map[string]app.Timeline{
		"bars": busyTimeline(), "columns": binnedTimeline(),
	} {
		root := parsePage(t, must(t)(newTemplates(t).Timeline(timeline)))
		stops := elements(root, func(node *html.Node) bool {
			return node.Namespace == "svg" && attribute(node, "tabindex") == "0"
		})
		if len(stops) != 1 || attribute(stops[0], "href") == "" {
			t.Errorf("the %s have %d tab stops", name, len(stops))
		}
	}
}

func TestTimeline_LinksMoveTheWindow(t *testing.T) {
	t.Parallel()
	const path = "/process_runs/timeline?lanes=slots&span="
	past := emptyTimeline()
	past.Query.Until = app.At(before(time.Hour))
	past.From, past.Until, past.Live = before(75*time.Minute), before(time.Hour), false
	near := emptyTimeline()
	near.Query.Until = app.At(before(5 * time.Minute))
	near.From, near.Until, near.Live = before(20*time.Minute), before(5*time.Minute), false
	almost, notYet := near, near
	almost.Until, notYet.Until = before(8*time.Minute+50*time.Second), before(9*time.Minute)
	for name, test := range map[string]struct {
		timeline app.Timeline
		want     map[string]string
	}{
		"a live window": {emptyTimeline(), map[string]string{
			"← Earlier": path + "15m&until=2026-11-02T11%3A52%3A30Z", "Later →": "", "Now": "",
			"1 min": path + "1m", "24 h": path + "24h",
			"By kind": "/process_runs/timeline?lanes=kinds&span=15m",
		}},
		"a past window": {past, map[string]string{
			"← Earlier": path + "15m&until=2026-11-02T10%3A52%3A30Z",
			"Later →":   path + "15m&until=2026-11-02T11%3A07%3A30Z", "Now": path + "15m",
			"1 min": path + "1m&until=2026-11-02T10%3A53%3A00Z",
			"2 h":   path + "2h&until=2026-11-02T11%3A52%3A30Z",
			"24 h":  path + "24h", // with the same middle, it would end in the future
		}},
		"a window that ended lately":                 {near, map[string]string{"Later →": path + "15m"}},
		"one that ended less than a tenth too early": {almost, map[string]string{"Later →": path + "15m"}},
		"one that ended a tenth too early": {notYet, map[string]string{
			"Later →": path + "15m&until=2026-11-02T11%3A58%3A30Z",
		}},
	} {
		links := map[string]string{}
		root := parsePage(t, must(t)(newTemplates(t).Timeline(test.timeline)))
		for _, link := range elements(root, named("a")) {
			links[textOf(link)] = attribute(link, "href")
		}
		for text, href := range test.want {
			if links[text] != href {
				t.Errorf("%s: %q leads to %q and not %q", name, text, links[text], href)
			}
		}
	}
}

func TestTimeline_ColumnsAreStackedAndZoom(t *testing.T) {
	t.Parallel()
	root := parsePage(t, must(t)(newTemplates(t).Timeline(binnedTimeline())))
	columns := elements(root, withClass("column"))
	last := columns[len(columns)-1]
	if got, want := textOf(elements(last, named("title"))[0]),
		"10:00:00–11:00:00 UTC · simulated\n23,000 completed, 23 failed, 2 cancelled"; got != want {
		t.Errorf("the title is %q and not %q", got, want)
	}
	const path = "/process_runs/timeline?kind=simulated&lanes=slots&span=2h&until=2026-11-02T11%3A30%3A00Z"
	if got := attribute(last, "href"); got != path {
		t.Errorf("it leads to %q and not %q", got, path)
	}
	if parts := elements(last, named("rect")); len(parts) != 3 || attribute(parts[0], "class") != "failed" ||
		attribute(parts[0], "height") != "2" || attribute(parts[2], "height") != "28" {
		t.Errorf("it has the parts %v", parts)
	}
	if label := textOf(elements(last, named("text"))[0]); label != "23k" {
		t.Errorf("the label is %q", label)
	}
}

func TestTimeline_ColumnsNameTheTitleOfTheKind(t *testing.T) {
	t.Parallel()
	timeline := binnedTimeline()
	for i := range timeline.Bins {
		timeline.Bins[i].Kind = "backup"
	}
	root := parsePage(t, must(t)(newTemplatesOf(t, backup()).Timeline(timeline)))
	title := textOf(elements(elements(root, withClass("column"))[0], named("title"))[0])
	if !strings.Contains(title, " · Back up a <database>\n") {
		t.Errorf("the title is %q", title)
	}
}

func TestTimeline_LegendHasThePatterns(t *testing.T) {
	t.Parallel()
	for name, timeline := range map[string]app.Timeline{"empty": emptyTimeline(), "busy": busyTimeline()} {
		page := must(t)(newTemplates(t).Timeline(timeline))
		for _, pattern := range []string{"hatched", "dotted"} {
			if n := strings.Count(page, `<pattern id="`+pattern+`"`); n != 1 {
				t.Errorf("the %s timeline has %d patterns %q", name, n, pattern)
			}
		}
	}
}

func TestTimeline_SaysOnceThatItIsEmpty(t *testing.T) {
	t.Parallel()
	page := must(t)(newTemplates(t).Timeline(emptyTimeline()))
	if n := strings.Count(page, "No runs in this window."); n != 1 {
		t.Errorf("the page says it %d times", n)
	}
}

func TestTimeline_TableIsBounded(t *testing.T) {
	t.Parallel()
	timeline := emptyTimeline()
	for id := range int64(app.MaxBars) {
		run := app.ProcessRun{ID: id + 1, Kind: "simulated", StartedAt: before(time.Minute)}
		run.Status = app.Started
		timeline.AddBars(run.Bars(nil))
	}
	root := parsePage(t, must(t)(newTemplates(t).Timeline(timeline)))
	rows := elements(byID(t, root, "timeline_table"), named("tr"))
	if len(rows) != 101 || !strings.Contains(textOf(rows[1]), "#300") {
		t.Errorf("the table has %d rows, first %s", len(rows), textOf(rows[1]))
	}
	if lanes := elements(root, withClass("work")); len(lanes) != app.MaxBars {
		t.Errorf("there are %d bars", len(lanes))
	}
}
