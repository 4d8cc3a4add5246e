package templates_test

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"runboard/app"
	"runboard/templates"
)

// waves returns n counters that rise and fall up to about height.
func waves(n int, height float64) []app.Counters {
	steps := make([]app.Counters, n)
	for i := range steps {
		wave := func(length, part float64) int64 {
			return int64(height * part * (1.2 + math.Sin(float64(i)/length)))
		}
		steps[i] = app.Counters{Created: wave(9, 1), Started: wave(11, 0.9), Completed: wave(11, 0.8),
			Failed: wave(7, 0.1), Cancelled: wave(5, 0.05)}
	}
	return steps
}

// statisticsOf returns the statistics of a lookback in which nothing has happened.
func statisticsOf(lookback app.Lookback) app.Statistics {
	n := int(lookback.Length()/lookback.Step()) + 1
	return app.Statistics{
		At: noon, Forecast: app.Forecast{Trend: app.Empty}, Workers: app.Workers{Count: 10},
		Period: app.Period{
			Lookback: lookback, From: noon.Add(-lookback.Length()), Since: noon.Add(-lookback.Length() / 2),
			Counters: make([]app.Counters, n), Waiting: make([]int64, n),
		},
	}
}

// emptyStatistics returns the statistics of a board on which nothing has happened.
func emptyStatistics() app.Statistics { return statisticsOf(app.Last24Hours) }

// busyStatistics returns the statistics of a busy board. Some kinds contain markup.
func busyStatistics() app.Statistics { return busyStatisticsOf(app.Last24Hours) }

func busyStatisticsOf(lookback app.Lookback) app.Statistics {
	stats := statisticsOf(lookback)
	stats.Overview = overview
	stats.Unhandled = app.UnhandledKinds{{Kind: "<b>report</b>", Runs: 3},
		{Kind: "cleanup", Runs: 1000, More: true}}
	stats.Forecast = app.Forecast{Trend: app.Draining, Waiting: 12300, In: 190 * time.Second}
	stats.Workers.Busy = 4
	period := &stats.Period
	steps := len(period.Counters)
	period.Counters = waves(steps, 60)
	for i := range period.Waiting {
		period.Waiting[i] = int64(i*i) - 1
	}
	period.Summary = app.Summary{
		Total:     app.Sum(period.Counters),
		QueueTime: app.Quantiles{Count: 106, P50: 2 * time.Minute, P95: 19 * time.Minute},
		RunTime:   app.Quantiles{Count: 98, P50: 3 * time.Second, P95: 3900 * time.Millisecond},
	}
	stats.Before = app.Summary{
		Total:     app.Counters{Completed: 95, Failed: 5},
		QueueTime: app.Quantiles{Count: 9, P50: time.Minute, P95: 20 * time.Minute},
	}
	period.Kinds = []app.KindStatistics{
		{Kind: "simulated", Summary: period.Summary, Counters: period.Counters},
		{Kind: `<b>"report"</b>`, Counters: make([]app.Counters, steps), Summary: app.Summary{
			QueueTime: app.Quantiles{Count: 7, P50: 1200 * time.Millisecond, P95: 8 * time.Second}}},
		{Kind: "retry runs", Counters: waves(steps, 2), Summary: app.Summary{
			Total: app.Sum(waves(steps, 2))}},
	}
	period.OtherKinds, period.Others = 2, app.KindStatistics{Counters: make([]app.Counters, steps),
		Summary: app.Summary{Total: app.Counters{Completed: 3}}}
	return stats
}

func TestStatistics_Golden(t *testing.T) {
	t.Parallel()
	tmpl, render := newTemplates(t), must(t)
	golden(t, "statistics_empty", render(tmpl.Statistics(emptyStatistics())))
	golden(t, "statistics_busy", render(tmpl.Statistics(busyStatistics())))
	golden(t, "statistics_frame", render(tmpl.StatisticsFrame(busyStatistics())))
	golden(t, "statistics_month", render(tmpl.Statistics(busyStatisticsOf(app.Last30Days))))
}

func TestStatisticsLive_IsTheRegionOfThePage(t *testing.T) {
	t.Parallel()
	tmpl, render := newTemplates(t), must(t)
	whole := parsePage(t, render(tmpl.Statistics(busyStatistics())))
	part := parseFragment(t, render(tmpl.StatisticsLive(busyStatistics())))
	if got, want := markup(t, byID(t, part, "live")), markup(t, byID(t, whole, "live")); got != want {
		t.Errorf("the region alone is\n%s\nand on the page\n%s", got, want)
	}
	if swap := attribute(byID(t, whole, "live"), "hx-swap"); swap != "none" {
		t.Errorf("the socket swaps %s", swap)
	}
}

func TestStatistics_LinkToEveryPeriod(t *testing.T) {
	t.Parallel()
	paths := map[app.Lookback]string{
		app.Last15Minutes: "?period=15m",
		app.Last24Hours:   "",
		app.Last7Days:     "?period=7d",
		app.Last30Days:    "?period=30d",
	}
	for _, lookback := range app.Lookbacks() {
		root := parsePage(t, must(t)(newTemplates(t).Statistics(busyStatisticsOf(lookback))))
		const path = "/process_runs/statistics"
		socket := attribute(byID(t, root, "live"), "hx-ws:connect")
		if socket != path+"/live"+paths[lookback] {
			t.Errorf("the socket of %s is %s", lookback, socket)
		}
		for other, query := range paths {
			link := elements(root, func(node *html.Node) bool {
				return attribute(node, "href") == path+query && node.Parent.Data == "nav" &&
					attribute(node.Parent, "aria-label") == "Period"
			})
			if len(link) != 1 || (attribute(link[0], "aria-current") == "page") != (lookback == other) {
				t.Errorf("the page of %s links to %s %d times", lookback, other, len(link))
			}
		}
	}
}

func TestStatistics_SayWhenRecordsBegin(t *testing.T) {
	t.Parallel()
	for lookback, want := range map[app.Lookback]bool{
		app.Last15Minutes: false, app.Last24Hours: false, app.Last7Days: true, app.Last30Days: true,
	} {
		page := must(t)(newTemplates(t).Statistics(busyStatisticsOf(lookback)))
		if got := strings.Contains(page, "Nothing is recorded before"); got != want {
			t.Errorf("the page of %s says when records begin: %t", lookback, got)
		}
		stats := busyStatisticsOf(lookback)
		stats.Period.Since = stats.Period.From
		page = must(t)(newTemplates(t).Statistics(stats))
		if strings.Contains(page, "Nothing is recorded before") {
			t.Errorf("the page of %s says so although everything is recorded", lookback)
		}
	}
}

func TestStatistics_KindsLinkToTheirRuns(t *testing.T) {
	t.Parallel()
	root := parsePage(t, must(t)(newTemplates(t).Statistics(busyStatisticsOf(app.Last7Days))))
	rows := elements(byID(t, root, "statistics_kinds"), func(node *html.Node) bool {
		return node.Data == "th" && attribute(node, "scope") == "row"
	})
	want := []struct{ text, path string }{
		{"simulated", "/process_runs?kind=simulated&since=168h"},
		{`<b>"report"</b>`, "/process_runs?kind=%3Cb%3E%22report%22%3C%2Fb%3E&since=168h"},
		{"Bulk retry", "/process_runs?kind=retry+runs&since=168h"},
		{"2 other kinds", ""},
	}
	if len(rows) != len(want) {
		t.Fatalf("%d kinds", len(rows))
	}
	for i, row := range rows {
		path := ""
		if links := elements(row, named("a")); len(links) > 0 {
			path = attribute(links[0], "href")
		}
		if text := textOf(row); text != want[i].text || path != want[i].path {
			t.Errorf("row %d is %q and links to %s", i, text, path)
		}
	}
}

// A details element that the user has opened stays open, because no frame contains it.
func TestStatisticsFrame_LeavesDetailsOpen(t *testing.T) {
	t.Parallel()
	tmpl, render := newTemplates(t), must(t)
	page := parsePage(t, render(tmpl.Statistics(busyStatistics())))
	frame := parseFragment(t, render(tmpl.StatisticsFrame(busyStatistics())))
	parts := parts(t, render(tmpl.StatisticsFrame(busyStatistics())))
	if len(parts) != 6 {
		t.Errorf("%d parts, want 6: %q", len(parts), parts)
	}
	for _, part := range parts {
		if got, want := markup(t, byID(t, frame, idIn(part))),
			markup(t, byID(t, page, idIn(part))); got != want {
			t.Errorf("in the frame it is\n%s\nand on the page\n%s", got, want)
		}
	}
	if opened := elements(frame, named("details")); len(opened) > 0 ||
		len(elements(page, named("details"))) != 1 {
		t.Errorf("the frame has %d details elements, want none", len(opened))
	}
}

// between returns the sources of all elements in text from an opening to a closing tag.
func between(t *testing.T, text, opening, closing string) (found []string) {
	t.Helper()
	for _, rest := range strings.Split(text, opening)[1:] {
		content, _, ended := strings.Cut(rest, closing)
		if !ended {
			t.Fatalf("not closed: %s", rest)
		}
		found = append(found, opening+content+closing)
	}
	return found
}

func TestCharts_AreWellFormed(t *testing.T) {
	t.Parallel()
	page := must(t)(newTemplates(t).Statistics(busyStatistics()))
	found := between(t, page, "<figure", "</figure>")
	found = append(found, between(t, page, `<td class="spark"`, "</td>")...)
	if len(found) != 1+4 {
		t.Errorf("%d charts", len(found))
	}
	for _, picture := range found {
		decoder := xml.NewDecoder(strings.NewReader(picture))
		for {
			if _, err := decoder.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%v in %s", err, picture)
			}
		}
	}
}

func TestCharts_HaveDescriptions(t *testing.T) {
	t.Parallel()
	root := parsePage(t, must(t)(newTemplates(t).Statistics(busyStatistics())))
	pictures := elements(byID(t, root, "statistics_chart"), func(node *html.Node) bool {
		return node.Data == "svg" && attribute(node, "role") == "img"
	})
	if len(pictures) != 1 {
		t.Fatalf("%d pictures", len(pictures))
	}
	labels := strings.Fields(attribute(pictures[0], "aria-labelledby"))
	title, words := textOf(byID(t, root, labels[0])), textOf(byID(t, root, labels[1]))
	if title != "Runs that finished every 30 min in the last 24 hours" ||
		!strings.Contains(words, " completed, ") {
		t.Errorf("title %q, description %q", title, words)
	}
	bars := elements(pictures[0], func(node *html.Node) bool { return attribute(node, "class") == "bar" })
	if len(bars) != 49 {
		t.Errorf("%d bars", len(bars))
	}
	for _, bar := range bars {
		title := elements(bar, named("title"))
		if len(title) != 1 || !strings.Contains(textOf(title[0]), " UTC: ") {
			t.Errorf("a bar has no title: %s", markup(t, bar))
		}
	}
	for _, svg := range elements(byID(t, root, "live"), named("svg")) {
		inside := attribute(svg, "class") == "bar" || attribute(svg, "class") == "line"
		if svg != pictures[0] && !inside && attribute(svg, "aria-hidden") != "true" {
			t.Errorf("a picture without description: %s", markup(t, svg))
		}
	}
}

// Patterns differ, so that statuses can be told apart without colours.
func TestChart_StatusesHavePatterns(t *testing.T) {
	t.Parallel()
	root := parsePage(t, must(t)(newTemplates(t).Statistics(busyStatistics())))
	shapes := map[string]bool{}
	for _, status := range []string{"completed", "failed", "cancelled"} {
		pattern := byID(t, root, "fill_"+status)
		shapes[strings.ReplaceAll(markup(t, pattern), status, "")] = true
		used := elements(root, func(node *html.Node) bool {
			return attribute(node, "fill") == "url(#fill_"+status+")"
		})
		if len(used) < 2 {
			t.Errorf("%s is used %d times", status, len(used))
		}
	}
	if len(shapes) != 3 {
		t.Errorf("there are %d patterns", len(shapes))
	}
}

func TestStatistics_EmptyPeriodHasNoChart(t *testing.T) {
	t.Parallel()
	root := parsePage(t, must(t)(newTemplates(t).Statistics(emptyStatistics())))
	live := byID(t, root, "live")
	if n := len(elements(live, named("svg"))); n > 0 {
		t.Errorf("an empty period has %d pictures", n)
	}
	if rows := elements(byID(t, live, "statistics_kinds"), named("tr")); len(rows) > 0 {
		t.Errorf("an empty period has %d rows for kinds", len(rows))
	}
	text := strings.TrimSpace(textOf(byID(t, root, "statistics_chart")))
	if text != "Nothing has happened in the last 24 hours." {
		t.Errorf("an empty period says %q", text)
	}
}

func TestBoard_WarnsOfUnhandledKinds(t *testing.T) {
	t.Parallel()
	page := mixedPage()
	page.Unhandled = app.UnhandledKinds{{Kind: "<i>report</i>", Runs: 3}}
	tmpl, render := newTemplates(t), must(t)
	want := "3 runs of kind <i>report</i> are waiting, but no worker here handles this kind."
	for _, root := range []*html.Node{
		parsePage(t, render(tmpl.Board(page, templates.BoardOptions{}))),
		parseFragment(t, render(tmpl.ListFrame(page))),
		parseFragment(t, render(tmpl.CellsFrame(changedPages(nil, page.Overview)))),
	} {
		if got := textOf(byID(t, root, "unhandled")); got != want {
			t.Errorf("warning = %q, want %q", got, want)
		}
	}
}

func TestLayout_MarksTheCurrentPage(t *testing.T) {
	t.Parallel()
	tmpl, render := newTemplates(t), must(t)
	link := func(text string) *html.Node {
		return elements(parsePage(t, text),
			func(node *html.Node) bool { return attribute(node, "href") == templates.StatisticsPath })[0]
	}
	if here, there := link(render(tmpl.Statistics(emptyStatistics()))),
		link(render(tmpl.Board(app.Page{}, withKey))); attribute(here, "aria-current") != "page" ||
		attribute(there, "aria-current") != "" {
		t.Errorf("the links are %s and %s", markup(t, here), markup(t, there))
	}
}
