package templates_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"runboard/app"
	"runboard/templates"
)

// logLines returns lines of a log, one after the other.
func logLines(at int64, texts ...string) (lines []app.LogLine) {
	for _, text := range texts {
		lines = append(lines, app.LogLine{At: at, Text: text, Number: 1201 + int64(len(lines))})
		at += int64(len(text)) + 1
	}
	return lines
}

// comparison returns a comparison of a failed run with a completed one of the same kind.
func comparison() templates.Comparison {
	failed := app.ProcessRun{
		ID: 42, Kind: "simulated", Status: app.Failed, Attempt: 1, FencingToken: 1,
		Error:     "exit status 3\n<b>disk full</b>",
		CreatedAt: before(20 * time.Minute), StartedAt: before(15 * time.Minute),
		FinishedAt: before(5 * time.Minute),
		Inputs:     `{"mode":"<i>bad</i>","region":"eu","only":["a","b"]}`, InputCount: 3,
	}
	completed := failed
	completed.ID, completed.Status, completed.Error = 17, app.Completed, ""
	completed.CreatedAt, completed.StartedAt = before(70*time.Minute), before(69*time.Minute)
	completed.FinishedAt = before(65 * time.Minute)
	completed.Inputs = `{"mode":"good","region":"eu","new":true}`
	return templates.Comparison{
		Left:  app.RunPage{Run: failed, Overview: overview},
		Right: app.RunPage{Run: completed, Overview: overview},
		Logs: app.LogComparison{
			Alike: 1200, Bytes: 48000,
			Left: app.ComparedLog{
				Before: logLines(47000, "step 1", "step 2", "step 3"),
				Lines:  logLines(48000, "<script>alert(1)</script>", "", "cleanup 1", "cleanup 2", "failed"),
			},
			Right: app.ComparedLog{
				Before: logLines(44000, "step 4", "step 5", "step 6"),
				Lines:  logLines(45000, "cleanup 7", "cleanup 8", "done"), More: true,
			},
		},
	}
}

func TestCompare_Golden(t *testing.T) {
	t.Parallel()
	tmpl, render := newTemplates(t), must(t)
	golden(t, "compare", render(tmpl.Compare(comparison())))
	other := comparison()
	other.Right.Run.Kind, other.Right.Run.Inputs, other.Left.Run.Inputs = "report", "", ""
	other.Logs = app.LogComparison{Alike: 7}
	golden(t, "compare_alike", render(tmpl.Compare(other)))
}

// comparedRows returns the rows of the compared logs, with the marks of lines that differ.
func comparedRows(t *testing.T, from templates.Comparison) (rows []string) {
	t.Helper()
	root := parsePage(t, must(t)(newTemplates(t).Compare(from)))
	for _, row := range elements(elements(root, withClass("logs"))[0], named("tr"))[1:] {
		var cells []string
		for _, cell := range elements(row, named("td")) {
			text := textOf(cell)
			for mark, name := range map[string]string{"−": "del", "+": "ins"} {
				if len(elements(cell, named(name))) > 0 {
					text = mark + text
				}
			}
			cells = append(cells, text)
		}
		rows = append(rows, strings.Join(cells, "|"))
	}
	return rows
}

func TestCompare_AlignsAlikeLines(t *testing.T) {
	t.Parallel()
	want := []string{
		"1,197 alike lines",
		"step 1|step 4", "step 2|step 5", "step 3|step 6",
		"−<script>alert(1)</script>|", "−|", "cleanup 1|cleanup 7", "cleanup 2|cleanup 8", "−failed|+done",
	}
	if got := comparedRows(t, comparison()); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the rows are\n%s", strings.Join(got, "\n"))
	}
}

func TestCompare_LeavesOutAlikeLinesFarFromAChange(t *testing.T) {
	t.Parallel()
	var same []string
	for i := range 20 {
		same = append(same, fmt.Sprintf("%s same", strings.Repeat("x", i+1)))
	}
	from := comparison()
	from.Logs = app.LogComparison{
		Left:  app.ComparedLog{Lines: logLines(0, append(append([]string{"first"}, same...), "last")...)},
		Right: app.ComparedLog{Lines: logLines(0, append(append([]string{"other"}, same...), "end")...)},
	}
	rows := comparedRows(t, from)
	if len(rows) != 1+3+1+3+1 || rows[0] != "−first|+other" || rows[4] != "14 alike lines" ||
		rows[8] != "−last|+end" {
		t.Errorf("the rows are\n%s", strings.Join(rows, "\n"))
	}
}

func TestCompare_BoundsItsRows(t *testing.T) {
	t.Parallel()
	var left, right []string
	for i := range 2000 {
		left = append(left, "left "+strings.Repeat("a", i%50+1)+strings.Repeat("é", 1000))
		right = append(right, "right "+strings.Repeat("b", i%70+1))
	}
	from := comparison()
	from.Logs = app.LogComparison{
		Left:  app.ComparedLog{Lines: logLines(0, left...)},
		Right: app.ComparedLog{Lines: logLines(0, right...)},
	}
	html := must(t)(newTemplates(t).Compare(from))
	if rows := strings.Count(html, "<tr class=\"differs\""); rows > 410 || len(html) > 1<<20 {
		t.Errorf("it has %d rows and %d bytes", rows, len(html))
	}
	if !strings.Contains(html, "The logs go on:") {
		t.Error("it does not say that the logs go on")
	}
	if links := strings.Count(html, `title="Show in the log"`); links > 2 {
		t.Errorf("one difference has %d links", links)
	}
}

func TestCompare_SaysHowFarTheLogsAreAlike(t *testing.T) {
	t.Parallel()
	some := logLines(0, "one")
	for want, logs := range map[string]app.LogComparison{
		"The logs are alike.": {Alike: 3},
		"What is kept of the logs is alike.": {Alike: 3,
			Right: app.ComparedLog{Dropped: true}},
		"Neither run has written anything.":                 {},
		"The first 64 MiB are alike; the rest was not comp": {Alike: 9, Bytes: 64 << 20, Stopped: true},
		"The logs differ from the first line.":              {Left: app.ComparedLog{Lines: some}},
		"The first line is alike.":                          {Alike: 1, Left: app.ComparedLog{Lines: some}},
		"The first 2 lines are alike.":                      {Alike: 2, Right: app.ComparedLog{Lines: some}},
		"The first part of the log of #42 was dropped.":     {Left: app.ComparedLog{Dropped: true}},
		"#17 has written nothing.":                          {Right: app.ComparedLog{Empty: true}},
	} {
		from := comparison()
		from.Logs = logs
		if html := must(t)(newTemplates(t).Compare(from)); !strings.Contains(html, want) {
			t.Errorf("it does not say %q", want)
		}
	}
}

func TestCompare_MarksInputsThatDiffer(t *testing.T) {
	t.Parallel()
	root := parsePage(t, must(t)(newTemplates(t).Compare(comparison())))
	isCell := func(node *html.Node) bool { return node.Data == "td" || node.Data == "th" }
	var rows []string
	for _, row := range elements(elements(root, withClass("inputs"))[0], named("tr"))[1:] {
		var cells []string
		for _, cell := range elements(row, isCell) {
			cells = append(cells, textOf(cell))
		}
		rows = append(rows, strings.Join(cells, "|"))
	}
	want := []string{
		"mode|<i>bad</i>|good|differs", "region|eu|eu|same",
		"only|ab|not set|differs", "new|not set|yes|differs",
	}
	if strings.Join(rows, "\n") != strings.Join(want, "\n") {
		t.Errorf("the inputs are\n%s", strings.Join(rows, "\n"))
	}
}

func TestStagesOf_KnowsWhatItCan(t *testing.T) {
	t.Parallel()
	run := comparison().Left.Run
	for name, test := range map[string]struct {
		change func(*app.ProcessRun)
		want   templates.StageTimes
	}{
		"finished": {func(*app.ProcessRun) {},
			templates.StageTimes{Waited: 5 * time.Minute, Ran: 10 * time.Minute, Total: 15 * time.Minute}},
		"running": {func(r *app.ProcessRun) { r.Status, r.FinishedAt = app.Started, time.Time{} },
			templates.StageTimes{Waited: 5 * time.Minute, Ran: 15 * time.Minute, Total: 20 * time.Minute}},
		"waiting": {func(r *app.ProcessRun) {
			r.Status, r.StartedAt, r.FinishedAt = app.Created, time.Time{}, time.Time{}
		}, templates.StageTimes{Waited: -1, Ran: -1, Total: 20 * time.Minute}},
		"cancelled before its start": {func(r *app.ProcessRun) {
			r.Status, r.StartedAt = app.Cancelled, time.Time{}
		}, templates.StageTimes{Waited: 15 * time.Minute, Ran: -1, Total: 15 * time.Minute}},
		"cancelled while it waited again": {func(r *app.ProcessRun) {
			r.Status, r.QueuedAt = app.Cancelled, r.StartedAt.Add(time.Minute)
		}, templates.StageTimes{Waited: 9 * time.Minute, Ran: time.Minute, Total: 15 * time.Minute}},
		"retried, without its history": {func(r *app.ProcessRun) { r.FencingToken = 2 },
			templates.StageTimes{Waited: -1, Ran: 10 * time.Minute, Total: 15 * time.Minute}},
	} {
		changed := run
		test.change(&changed)
		if got := templates.StagesOf(app.RunPage{Run: changed}, noon); got != test.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
