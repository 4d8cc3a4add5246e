package templates_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"runboard/app"
	"runboard/templates"
)

func TestBoard_SaysHowToContinueASearch(t *testing.T) {
	t.Parallel()
	for direction, want := range map[app.Direction]string{
		app.Latest: "Search older", app.Before: "Search older", app.After: "Search newer",
	} {
		page := app.Page{
			Query: app.Query{Filter: app.Filter{Text: "needle"}}.WithCursor(direction, 7), SearchCursor: 5000,
			MatchCountCapped: true,
			HasOlder:         direction != app.After, HasNewer: direction == app.After,
		}
		text := string(must(t)(newTemplates(t).Board(page, withKey)))
		link, stopped := `href="/process_runs?before=5000&amp;q=needle"`, "back to #5000"
		if direction == app.After {
			link, stopped = `href="/process_runs?after=5000&amp;q=needle"`, "up to #5000"
		}
		for _, untrue := range []string{"runs match", "No older runs", "No newer runs", "0+"} {
			if strings.Contains(text, untrue) {
				t.Errorf("direction %d: the page says %q", direction, untrue)
			}
		}
		said := textOf(byID(t, parsePage(t, text), "matches"))
		if said != "No match so far. Searched "+stopped+". "+want || !strings.Contains(text, link) ||
			!strings.Contains(text, "No match "+stopped+".") {
			t.Errorf("direction %d: the page says %q", direction, said)
		}
	}
}

func TestBoard_ChipsRemoveTheirCondition(t *testing.T) {
	t.Parallel()
	tmpl := newTemplatesOf(t, backup(), app.Kind{Name: "report"})
	at := app.At(noon.Add(-time.Hour))
	all := app.Filter{
		Filtered: true, Status: app.Failed, Kind: "backup", Text: "disk full", Since: at,
		Inputs: app.NewInputFilter(map[string]string{"database": "shop"}),
	}
	page := app.Page{Query: app.Query{Filter: all, Rows: 50}}
	root := parsePage(t, must(t)(tmpl.Board(page, withKey)))
	const base = "/process_runs?"
	for i, want := range []struct{ text, path string }{
		{"“disk full”",
			"input.database=shop&kind=backup&rows=50&since=2026-11-02T11%3A00%3A00Z&status=failed"},
		{"Kind: Back up a <database>",
			"input.database=shop&q=disk+full&rows=50&since=2026-11-02T11%3A00%3A00Z&status=failed"},
		{"Created from 2 Nov 2026, 11:00:00 UTC",
			"input.database=shop&kind=backup&q=disk+full&rows=50&status=failed"},
		{"Database: shop", "kind=backup&q=disk+full&rows=50&since=2026-11-02T11%3A00%3A00Z&status=failed"},
	} {
		chip := elements(byID(t, root, "live"), withClass("chip"))[i]
		if got := textOf(chip); !strings.HasPrefix(got, want.text) {
			t.Errorf("chip %d says %q, want %q", i, got, want.text)
		}
		if got := attribute(chip, "href"); got != base+want.path || attribute(chip, "hx-get") != got {
			t.Errorf("chip %q leads to %s", want.text, got)
		}
	}
	got := attribute(byID(t, root, "clear_filters"), "href")
	if got != "/process_runs?rows=50&status=failed" {
		t.Errorf("the filters are cleared by %s", got)
	}
}

func TestBoard_WithoutFilterHasNoChips(t *testing.T) {
	t.Parallel()
	for _, query := range []app.Query{{}, app.ByStatus(app.Failed), {Rows: 100}} {
		root := parsePage(t, must(t)(newTemplates(t).Board(app.Page{Query: query}, withKey)))
		if chips := elements(root, withClass("chip")); len(chips) > 0 {
			t.Errorf("%+v has %d chips", query, len(chips))
		}
	}
}

func TestBoard_TitleNamesTheFilter(t *testing.T) {
	t.Parallel()
	tmpl := newTemplates(t, "report", "other")
	for want, filter := range map[string]app.Filter{
		"Runs":        {},
		"Failed runs": {Filtered: true, Status: app.Failed},
		"Failed runs · report · “disk full”": {
			Filtered: true, Status: app.Failed, Kind: "report", Text: "disk full",
		},
		"Runs · filtered": {Failure: 3},
	} {
		html := must(t)(tmpl.Board(app.Page{Query: app.Query{Filter: filter}}, withKey))
		title := textOf(elements(parsePage(t, html), named("title"))[0])
		if title != want+" · Runboard" {
			t.Errorf("the title is %q, want %q", title, want)
		}
	}
}

func TestBoard_TabsCountWithinTheFilter(t *testing.T) {
	t.Parallel()
	page := mixedPage()
	page.Query.Kind = "simulated"
	page.Tabs.Counts = app.Counts{app.Created: 1000, app.Failed: 7}
	page.Tabs.Capped[app.Created] = true
	page.MatchCount = 9970
	tmpl := newTemplates(t)
	_, changed := changedPages(mixed(), overview)
	changed.Query, changed.Tabs, changed.MatchCount = page.Query, page.Tabs, page.MatchCount
	for name, root := range map[string]*html.Node{
		"the page":        parsePage(t, must(t)(tmpl.Board(page, withKey))),
		"the list frame":  parseFragment(t, must(t)(tmpl.ListFrame(page))),
		"the cells frame": parseFragment(t, must(t)(tmpl.CellsFrame(changed, changed))),
	} {
		for id, want := range map[string]string{
			"count_created": "1,000 data-capped", "count_failed": "7", "count_started": "0 data-none",
			"count_all": "9,970",
		} {
			if got := shownCount(t, root, id); got != want {
				t.Errorf("%s has the %s %q, want %q", name, id, got, want)
			}
		}
	}
}

// shownCount returns the text of a count with the names of its attributes.
func shownCount(t *testing.T, root *html.Node, id string) string {
	t.Helper()
	count := byID(t, root, id)
	text := textOf(count)
	for _, a := range count.Attr {
		if a.Key != "id" {
			text += " " + a.Key
		}
	}
	return text
}

// A list counts further than the tabs of other lists.
func TestBoard_TabOfTheListHasItsNumber(t *testing.T) {
	t.Parallel()
	page := mixedPage()
	page.Query.Filter = app.Filter{Filtered: true, Status: app.Created, Kind: "simulated"}
	page.Tabs.Counts = app.Counts{app.Created: 1000, app.Failed: 7}
	page.Tabs.Capped[app.Created] = true
	page.MatchCount = 9800
	for capped, want := range map[bool][]string{
		false: {"9,800 runs match", "9,800", "9,807"},
		true:  {"9,800+ runs match", "9,800 data-capped", "9,807 data-capped"},
	} {
		page.MatchCountCapped = capped
		root := parsePage(t, must(t)(newTemplates(t).Board(page, withKey)))
		got := []string{
			textOf(byID(t, root, "matches")), shownCount(t, root, "count_created"),
			shownCount(t, root, "count_all"),
		}
		if !slices.Equal(got, want) {
			t.Errorf("the board says %q, want %q", got, want)
		}
	}
}

func TestBoard_OffersWhatASearchNames(t *testing.T) {
	t.Parallel()
	tmpl := newTemplates(t, "flaky", "flaky-too", "report")
	run := samples["failed"]
	for _, test := range []struct {
		text  string
		found app.ProcessRun
		want  string
	}{
		{"", app.ProcessRun{}, ""},
		{"disk", app.ProcessRun{}, ""},
		{"3", run, "Run #3 failed /process_runs/3"},
		{"FLAKY", app.ProcessRun{}, "Kind: flaky /process_runs?kind=flaky, " +
			"Kind: flaky-too /process_runs?kind=flaky-too"},
	} {
		page := app.Page{Query: app.Query{Filter: app.Filter{Text: test.text}}}
		root := parsePage(t, must(t)(tmpl.Board(page, templates.BoardOptions{Found: test.found})))
		var offers []string
		for _, link := range elements(byID(t, root, "offers"), named("a")) {
			offers = append(offers, textOf(link)+" "+attribute(link, "href"))
		}
		if got := strings.Join(offers, ", "); got != test.want {
			t.Errorf("%q is offered %q, want %q", test.text, got, test.want)
		}
	}
}

func TestBoard_OffersSpansOfTime(t *testing.T) {
	t.Parallel()
	tmpl := newTemplates(t)
	for _, test := range []struct{ since, until, selected, from, to string }{
		{"", "", "", "", ""},
		{"24h", "", "24h", "", ""},
		{"90m", "", "1h30m0s", "", ""},
		{"2026-11-01T10:00Z", "", "custom", "2026-11-01T10:00:00", ""},
		{"2h", "1h", "custom", "2026-11-02T10:00:00", "2026-11-02T11:00:00"},
	} {
		var filter app.Filter
		bounds := map[string]*app.TimeBound{test.since: &filter.Since, test.until: &filter.Until}
		for text, bound := range bounds {
			if text != "" {
				*bound, _ = app.ParseTimeBound(text)
			}
		}
		page := app.Page{Query: app.Query{Filter: filter}}
		root := parsePage(t, must(t)(tmpl.Board(page, withKey)))
		selected := ""
		for _, option := range elements(byID(t, root, "search_created"), named("option")) {
			for _, a := range option.Attr {
				if a.Key == "selected" {
					selected = attribute(option, "value")
				}
			}
		}
		fields := elements(byID(t, root, "time_range"), named("input"))
		from, to := attribute(fields[0], "value"), attribute(fields[1], "value")
		if selected != test.selected || from != test.from || to != test.to {
			t.Errorf("%s until %s: %q is selected, from %q to %q", test.since, test.until, selected, from, to)
		}
	}
}

func TestBoard_SaysWhyItIsEmpty(t *testing.T) {
	t.Parallel()
	tmpl := newTemplatesOf(t, backup(), app.Kind{Name: "report"})
	failed := app.Filter{Filtered: true, Status: app.Failed, Kind: "backup"}
	for want, page := range map[string]app.Page{
		"No runs of Back up a <database> yet. Start one /kinds/backup#start": {
			Query: app.Query{Filter: app.Filter{Kind: "backup"}, Rows: 50}},
		"No failed runs match. Clear filters /process_runs?status=failed": {Query: app.Query{Filter: failed}},
		"No runs match. Clear filters /process_runs":                      {Query: app.Query{Filter: app.Filter{Kind: "gone"}}},
		"There is no run #99. Clear filters /process_runs": {
			Query: app.Query{Filter: app.Filter{Text: "#99"}}, MissingRun: 99},
	} {
		root := parsePage(t, must(t)(tmpl.Board(page, withKey)))
		cell := elements(byID(t, root, "process_runs"), withClass("empty"))[0]
		got := textOf(cell) + " " + attribute(elements(cell, named("a"))[0], "href")
		if got != want {
			t.Errorf("the board says %q, want %q", got, want)
		}
	}
}
