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
			Failed: wave(7, 0.1)}
	}
	return steps
}

// emptyStatistics returns the statistics of a board on which nothing has happened.
func emptyStatistics() app.Statistics {
	return app.Statistics{
		At: noon, Forecast: app.Forecast{Trend: app.Empty},
		Recent: app.Period{From: noon.Add(-app.RecentSpan), Step: app.RecentStep,
			Counters: make([]app.Counters, 91)},
		Day: app.Period{From: noon.Add(-app.DaySpan), Step: app.DayStep, Counters: make([]app.Counters, 145)},
	}
}

// busyStatistics returns the statistics of a busy board. Some kinds contain markup.
func busyStatistics() app.Statistics {
	stats := emptyStatistics()
	stats.Overview = overview
	stats.Unhandled = app.UnhandledKinds{{Kind: "<b>report</b>", Runs: 3},
		{Kind: "cleanup", Runs: 1000, More: true}}
	stats.Forecast = app.Forecast{Trend: app.Draining, Waiting: 12300, In: 190 * time.Second}
	stats.Recent.Counters, stats.Day.Counters = waves(91, 60), waves(145, 3000)
	stats.Recent.Kinds = []app.KindTimes{
		{Kind: `<b>"report"</b>`,
			QueueTime: app.Quantiles{Count: 7, P50: 1200 * time.Millisecond, P95: 8 * time.Second}},
		{Kind: "simulated", QueueTime: app.Quantiles{Count: 99, P50: 3 * time.Minute, P95: 20 * time.Minute},
			RunTime: app.Quantiles{Count: 98, P50: 3 * time.Second, P95: 3900 * time.Millisecond}},
	}
	stats.Day.Kinds = stats.Recent.Kinds[1:]
	return stats
}

func TestStatistics_Golden(t *testing.T) {
	t.Parallel()
	tmpl, render := newTemplates(t), must(t)
	golden(t, "statistics_empty", render(tmpl.Statistics(emptyStatistics())))
	golden(t, "statistics_busy", render(tmpl.Statistics(busyStatistics())))
	golden(t, "statistics_frame", render(tmpl.StatisticsFrame(busyStatistics())))
}

func TestStatisticsLive_IsTheRegionOfThePage(t *testing.T) {
	t.Parallel()
	tmpl, render := newTemplates(t), must(t)
	whole := parsePage(t, render(tmpl.Statistics(busyStatistics())))
	part := parseFragment(t, render(tmpl.StatisticsLive(busyStatistics())))
	if got, want := markup(t, byID(t, part, "live")), markup(t, byID(t, whole, "live")); got != want {
		t.Errorf("the region alone is\n%s\nand on the page\n%s", got, want)
	}
	if live := byID(t, whole, "live"); attribute(live, "hx-ws:connect") != "/process_runs/statistics/live" ||
		attribute(live, "hx-swap") != "none" {
		t.Errorf("the socket is %q", attribute(live, "hx-ws:connect"))
	}
}

// A details element that the user has opened stays open, because no frame contains it.
func TestStatisticsFrame_LeavesDetailsOpen(t *testing.T) {
	t.Parallel()
	tmpl, render := newTemplates(t), must(t)
	page := parsePage(t, render(tmpl.Statistics(busyStatistics())))
	frame := parseFragment(t, render(tmpl.StatisticsFrame(busyStatistics())))
	parts := parts(t, render(tmpl.StatisticsFrame(busyStatistics())))
	if len(parts) != 9 {
		t.Errorf("%d parts, want 9: %q", len(parts), parts)
	}
	for _, part := range parts {
		if got, want := markup(t, byID(t, frame, idIn(part))),
			markup(t, byID(t, page, idIn(part))); got != want {
			t.Errorf("in the frame it is\n%s\nand on the page\n%s", got, want)
		}
	}
	if opened := elements(frame, named("details")); len(opened) > 0 ||
		len(elements(page, named("details"))) != 2 {
		t.Errorf("the frame has %d details elements, want none", len(opened))
	}
}

// charts returns the source of the SVG elements in text.
func charts(t *testing.T, text string) (found []string) {
	t.Helper()
	for _, rest := range strings.Split(text, "<svg")[1:] {
		picture, _, ended := strings.Cut(rest, "</svg>")
		if !ended {
			t.Fatalf("unclosed svg: %s", rest)
		}
		found = append(found, "<svg"+picture+"</svg>")
	}
	return found
}

func TestCharts_AreWellFormed(t *testing.T) {
	t.Parallel()
	_, page, _ := strings.Cut(must(t)(newTemplates(t).Statistics(busyStatistics())), "</header>")
	found := charts(t, page)
	if len(found) != 2+8+5 {
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
	for _, svg := range elements(root, named("svg")) {
		if attribute(svg, "aria-hidden") == "true" {
			continue
		}
		labels := strings.Fields(attribute(svg, "aria-labelledby"))
		if attribute(svg, "role") != "img" || len(labels) != 2 {
			t.Fatalf("role %q, labels %v", attribute(svg, "role"), labels)
		}
		title, words := textOf(byID(t, svg, labels[0])), textOf(byID(t, svg, labels[1]))
		if !strings.HasPrefix(title, "Runs a ") || !strings.Contains(words, "created, ") {
			t.Errorf("title %q, description %q", title, words)
		}
		if lines := elements(svg, named("polyline")); len(lines) != 4 {
			t.Errorf("%d polylines, want 4", len(lines))
		}
	}
}

func TestStatistics_EmptyPeriodHasNoChart(t *testing.T) {
	t.Parallel()
	root := parsePage(t, must(t)(newTemplates(t).Statistics(emptyStatistics())))
	if n := len(elements(byID(t, root, "live"),
		func(node *html.Node) bool {
			return node.Data == "svg" ||
				attribute(node, "class") == "took"
		})); n > 0 {
		t.Errorf("%d charts and tables for empty periods", n)
	}
	if text := strings.TrimSpace(textOf(byID(t, root,
		templates.ChartID("day")))); text != "Nothing has happened in the last 24 hours." {
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
		parsePage(t, render(tmpl.Board(page, ""))), parseFragment(t, render(tmpl.ListFrame(page))),
		parseFragment(t, render(tmpl.CellsFrame(nil, page.Overview))),
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
		link(render(tmpl.Board(app.Page{}, ""))); attribute(here, "aria-current") != "page" ||
		attribute(there, "aria-current") != "" {
		t.Errorf("the links are %s and %s", markup(t, here), markup(t, there))
	}
}
