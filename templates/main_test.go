package templates_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/net/html"

	"runboard/app"
	"runboard/templates"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var update = flag.Bool("update", false, "write the golden files anew")

// noon is the current time in all tests that render.
var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

func before(d time.Duration) time.Time { return noon.Add(-d) }

// newTemplates returns templates with noon as their clock and plain asset names.
func newTemplates(t testing.TB, names ...string) *templates.Templates {
	t.Helper()
	if names == nil {
		names = []string{"simulated"}
	}
	var kinds kindList
	for _, name := range names {
		kinds = append(kinds, app.Kind{Name: name})
	}
	return newTemplatesOf(t, kinds...)
}

// withKey is the page of the list with an idempotency key.
var withKey = templates.BoardOptions{Key: "key-1"}

// changedPages returns two pages of the same list. On the second one, all runs are new versions.
func changedPages(runs []app.ProcessRun, overview app.Overview) (old, page app.Page) {
	page = app.Page{Runs: runs, Overview: overview}
	for _, run := range runs {
		run.Version--
		old.Runs = append(old.Runs, run)
	}
	return old, page
}

// kindList is a list of kinds that never changes.
type kindList []app.Kind

func (l kindList) Kinds() []app.Kind { return l }

func (l kindList) Kind(name string) (app.Kind, bool) {
	i := slices.IndexFunc(l, func(kind app.Kind) bool { return kind.Name == name })
	if i < 0 {
		return app.Kind{}, false
	}
	return l[i], true
}

// newTemplatesOf is newTemplates with kinds that have more than a name.
func newTemplatesOf(t testing.TB, kinds ...app.Kind) *templates.Templates {
	t.Helper()
	tmpl, err := templates.New(templates.Options{
		Asset: func(name string) string { return "/static/" + name },
		Kinds: kindList(kinds), MaxAttempts: 3, RunTimeout: 24 * time.Hour,
		Now: func() time.Time { return noon },
	})
	if err != nil {
		t.Fatal(err)
	}
	return tmpl
}

// must unwraps the result of a render, and ends the test on an error.
func must(t testing.TB) func(rendered []byte, err error) string {
	return func(rendered []byte, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return string(rendered)
	}
}

// golden compares rendered with testdata/name.html. With -update, it writes the file instead.
func golden(t *testing.T, name, rendered string) {
	t.Helper()
	file := filepath.Join("testdata", name+".html")
	if *update {
		if err := os.WriteFile(file, []byte(rendered), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got, wanted := strings.Split(rendered, "\n"), strings.Split(string(want), "\n")
	for i := range min(len(got), len(wanted)) {
		if got[i] != wanted[i] {
			t.Fatalf("%s (update with go test ./templates -update): line %d is\n%s\nwant\n%s", file, i+1,
				got[i], wanted[i])
		}
	}
	if len(got) != len(wanted) {
		t.Errorf("%s (update with go test ./templates -update) has %d lines, and the result %d", file,
			len(wanted), len(got))
	}
}

// samples has a run in each state that looks different.
var samples = complete(map[string]app.ProcessRun{
	"created": {ID: 8, Kind: "simulated", Status: app.Created, Version: 1,
		CreatedAt: before(2 * time.Second)},
	"waiting": {
		ID: 7, Kind: "simulated", Status: app.Created, Version: 3, Attempt: 1,
		Error:     "the simulated work failed",
		CreatedAt: before(time.Minute), StartedAt: before(8 * time.Second),
		ScheduledAt: noon.Add(1500 * time.Millisecond),
	},
	"started": {
		ID: 6, Kind: "simulated", Status: app.Started, Version: 2, Attempt: 1,
		CreatedAt: before(3 * time.Minute), StartedAt: before(12 * time.Second),
	},
	"interrupted": {
		ID: 5, Kind: "simulated", Status: app.Started, Version: 6, Attempt: 1, Crashes: 2,
		CreatedAt: before(2 * time.Hour), StartedAt: before(90 * time.Second),
	},
	"completed": {
		ID: 4, Kind: "simulated", Status: app.Completed, Version: 3, Attempt: 1,
		CreatedAt: before(3 * time.Hour), StartedAt: before(3*time.Hour - time.Second),
		FinishedAt: before(3*time.Hour - 3400*time.Millisecond),
	},
	"failed": {
		ID: 3, Kind: "simulated", Status: app.Failed, Version: 3, Attempt: 1, Crashes: 1,
		Error:     `5 < 6 & "quoted" <b>not bold</b>`,
		CreatedAt: before(50 * time.Hour), StartedAt: before(49 * time.Hour),
		FinishedAt: before(48 * time.Hour),
	},
	"cancelled": {
		ID: 2, Kind: "simulated", Status: app.Cancelled, Version: 2,
		CreatedAt: before(100 * time.Hour), FinishedAt: before(99 * time.Hour),
	},
	"busy": {
		ID: 9, Kind: "simulated", Status: app.Started, Version: 5, Attempt: 2,
		Progress:  app.Progress{Percent: 40, Message: "copying <all> of it"},
		CreatedAt: before(time.Minute), StartedAt: before(20 * time.Second),
	},
	"cancelling": {
		ID: 10, Kind: "simulated", Status: app.Started, Version: 3, Attempt: 1,
		CreatedAt: before(time.Minute), StartedAt: before(20 * time.Second),
		CancelRequestedAt: before(12 * time.Second),
	},
})

// complete sets runs without progress to NoPercent, and UpdatedAt to the time of their last change.
func complete(runs map[string]app.ProcessRun) map[string]app.ProcessRun {
	for name, run := range runs {
		if run.Percent == 0 {
			run.Percent = app.NoPercent
		}
		run.UpdatedAt = slices.MaxFunc([]time.Time{run.CreatedAt, run.StartedAt, run.FinishedAt,
			run.CancelRequestedAt}, time.Time.Compare)
		runs[name] = run
	}
	return runs
}

// events is a history for the page of a run.
var events = []app.Event{
	{Version: 2, At: before(90 * time.Minute), Status: app.Started, Attempt: 1},
	{Version: 3, At: before(89 * time.Minute), Status: app.Created, Attempt: 1, Note: "it <failed>"},
	{Version: 4, At: before(89*time.Minute - 1500*time.Millisecond), Status: app.Started, Attempt: 2},
}

var overview = app.Overview{Counts: app.Counts{2, 1234, 1234567, 1, 0}}

// mixed returns all samples, newest first.
func mixed() (runs []app.ProcessRun) {
	for _, name := range []string{"cancelling", "busy", "created", "waiting", "started", "interrupted",
		"completed", "failed", "cancelled"} {
		runs = append(runs, samples[name])
	}
	return runs
}

func mixedPage() app.Page { return app.Page{Runs: mixed(), Overview: overview} }

// parsePage parses a whole page as browsers do.
func parsePage(t testing.TB, text string) *html.Node {
	t.Helper()
	root, err := html.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// htmx replaces its own elements by templates before it parses a fragment; see makeFragment in its source.
var (
	opening = regexp.MustCompile(`(?i)<hx-([a-z]+)(\s+|>)`)
	closing = regexp.MustCompile(`(?i)</hx-[a-z]+>`)
)

// parseFragment parses a response or a frame as htmx does: in a template, in which the parser accepts parts
// of tables alone but still drops those that stand in the wrong place.
func parseFragment(t testing.TB, text string) *html.Node {
	t.Helper()
	text = opening.ReplaceAllString(text, `<template hx type="$1"$2`)
	text = closing.ReplaceAllString(text, `</template>`)
	for node := range parsePage(t, "<template>"+text+"</template>").Descendants() {
		if node.Data == "template" {
			return node
		}
	}
	t.Fatal("the fragment has no template element")
	return nil
}

// elements returns the elements below root for which wanted is true, in document order.
func elements(root *html.Node, wanted func(*html.Node) bool) (found []*html.Node) {
	for node := range root.Descendants() {
		if node.Type == html.ElementNode && wanted(node) {
			found = append(found, node)
		}
	}
	return found
}

func named(name string) func(*html.Node) bool {
	return func(node *html.Node) bool { return node.Data == name }
}

func withClass(name string) func(*html.Node) bool {
	return func(node *html.Node) bool {
		return slices.Contains(strings.Fields(attribute(node, "class")), name)
	}
}

// byID returns the element with an id, and ends the test unless there is exactly one.
func byID(t testing.TB, root *html.Node, id string) *html.Node {
	t.Helper()
	found := elements(root, func(node *html.Node) bool { return attribute(node, "id") == id })
	if len(found) != 1 {
		t.Fatalf("%d elements have the id %q", len(found), id)
	}
	return found[0]
}

// attribute returns the value of an attribute, or "" if the element does not have it.
func attribute(node *html.Node, key string) string { return attributes(node)[key] }

func attributes(node *html.Node) map[string]string {
	all := map[string]string{}
	for _, a := range node.Attr {
		all[a.Key] = a.Val
	}
	return all
}

func textOf(node *html.Node) string {
	var text strings.Builder
	for below := range node.Descendants() {
		if below.Type == html.TextNode {
			text.WriteString(below.Data)
		}
	}
	return text.String()
}
