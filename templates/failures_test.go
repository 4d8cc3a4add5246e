package templates_test

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"runboard/app"
)

// someFailures returns two failure groups: a recent one, and one without failures in the last 24 hours.
func someFailures() app.Failures {
	ink := app.Failure{
		ID: 3, Kind: "report", Pattern: "exit status #\nno <b>ink</b> for #",
		Example: `exit status 1 "no ink" for 7`, Runs: 1234,
		FirstAt: before(26 * time.Hour), LastAt: before(time.Minute),
	}
	ink.Hours[app.FailureHours-1], ink.Hours[app.FailureHours-3] = 4, 16
	jam := app.Failure{ID: 4, Kind: "mail", Pattern: "paper jam", Example: "paper jam", Runs: 1,
		FirstAt: before(72 * time.Hour), LastAt: before(72 * time.Hour)}
	totals := app.FailureTotals{Groups: 5, Runs: 1240}
	return app.Failures{Failures: []app.Failure{ink, jam}, FailureTotals: totals}
}

func TestFailures_Golden(t *testing.T) {
	t.Parallel()
	golden(t, "failures", must(t)(newTemplates(t).Failures(someFailures())))
	golden(t, "failures_kinds", must(t)(newTemplates(t, "report", "mail").Failures(someFailures())))
	golden(t, "failures_none", must(t)(newTemplates(t).Failures(app.Failures{})))
	golden(t, "failures_frame", must(t)(newTemplates(t).FailuresFrame(someFailures())))
}

func TestSparkline_HasADescription(t *testing.T) {
	t.Parallel()
	root := parsePage(t, must(t)(newTemplates(t).Failures(someFailures())))
	sparklines := elements(byID(t, root, "failures"), named("svg"))
	if len(sparklines) != 2 {
		t.Fatalf("%d sparklines, want 2", len(sparklines))
	}
	for i, want := range []string{"20 in the last 24 hours, most of them, 16, 2 h ago",
		"None in the last 24 hours"} {
		if got := attribute(sparklines[i], "aria-label"); got != want {
			t.Errorf("sparkline %d is described as %q, want %q", i, got, want)
		}
	}
	bars := elements(sparklines[0], named("rect"))
	if len(bars) != 2 || attribute(bars[0], "height") != "16" || attribute(bars[1], "height") != "4" ||
		attribute(bars[1], "x") != "23" {
		t.Errorf("bars of %s", markup(t, sparklines[0]))
	}
}

func TestFailures_LinkToRunsAndRetry(t *testing.T) {
	t.Parallel()
	root := parsePage(t, must(t)(newTemplates(t).Failures(someFailures())))
	var links []string
	for _, link := range elements(byID(t, root, "failure_3"),
		func(node *html.Node) bool { return node.Data == "a" }) {
		links = append(links, attribute(link, "href"))
	}
	if got, want := strings.Join(links, " "),
		"/process_runs?failure=3 /process_runs/bulk?failure=3&operation=retry&scope=all"; got != want {
		t.Errorf("links to %s, want %s", got, want)
	}
}

func TestBoard_NamesTheErrorOfItsFilter(t *testing.T) {
	t.Parallel()
	tmpl := newTemplates(t)
	page := app.Page{Query: app.Query{Filter: app.Filter{Failure: 3}}, MatchCount: 7, Failure: someFailures().
		Failures[0]}
	root := parsePage(t, must(t)(tmpl.Board(page, "")))
	if got := textOf(byID(t, root,
		"matches")); got != "7 runs match with this error: exit status #\nno <b>ink</b> for #." {
		t.Errorf("match count says %q", got)
	}
	kept := 0
	for _, input := range elements(root, named("input")) {
		if attribute(input, "name") == "failure" && attribute(input, "value") == "3" {
			kept++
		}
	}
	if kept != 3 { // the search, the filter form and the form for bulk actions
		t.Errorf("%d forms keep the failure, want 3", kept)
	}
	failed := app.ProcessRun{ID: 7, Status: app.Failed, Error: "no ink for 7", Failure: 3, Version: 3}
	run := app.RunPage{Run: failed}
	if page := string(must(t)(tmpl.Run(run))); !strings.Contains(page, `href="/process_runs?failure=3"`) {
		t.Error("the run's page has no link to similar failures")
	}
}
