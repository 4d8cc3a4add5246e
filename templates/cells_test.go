package templates_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"runboard/app"
	"runboard/templates"
)

// columns are the columns of a row that change.
var columns = []string{"status", "message", "attempt", "waited", "duration", "started", "actions"}

// cellTexts returns the texts of the cells of a row that change, by their column.
func cellTexts(t *testing.T, run app.ProcessRun) map[string]string {
	t.Helper()
	row := parseFragment(t, "<table>"+must(t)(newTemplates(t).Row(run))+"</table>")
	texts := map[string]string{}
	for _, column := range columns {
		texts[column] = strings.TrimSpace(textOf(byID(t, row, templates.RowID(run.ID)+"_"+column)))
	}
	return texts
}

func TestRow_SaysHowARunGoes(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]map[string]string{
		"created": {"status": "created", "message": "", "attempt": "", "duration": "",
			"started": "created just now", "actions": "Cancel"},
		"waiting":    {"message": "next try in 1.5 s after: the simulated work failed", "attempt": "1/3"},
		"started":    {"status": "started", "message": "", "duration": "12 s", "started": "12 s ago"},
		"busy":       {"message": "40% copying <all> of it", "attempt": "2/3", "duration": "20 s"},
		"cancelling": {"message": "cancelling… no reaction for 12 s", "actions": ""},
		"completed":  {"message": "", "duration": "2.4 s", "actions": ""},
		"failed": {"message": `5 < 6 & "quoted" <b>not bold</b>`, "duration": "1 h", "started": "2 days ago",
			"actions": "Retry"},
		"cancelled": {"duration": "", "started": "created 4 days ago", "actions": "Retry"},
	} {
		texts := cellTexts(t, samples[name])
		for column, text := range want {
			if texts[column] != text {
				t.Errorf("the %s of a run that is %s is %q, want %q", column, name, texts[column], text)
			}
		}
	}
}

func TestRow_SaysHowLongARunWaited(t *testing.T) {
	t.Parallel()
	run := samples["started"]
	run.FencingToken = 1
	if got := cellTexts(t, run)["waited"]; got != "2 min 48 s" {
		t.Errorf("it waited %q", got)
	}
	run.FencingToken = 2 // when it was created again is not known
	if got := cellTexts(t, run)["waited"]; got != "" {
		t.Errorf("a run that was started twice waited %q", got)
	}
	run.QueuedAt = run.StartedAt.Add(-3 * time.Second)
	if got := cellTexts(t, run)["waited"]; got != "3 s" {
		t.Errorf("a run that was queued again waited %q", got)
	}
	created := samples["created"]
	created.UpdatedAt = before(75 * time.Second)
	if got := cellTexts(t, created)["waited"]; got != "1 min 15 s" {
		t.Errorf("it waits for %q", got)
	}
}

func TestRow_SplitsTheErrorOfACommand(t *testing.T) {
	t.Parallel()
	run := samples["failed"]
	run.Error = "exit status 3 reading\n  the ledger\nconnection refused by db-3000"
	html := must(t)(newTemplates(t).Row(run))
	row := parseFragment(t, "<table>"+html+"</table>")
	if got := textOf(elements(row, withClass("exit"))[0]); got != "exit 3" {
		t.Errorf("the exit status is %q", got)
	}
	cell := byID(t, row, "process_run_3_message")
	if got := textOf(cell); got != "exit 3 connection refused by db-3000" {
		t.Errorf("the message is %q", got)
	}
	if got := attribute(cell, "title"); got != run.Error {
		t.Errorf("the title is %q", got)
	}
	run.Error = strings.Repeat("long ", 60)
	if got := cellTexts(t, run)["message"]; len([]rune(got)) != 160 || !strings.HasSuffix(got, "…") {
		t.Errorf("a long error is shown as %q", got)
	}
}

func TestRow_ComparesWithTheUsualDuration(t *testing.T) {
	t.Parallel()
	run := samples["started"] // for 12 s
	for usual, want := range map[time.Duration]struct {
		percent string
		over    bool
	}{0: {}, 400 * time.Millisecond: {}, 48 * time.Second: {"25", false}, 10 * time.Second: {"100", false},
		5 * time.Second: {"100", true}} {
		page := app.Page{Runs: []app.ProcessRun{run}, Usual: map[string]time.Duration{"simulated": usual}}
		frame := parseFragment(t, must(t)(newTemplates(t).ListFrame(page)))
		cell := byID(t, frame, "process_run_6_duration")
		percent := ""
		for _, bar := range elements(cell, named("progress")) {
			percent = attribute(bar, "value")
		}
		over := slices.Contains(strings.Fields(attribute(cell, "class")), "over")
		if percent != want.percent || over != want.over {
			t.Errorf("usually %s: the bar is at %q, over %t", usual, percent, over)
		}
	}
}

// A frame has only the cells that changed: progress comes often.
func TestCellsFrame_HasOnlyChangedCells(t *testing.T) {
	t.Parallel()
	tmpl := newTemplates(t)
	changed := func(change func(run *app.ProcessRun)) []string {
		old := samples["busy"]
		run := old
		run.Version++
		change(&run)
		pages := []app.Page{{Runs: []app.ProcessRun{old}}, {Runs: []app.ProcessRun{run}}}
		var columns []string
		for _, part := range parts(t, must(t)(tmpl.CellsFrame(pages[0], pages[1]))) {
			if column, is := strings.CutPrefix(part, "td#process_run_9_"); is {
				columns = append(columns, column)
			}
		}
		return columns
	}
	for name, test := range map[string]struct {
		change func(run *app.ProcessRun)
		want   []string
	}{
		"progress": {func(run *app.ProcessRun) { run.Percent++ }, []string{"status", "message"}},
		"a request to stop": {func(run *app.ProcessRun) { run.CancelRequestedAt = noon },
			[]string{"status", "message", "actions"}},
		"an end": {func(run *app.ProcessRun) {
			run.Status, run.FinishedAt, run.Message = app.Completed, noon, ""
		},
			[]string{"status", "message", "duration", "actions"}},
	} {
		if got := changed(test.change); !slices.Equal(got, test.want) {
			t.Errorf("%s changes %v, want %v", name, got, test.want)
		}
	}
}
