package templates_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"runboard/app"
	"runboard/templates"
)

// rendered serializes a parsed element, so that tests can compare two of them.
func markup(t *testing.T, node *html.Node) string {
	t.Helper()
	var text strings.Builder
	if err := html.Render(&text, node); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// contents parses a frame as htmx does, and lists its parts: "td#id" for a cell and "#target: element#id …"
// for a partial. It reports an error for anything that htmx would swap into the region itself.
func parts(t *testing.T, frame string) (found []string) {
	t.Helper()
	for node := range parseFragment(t, frame).ChildNodes() {
		switch {
		case node.Type == html.TextNode && strings.TrimSpace(node.Data) == "":
		case node.Data == "td" && attribute(node, "hx-swap-oob") == "outerMorph":
			found = append(found, "td#"+attribute(node, "id"))
		case node.Data == "template" && attribute(node, "type") == "partial" &&
			attribute(node, "hx-swap") == "outerMorph":
			inside := []string{attribute(node, "hx-target") + ":"}
			for child := range node.ChildNodes() {
				inside = append(inside, child.Data+"#"+attribute(child, "id"))
			}
			found = append(found, strings.Join(inside, " "))
		case node.Data == "template" && attribute(node, "type") == "partial" &&
			attribute(node, "hx-swap") == "delete":
			found = append(found, attribute(node, "hx-target")+" goes")
		default:
			t.Errorf("a part without a target: %s", markup(t, node))
		}
	}
	return found
}

// overviewParts are the parts of every frame that show the state of the whole board.
var overviewParts = []string{
	"#nav_failed: b#nav_failed",
	"#count_all: b#count_all",
	"#count_created: b#count_created", "#count_started: b#count_started",
	"#count_completed: b#count_completed",
	"#count_failed: b#count_failed", "#count_cancelled: b#count_cancelled",
	"#unhandled: p#unhandled",
	"#paused_kinds: p#paused_kinds",
}

// runPartsOf returns the parts of the page of run 3 with these names and elements.
func runPartsOf(names ...string) (parts []string) {
	for _, name := range names {
		part, element, _ := strings.Cut(name, ": ")
		id := "#process_run_3_" + part
		parts = append(parts, id+": "+element+id)
	}
	return parts
}

func cellsOf(runs []app.ProcessRun) (cells []string) {
	for _, run := range runs {
		cells = append(cells, "td#"+templates.StatusID(run.ID))
	}
	return cells
}

// rowCellsOf returns all cells of a row that change.
func rowCellsOf(run int64) (cells []string) {
	for _, column := range columns {
		cells = append(cells, "td#"+templates.RowID(run)+"_"+column)
	}
	return cells
}

func TestFrames_HaveOnlyTargetedParts(t *testing.T) {
	t.Parallel()
	tmpl := newTemplates(t, "simulated", "report")
	render := must(t)
	list := []string{"#process_runs: tbody#process_runs", "#running: tbody#running",
		"#pager_top: nav#pager_top", "#pager: nav#pager"}
	for name, test := range map[string]struct {
		frame string
		want  []string
	}{
		"the list":       {render(tmpl.ListFrame(mixedPage())), list},
		"the empty list": {render(tmpl.ListFrame(app.Page{})), list},
		"the cells":      {render(tmpl.CellsFrame(changedPages(mixed(), overview))), cellsOf(mixed())},
		"one cell": {
			render(tmpl.CellsFrame(changedPages(mixed()[:1], overview))), cellsOf(mixed()[:1]),
		},
		"chosen cells": {
			render(tmpl.RowCells([]int64{99, 3}, []app.ProcessRun{samples["failed"]})) +
				render(tmpl.CellsFrame(changedPages(nil, overview))),
			append(rowCellsOf(3), "#process_run_99 goes"),
		},
		"no cells": {render(tmpl.CellsFrame(changedPages(nil, overview))), nil},
		"a run": {
			render(tmpl.RunFrame(app.RunPage{Run: samples["failed"], Overview: overview})),
			append([]string{"td#process_run_3_status"},
				runPartsOf("title: span", "state: p", "actions: span", "menu: span",
					"progress: div", "problem: div", "facts: tbody", "attempts: div", "events: ol")...),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := slices.Concat(test.want, overviewParts)
			if got := parts(t, test.frame); !slices.Equal(got, want) {
				t.Errorf("parts\n%q\nwant\n%q\nin\n%s", got, want, test.frame)
			}
		})
	}
}

// htmx ignores a part whose target is missing, so users would see stale content without any error.
func TestPages_HaveTheTargetsOfFrames(t *testing.T) {
	t.Parallel()
	tmpl := newTemplates(t)
	render := must(t)
	single := app.RunPage{Run: samples["failed"], Overview: overview}
	board := parsePage(t, render(tmpl.Board(mixedPage(), withKey)))
	run := parsePage(t, render(tmpl.Run(single, templates.RunList{})))
	for _, part := range append(parts(t, render(tmpl.ListFrame(mixedPage()))),
		parts(t, render(tmpl.CellsFrame(changedPages(mixed(), overview))))...) {
		byID(t, board, idIn(part))
	}
	for _, part := range parts(t, render(tmpl.RunFrame(single))) {
		if !slices.Contains(overviewParts, part) { // only the list page has these
			byID(t, run, idIn(part))
		}
	}
}

// idIn returns the id at the end of a part of contents.
func idIn(part string) string { return part[strings.LastIndex(part, "#")+1:] }

// bare serializes a status cell without hx-swap-oob, which only frames need.
func bare(t *testing.T, cell *html.Node) string {
	t.Helper()
	cell.Attr = slices.DeleteFunc(cell.Attr, func(a html.Attribute) bool { return a.Key == "hx-swap-oob" })
	return markup(t, cell)
}

func TestStatusCell_IsEqualOnPagesAndFrames(t *testing.T) {
	t.Parallel()
	tmpl := newTemplates(t)
	render := must(t)
	for name, run := range samples {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id := templates.StatusID(run.ID)
			page, single := app.Page{Runs: []app.ProcessRun{run}}, app.RunPage{Run: run}
			want := bare(t, byID(t, parsePage(t, render(tmpl.Board(page, templates.BoardOptions{}))), id))
			for place, root := range map[string]*html.Node{
				"the run's page": parsePage(t, render(tmpl.Run(single, templates.RunList{}))),
				"the row":        parseFragment(t, render(tmpl.Row(run))),
				"the cell":       parseFragment(t, render(tmpl.Status(run))),
				"the list frame": parseFragment(t, render(tmpl.ListFrame(page))),
				"the cells frame": parseFragment(t,
					render(tmpl.CellsFrame(changedPages(page.Runs, overview)))),
				"the run frame": parseFragment(t, render(tmpl.RunFrame(single))),
			} {
				if got := bare(t, byID(t, root, id)); got != want {
					t.Errorf("%s renders\n%s\nthe board renders\n%s", place, got, want)
				}
			}
		})
	}
}

// htmx would tear an out-of-band cell out of a page or a row.
func TestStatusCell_IsOutOfBandOnlyInFrames(t *testing.T) {
	t.Parallel()
	tmpl := newTemplates(t)
	render := must(t)
	const attribute = `hx-swap-oob="outerMorph"`
	for _, text := range []string{
		render(tmpl.Board(mixedPage(), templates.BoardOptions{})), render(tmpl.Live(mixedPage())),
		render(tmpl.Row(samples["failed"])),
		render(tmpl.Status(samples["failed"])), render(tmpl.ListFrame(mixedPage())),
		render(tmpl.Run(app.RunPage{Run: samples["failed"]}, templates.RunList{})),
	} {
		if strings.Contains(text, attribute) {
			t.Errorf("a page or a row has an out-of-band cell:\n%s", text)
		}
	}
	frame := render(tmpl.CellsFrame(changedPages(mixed(), overview)))
	if got := strings.Count(frame, attribute); got != len(mixed()) {
		t.Errorf("%d of %d cells of a frame are out of band", got, len(mixed()))
	}
}

func TestListFrame_HasEveryRow(t *testing.T) {
	t.Parallel()
	for columns, kinds := range map[int][]string{9: {"simulated"}, 10: {"simulated", "report"}} {
		frame := must(t)(newTemplates(t, kinds...).ListFrame(mixedPage()))
		rows := elements(byID(t, parseFragment(t, frame), "process_runs"), named("tr"))
		if len(rows) != len(mixed()) {
			t.Fatalf("%d rows, want %d", len(rows), len(mixed()))
		}
		for i, run := range mixed() {
			if got, want := attribute(rows[i], "id"),
				"process_run_"+strconv.FormatInt(run.ID, 10); got != want {
				t.Errorf("row %d has the id %q, want %q", i, got, want)
			}
			cells := elements(rows[i],
				func(node *html.Node) bool { return node.Data == "th" || node.Data == "td" })
			if len(cells) != columns || attribute(cells[2], "id") != templates.StatusID(run.ID) {
				t.Errorf("row %d has %d cells: %s", i, len(cells), markup(t, rows[i]))
			}
		}
	}
}

// longNumbers is a full page of runs after years of use, with long ids, in the status that takes most room,
// and with a typical error.
func longNumbers() app.Page {
	page := app.Page{HasOlder: true, HasNewer: true, Overview: overview}
	page.Query = app.Query{Filter: app.Filter{Filtered: true, Status: app.Created}, Direction: app.Before,
		Cursor: 987_654_321_987}
	for i := range int64(app.PageSize) {
		run := samples["waiting"]
		run.ID, run.Version = 987_654_321_986-i, 12_345
		page.Runs = append(page.Runs, run)
	}
	for status := range page.Counts {
		page.Counts[status] = 987_654_321_987
	}
	return page
}

// Each change of a list sends a frame to each subscriber, so frames have to be small.
func TestListFrame_StaysSmall(t *testing.T) {
	t.Parallel()
	const limit = 38 << 10
	size := len(must(t)(newTemplates(t).ListFrame(longNumbers())))
	t.Logf("%d bytes", size)
	if size >= limit {
		t.Errorf("%d bytes, want less than %d", size, limit)
	}
}

// A deleted run has a status without a version, and nothing to do with it.
func TestDeletedFrame_RemovesWhatNoLongerApplies(t *testing.T) {
	t.Parallel()
	tmpl := newTemplates(t)
	run := parsePage(t, must(t)(tmpl.Run(app.RunPage{Run: samples["failed"]}, templates.RunList{})))
	want := []string{"td#process_run_3_status", "#process_run_3_title: span#process_run_3_title"}
	for _, part := range []string{"state", "actions", "menu", "progress", "problem", "facts", "attempts"} {
		byID(t, run, "process_run_3_"+part)
		want = append(want, "#process_run_3_"+part+" goes")
	}
	want = append(want, "#deleted: p#deleted")
	if got := parts(t, must(t)(tmpl.DeletedFrame(3))); !slices.Equal(got, want) {
		t.Errorf("parts\n%q\nwant\n%q", got, want)
	}
}
