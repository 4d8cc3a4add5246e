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
	flows := make([]app.Counters, n)
	for i := range flows {
		wave := func(length, part float64) int64 {
			return int64(height * part * (1.2 + math.Sin(float64(i)/length)))
		}
		flows[i] = app.Counters{Created: wave(9, 1), Started: wave(11, 0.9), Completed: wave(11, 0.8), Failed: wave(7, 0.1)}
	}
	return flows
}

// calm returns the statistics of a board on which nothing has happened.
func calm() app.Statistics {
	return app.Statistics{
		At: noon, Forecast: app.Forecast{Trend: app.Empty},
		Recent: app.Period{From: noon.Add(-app.RecentSpan), Step: app.RecentStep, Counters: make([]app.Counters, 91)},
		Day:    app.Period{From: noon.Add(-app.DaySpan), Step: app.DayStep, Counters: make([]app.Counters, 145)},
	}
}

// lively returns the statistics of a busy board. Some kinds contain markup.
func lively() app.Statistics {
	stats := calm()
	stats.Overview = overview
	stats.Unhandled = app.UnhandledKinds{{Kind: "<b>report</b>", Runs: 3}, {Kind: "cleanup", Runs: 1000, More: true}}
	stats.Forecast = app.Forecast{Trend: app.Draining, Waiting: 12300, In: 190 * time.Second}
	stats.Recent.Counters, stats.Day.Counters = waves(91, 60), waves(145, 3000)
	stats.Recent.Kinds = []app.KindTimes{
		{Kind: `<b>"report"</b>`, QueueTime: app.Quantiles{Count: 7, P50: 1200 * time.Millisecond, P95: 8 * time.Second}},
		{Kind: "simulated", QueueTime: app.Quantiles{Count: 99, P50: 3 * time.Minute, P95: 20 * time.Minute}, RunTime: app.Quantiles{Count: 98, P50: 3 * time.Second, P95: 3900 * time.Millisecond}},
	}
	stats.Day.Kinds = stats.Recent.Kinds[1:]
	return stats
}

func TestTheStatisticsLookAsTheyShould(t *testing.T) {
	t.Parallel()
	drawing, draw := newTemplates(t), must(t)
	golden(t, "statistics_empty", draw(drawing.Statistics(calm())))
	golden(t, "statistics_busy", draw(drawing.Statistics(lively())))
	golden(t, "statistics_frame", draw(drawing.StatisticsFrame(lively())))
}

func TestTheLiveRegionOfTheStatisticsIsThatOfTheirPage(t *testing.T) {
	t.Parallel()
	drawing, draw := newTemplates(t), must(t)
	whole := parsePage(t, draw(drawing.Statistics(lively())))
	part := parseFragment(t, draw(drawing.StatisticsLive(lively())))
	if got, want := drawn(t, byID(t, part, "live")), drawn(t, byID(t, whole, "live")); got != want {
		t.Errorf("alone it is\n%s\nand on the page it is\n%s", got, want)
	}
	if live := byID(t, whole, "live"); attribute(live, "hx-ws:connect") != "/process_runs/statistics/live" || attribute(live, "hx-swap") != "none" {
		t.Errorf("its socket is %q", attribute(live, "hx-ws:connect"))
	}
}

// A details element that the user has opened stays open, because no frame contains it.
func TestAFrameOfTheStatisticsHoldsAllButWhatOneCanOpen(t *testing.T) {
	t.Parallel()
	drawing, draw := newTemplates(t), must(t)
	page := parsePage(t, draw(drawing.Statistics(lively())))
	frame := parseFragment(t, draw(drawing.StatisticsFrame(lively())))
	parts := contents(t, draw(drawing.StatisticsFrame(lively())))
	if len(parts) != 8 {
		t.Errorf("it holds %q", parts)
	}
	for _, part := range parts {
		if got, want := drawn(t, byID(t, frame, idIn(part))), drawn(t, byID(t, page, idIn(part))); got != want {
			t.Errorf("in the frame it is\n%s\nand on the page\n%s", got, want)
		}
	}
	if opened := elements(frame, named("details")); len(opened) > 0 || len(elements(page, named("details"))) != 2 {
		t.Errorf("it holds %d of them", len(opened))
	}
}

// pictures returns the source of the SVG elements in text.
func pictures(t *testing.T, text string) (found []string) {
	t.Helper()
	for _, rest := range strings.Split(text, "<svg")[1:] {
		picture, _, ended := strings.Cut(rest, "</svg>")
		if !ended {
			t.Fatalf("this has no end: %s", rest)
		}
		found = append(found, "<svg"+picture+"</svg>")
	}
	return found
}

func TestPicturesAreWellFormed(t *testing.T) {
	t.Parallel()
	found := pictures(t, must(t)(newTemplates(t).Statistics(lively())))
	if len(found) != 2+8+5 {
		t.Errorf("there are %d pictures", len(found))
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

func TestAPictureSaysWhatItShowsToThoseWhoCannotSeeIt(t *testing.T) {
	t.Parallel()
	root := parsePage(t, must(t)(newTemplates(t).Statistics(lively())))
	for _, svg := range elements(root, named("svg")) {
		if attribute(svg, "aria-hidden") == "true" {
			continue
		}
		labels := strings.Fields(attribute(svg, "aria-labelledby"))
		if attribute(svg, "role") != "img" || len(labels) != 2 {
			t.Fatalf("it has the role %q and the labels %v", attribute(svg, "role"), labels)
		}
		title, words := textOf(byID(t, svg, labels[0])), textOf(byID(t, svg, labels[1]))
		if !strings.HasPrefix(title, "Runs a ") || !strings.Contains(words, "created, ") {
			t.Errorf("it says %q and %q", title, words)
		}
		if lines := elements(svg, named("polyline")); len(lines) != 4 {
			t.Errorf("%d lines are drawn", len(lines))
		}
	}
}

func TestWhereNothingHappenedASentenceSaysSo(t *testing.T) {
	t.Parallel()
	root := parsePage(t, must(t)(newTemplates(t).Statistics(calm())))
	if n := len(elements(root, func(node *html.Node) bool { return node.Data == "svg" || attribute(node, "class") == "took" })); n > 0 {
		t.Errorf("there are %d pictures and tables of nothing", n)
	}
	if text := strings.TrimSpace(textOf(byID(t, root, templates.ChartID("day")))); text != "Nothing has happened in the last 24 hours." {
		t.Errorf("it says %q", text)
	}
}

func TestTheWarningStandsAboveTheList(t *testing.T) {
	t.Parallel()
	page := mixedPage()
	page.Unhandled = app.UnhandledKinds{{Kind: "<i>report</i>", Runs: 3}}
	drawing, draw := newTemplates(t), must(t)
	want := "3 runs of kind <i>report</i> are waiting, but no worker here handles this kind."
	for _, root := range []*html.Node{
		parsePage(t, draw(drawing.Board(page, ""))), parseFragment(t, draw(drawing.ListFrame(page))), parseFragment(t, draw(drawing.CellsFrame(nil, page.Overview))),
	} {
		if got := textOf(byID(t, root, templates.UnhandledID)); got != want {
			t.Errorf("it says %q", got)
		}
	}
}

func TestThePageThatOneIsOnIsMarked(t *testing.T) {
	t.Parallel()
	drawing, draw := newTemplates(t), must(t)
	link := func(text string) *html.Node {
		return elements(parsePage(t, text), func(node *html.Node) bool { return attribute(node, "href") == templates.StatisticsPath })[0]
	}
	if here, there := link(draw(drawing.Statistics(calm()))), link(draw(drawing.Board(app.Page{}, ""))); attribute(here, "aria-current") != "page" || attribute(there, "aria-current") != "" {
		t.Errorf("the links are %s and %s", drawn(t, here), drawn(t, there))
	}
}
