package templates_test

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"runboard/app"
	"runboard/templates"
)

// someFailures returns three failure groups: a recent one that has returned, one without failures in the last
// 24 hours, and a muted one with a note.
func someFailures() app.Failures {
	ink := app.Failure{
		ID: 3, Kind: "report", Pattern: "exit status #\nno <b>ink</b> for #",
		Example: "exit status 1\nprinting\nno <b>ink</b> for \"7\"", Runs: 1234, LatestRun: 3051,
		FirstAt: before(26 * time.Hour), LastAt: before(time.Minute),
		Recurrence: app.Recurrence{At: before(3 * time.Hour), QuietSince: before(291 * time.Hour)},
	}
	ink.Hours[app.FailureHours-1], ink.Hours[app.FailureHours-3] = 4, 16
	jam := app.Failure{ID: 4, Kind: "mail", Pattern: "paper jam", Example: "paper jam", Runs: 1,
		LatestRun: 17, FirstAt: before(72 * time.Hour), LastAt: before(72 * time.Hour)}
	down := app.Failure{ID: 5, Kind: "mail", Pattern: "exit status #", Example: "exit status 3", Runs: 7,
		LatestRun: 18, FirstAt: before(72 * time.Hour), LastAt: before(71 * time.Hour),
		Triage: app.Triage{
			Note:       `supplier is down on Sundays, see https://example.org/INC-42?a=1&b=2.`,
			MutedUntil: before(-24 * time.Hour),
		}}
	return app.Failures{
		Failures:      []app.Failure{ink, jam, down},
		FailureTotals: app.FailureTotals{Groups: 6, Runs: 1248}, Muted: app.FailureTotals{Groups: 1, Runs: 7},
	}
}

func TestFailures_Golden(t *testing.T) {
	t.Parallel()
	page := func(kinds ...string) string {
		return must(t)(newTemplates(t, kinds...).Failures(someFailures(), app.MostRuns))
	}
	golden(t, "failures", page())
	golden(t, "failures_kinds", page("report", "mail"))
	golden(t, "failures_none", must(t)(newTemplates(t).Failures(app.Failures{}, app.LatestRuns)))
	golden(t, "failures_frame", must(t)(newTemplates(t).FailuresFrame(someFailures())))
}

func TestFailures_KeepTheOrderInTheSocket(t *testing.T) {
	t.Parallel()
	for sort, want := range map[app.FailureSort]string{
		app.MostRuns:   "/process_runs/failures/live",
		app.LatestRuns: "/process_runs/failures/live?sort=latest",
	} {
		root := parsePage(t, must(t)(newTemplates(t).Failures(someFailures(), sort)))
		if got := attribute(byID(t, root, "live"), "hx-ws:connect"); got != want {
			t.Errorf("sorted by %s, the socket is %q, want %q", sort, got, want)
		}
		isCurrent := func(node *html.Node) bool { return attribute(node, "aria-current") == "true" }
		current := elements(root, isCurrent)
		if len(current) != 1 || attribute(current[0], "href") != strings.Replace(want, "/live", "", 1) {
			t.Errorf("sorted by %s, the current order is %s", sort, markup(t, current[0]))
		}
	}
}

func TestFailures_MutedOnesDoNotCount(t *testing.T) {
	t.Parallel()
	tmpl := newTemplates(t)
	root := parsePage(t, must(t)(tmpl.Failures(someFailures(), app.MostRuns)))
	text := textOf(byID(t, root, "failures"))
	if !strings.Contains(text, "1,241 failed runs, 5 distinct errors") ||
		!strings.Contains(text, "And 3 more.") || !strings.Contains(text, "1 muted · 7 runs") {
		t.Errorf("the page says %q", text)
	}
	muted := textOf(byID(t, root, "muted_failures"))
	if !strings.Contains(muted, "No output exit 3") || !strings.Contains(muted, "Unmute") ||
		!strings.Contains(muted, "muted until") {
		t.Errorf("the muted group says %q", muted)
	}
	all := someFailures()
	all.Failures = all.Failures[2:]
	root = parsePage(t, must(t)(tmpl.Failures(all, app.MostRuns)))
	if text := textOf(byID(t, root, "failures")); !strings.Contains(text, "No failed runs.") {
		t.Errorf("with nothing but muted groups, the page says %q", text)
	}
}

func TestFailures_SayThatAGroupReturned(t *testing.T) {
	t.Parallel()
	root := parsePage(t, must(t)(newTemplates(t).Failures(someFailures(), app.MostRuns)))
	if text := textOf(byID(t, root, "failure_3")); !strings.Contains(text, "again, after 12 days") ||
		strings.Contains(text, "quiet") {
		t.Errorf("the group says %q", text)
	}
	if text := textOf(byID(t, root, "failure_4")); strings.Contains(text, "again") {
		t.Errorf("the group says %q", text)
	}
}

func TestSparkline_HasADescription(t *testing.T) {
	t.Parallel()
	root := parsePage(t, must(t)(newTemplates(t).Failures(someFailures(), app.MostRuns)))
	isSparkline := func(node *html.Node) bool { return attribute(node, "class") == "sparkline" }
	sparklines := elements(root, isSparkline)
	if len(sparklines) != 3 {
		t.Fatalf("%d sparklines, want 3", len(sparklines))
	}
	for i, want := range []string{"20 failures in the last 24 hours, most of them, 16, 2 h ago",
		"No failures in the last 24 hours"} {
		if got := attribute(sparklines[i], "aria-label"); got != want {
			t.Errorf("sparkline %d is described as %q, want %q", i, got, want)
		}
	}
	if got := markup(t, sparklines[0]); !strings.Contains(got, `d="M21 16v-16h.8v16zM23 16v-4h.8v4z"`) {
		t.Errorf("the bars are not those of 16 and 4 runs: %s", got)
	}
	for i, want := range []string{"20 failures in 24 h", "0 failures in 24 h"} {
		if got := textOf(sparklines[i].Parent); !strings.HasSuffix(got, want) {
			t.Errorf("beside sparkline %d is %q, want %q", i, got, want)
		}
	}
	var titles []string
	for _, title := range elements(sparklines[0], named("title")) {
		titles = append(titles, textOf(title))
	}
	if got, want := strings.Join(titles, "; "), "16, 2 h ago; 4 this hour"; got != want {
		t.Errorf("the bars say %q, want %q", got, want)
	}
}

func TestFailuresDelta_HasOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	tmpl := newTemplates(t)
	before, after := someFailures(), someFailures()
	after.Failures[1].Runs = 2
	root := parseFragment(t, must(t)(tmpl.FailuresDelta(before, after)))
	for id, kept := range map[string]bool{"failure_3": true, "failure_4": false, "failure_5": true} {
		group := byID(t, root, id)
		if got := group.FirstChild == nil; got != kept {
			t.Errorf("the group %s is kept: %v, want %v", id, got, kept)
		}
	}
	text := textOf(root)
	if !strings.Contains(text, "1,241 failed runs") || !strings.Contains(text, "2 runs") {
		t.Errorf("the frame says %q", text)
	}
	after.Failures = append(after.Failures, app.Failure{ID: 9, Pattern: "new", Example: "new", Runs: 1})
	root = parseFragment(t, must(t)(tmpl.FailuresDelta(before, after)))
	if text := textOf(byID(t, root, "failure_9")); !strings.Contains(text, "new") {
		t.Errorf("a new group says %q", text)
	}
}

func TestFailures_LinkToRunsAndCommands(t *testing.T) {
	t.Parallel()
	root := parsePage(t, must(t)(newTemplates(t).Failures(someFailures(), app.MostRuns)))
	var links []string
	for _, link := range elements(byID(t, root, "failure_3"),
		func(node *html.Node) bool { return node.Data == "a" }) {
		links = append(links, attribute(link, "href"))
	}
	if got, want := strings.Join(links, " "), "/process_runs?failure=3 /process_runs/3051 "+
		"/process_runs/bulk?failure=3&operation=retry&scope=all "+
		"/process_runs/failures/3/note /process_runs/failures/3/mute"; got != want {
		t.Errorf("links to %s, want %s", got, want)
	}
	forms := elements(byID(t, root, "failure_5"), named("form"))
	if len(forms) != 1 || attribute(forms[0], "action") != "/process_runs/failures/5/unmute" {
		t.Errorf("a muted group has %d forms", len(forms))
	}
}

func TestBoard_NamesTheErrorOfItsFilter(t *testing.T) {
	t.Parallel()
	tmpl := newTemplates(t)
	page := app.Page{Query: app.Query{Filter: app.Filter{Failure: 3}}, MatchCount: 7, Failure: someFailures().
		Failures[0]}
	root := parsePage(t, must(t)(tmpl.Board(page, templates.BoardOptions{})))
	if got := textOf(byID(t, root, "matches")); got != "7 runs with this error" {
		t.Errorf("match count says %q", got)
	}
	chip := elements(root, withClass("chip"))[0]
	if got := textOf(chip); !strings.HasPrefix(got, "exit status #\nno <b>ink</b> for #") {
		t.Errorf("the chip says %q", got)
	}
	if got := attribute(chip, "href"); got != "/process_runs" {
		t.Errorf("the chip leads to %s", got)
	}
	kept := 0
	for _, input := range elements(root, named("input")) {
		if attribute(input, "name") == "failure" && attribute(input, "value") == "3" {
			kept++
		}
	}
	if kept != 2 { // the search with the filters, and the form for bulk actions
		t.Errorf("%d forms keep the failure, want 2", kept)
	}
	failed := app.ProcessRun{ID: 7, Status: app.Failed, Error: "no ink for 7", Failure: 3, Version: 3}
	run := app.RunPage{Run: failed, Failure: app.Failure{Runs: 2}}
	if page := must(t)(tmpl.Run(run, templates.RunList{})); !strings.Contains(page,
		`href="/process_runs?failure=3"`) {
		t.Error("the run's page has no link to similar failures")
	}
}
