package templates_test

import (
	"slices"
	"strings"
	"testing"

	"runboard/app"
)

// runningPage is a page with two runs, one of them started, and with older started runs.
func runningPage(older ...int64) app.Page {
	page := app.Page{Overview: overview, HasOlder: true}
	created, started := samples["created"], samples["started"]
	created.ID, started.ID = 99, 98
	page.Runs = []app.ProcessRun{created, started}
	for _, id := range older {
		run := samples["busy"]
		run.ID = id
		page.Running = append(page.Running, run)
	}
	page.Overview.Counts = app.Counts{app.Created: 1, app.Started: 15}
	return page
}

func TestRunning_KeepsOlderRunsInSight(t *testing.T) {
	t.Parallel()
	root := parsePage(t, must(t)(newTemplates(t).Board(runningPage(3, 4), withKey)))
	group := byID(t, root, "running")
	var rows []string
	for _, row := range elements(group, named("tr")) {
		rows = append(rows, attribute(row, "id"))
	}
	if want := []string{"", "running_3", "running_4", ""}; !slices.Equal(rows, want) {
		t.Errorf("the rows are %q, want %q", rows, want)
	}
	text := textOf(group)
	for _, want := range []string{"Running (15)", "1 in the list below", "#3", "40% copying", "and 12 more"} {
		if !strings.Contains(text, want) {
			t.Errorf("the group does not say %q: %s", want, text)
		}
	}
	links := elements(group, named("a"))
	if got := attribute(links[len(links)-1], "href"); got != "/process_runs?status=started" {
		t.Errorf("the others are at %s", got)
	}
	for _, cell := range elements(group, named("td")) { // its runs have no row and no status cell on the page
		if id := attribute(cell, "id"); id != "" || attribute(cell, "data-status") != "" {
			t.Errorf("a cell of the group has the id %q", id)
		}
	}
}

func TestRunning_IsHiddenWithoutRuns(t *testing.T) {
	t.Parallel()
	group := byID(t, parsePage(t, must(t)(newTemplates(t).Board(runningPage(), withKey))), "running")
	if _, hidden := attributes(group)["hidden"]; !hidden || strings.TrimSpace(textOf(group)) != "" {
		t.Errorf("the group is %s", markup(t, group))
	}
}

func TestRunning_FramesHaveItsChanges(t *testing.T) {
	t.Parallel()
	tmpl := newTemplates(t)
	changes := func(old, page app.Page) (changed []string) {
		for _, part := range parts(t, must(t)(tmpl.CellsFrame(old, page))) {
			if strings.HasPrefix(part, "#running") {
				changed = append(changed, part)
			}
		}
		return changed
	}
	old := runningPage(3, 4)
	if got := changes(old, runningPage(3, 4)); got != nil {
		t.Errorf("without a change, the frame has %v", got)
	}
	moved := runningPage(3, 4)
	moved.Running[1].Version++
	if got := changes(old, moved); !slices.Equal(got, []string{"#running_4: tr#running_4"}) {
		t.Errorf("after progress, the frame has %v", got)
	}
	for name, page := range map[string]app.Page{"an end": runningPage(4), "a start": runningPage(3, 4, 5)} {
		if got := changes(old, page); !slices.Equal(got, []string{"#running: tbody#running"}) {
			t.Errorf("after %s, the frame has %v", name, got)
		}
	}
	more := runningPage(3, 4)
	more.Overview.Counts[app.Started]++
	if got := changes(old, more); !slices.Equal(got, []string{"#running: tbody#running"}) {
		t.Errorf("after a start elsewhere, the frame has %v", got)
	}
}
