package templates_test

import (
	"strings"
	"testing"
	"time"

	"runboard/app"
	"runboard/templates"
)

func TestBoard_Golden(t *testing.T) {
	t.Parallel()
	failed := app.ByStatus(app.Failed)
	for name, page := range map[string]app.Page{
		"board_empty":        {},
		"board_empty_filter": {Query: failed, Overview: overview},
		"board_empty_page":   {Query: failed.WithCursor(app.After, 99), HasOlder: true, Overview: overview},
		"board_mixed":        mixedPage(),
		"board_pager": {Query: failed.WithCursor(app.Before, 9), Runs: mixed()[5:6], HasOlder: true,
			HasNewer: true, Overview: overview},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden(t, name, must(t)(newTemplates(t).Board(page, withKey)))
		})
	}
}

func TestBoard_GoldenWithKinds(t *testing.T) {
	t.Parallel()
	golden(t, "board_kinds", must(t)(newTemplates(t, "simulated", "report").Board(mixedPage(), withKey)))
}

func TestLive_IsTheRegionOfTheBoard(t *testing.T) {
	t.Parallel()
	tmpl := newTemplates(t)
	whole := parsePage(t, must(t)(tmpl.Board(mixedPage(), withKey)))
	part := parseFragment(t, must(t)(tmpl.Live(mixedPage())))
	if got, want := markup(t, byID(t, part, "live")), markup(t, byID(t, whole, "live")); got != want {
		t.Errorf("the region alone is\n%s\nand on the page\n%s", got, want)
	}
}

func TestRun_Golden(t *testing.T) {
	t.Parallel()
	for name, run := range samples {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden(t, "run_"+name,
				must(t)(newTemplates(t).
					Run(app.RunPage{Run: run, Events: events, Overview: overview}, templates.RunList{})))
		})
	}
}

func TestRun_SaysOnceHowItsCommandEnded(t *testing.T) {
	t.Parallel()
	const text = "exit status 3\nno ink"
	run := app.ProcessRun{
		ID: 7, Kind: "simulated", Status: app.Failed, Attempt: 1, Error: text, StartedAt: noon,
		FinishedAt: noon,
	}
	history := []app.Event{
		{Version: 2, Status: app.Started, Attempt: 1, At: noon},
		{Version: 3, Status: app.Failed, Attempt: 1, At: noon, Note: text},
	}
	page := app.RunPage{Run: run, Events: history, Overview: overview}
	html := must(t)(newTemplates(t).Run(page, templates.RunList{}))
	if n := strings.Count(html, "exit 3"); n != 1 {
		t.Errorf("the page says %d times how the command ended, want once", n)
	}
}

// pageWithLog returns the page of a run with a log.
func pageWithLog() app.RunPage {
	return app.RunPage{Run: samples["busy"], MedianDuration: 40 * time.Second, Overview: overview,
		Log: app.Log{
			Start: 5, End: 42, Lines: []app.LogLine{
				{At: 14, Text: "<b>one</b> & \"two\"\n"}, {At: 33, Stream: app.Stderr, Text: "oops\n"},
				{At: 38, Stream: app.ServerLog, Text: "\n"}, {At: 39, Text: "end"},
			},
		}}
}

// numberedLog is the middle of a log with all that a log can have.
func numberedLog() app.Log {
	at := noon.Add(1234 * time.Millisecond)
	return app.Log{Start: 5, End: 999, Lines: []app.LogLine{
		{At: 100, Number: 9, Written: at,
			Text: "\x1b[1;31mError:\x1b[m disk \x1b[48;5;208mFULL\x1b[m, <disk full>\n"},
		{At: 200, Number: 10, Written: at, Stream: app.Stderr, Text: "10%"},
		{At: 203, Number: 11, Written: at, Stream: app.ServerLog, Text: "attempt 2 of 3\n"},
		{At: 218, Number: 12, Written: at, Text: "\x1b[7mdisk\x1b[m"},
		{At: 230, Number: 12, Written: at, Text: "\rdisk \x1b[2;3;4;9;92mfull\x1b[m\n"},
	}}
}

func TestLog_Golden(t *testing.T) {
	t.Parallel()
	tmpl, render := newTemplates(t), must(t)
	page := pageWithLog()
	golden(t, "run_log", render(tmpl.Run(page, templates.RunList{})))
	golden(t, "run_log_frame", render(tmpl.RunFrame(page)))

	before := page.Revision()
	before.LogEnd = 33
	golden(t, "log_frame", render(tmpl.DeltaFrame(before, page)))
	before.Version--
	golden(t, "log_change_frame", render(tmpl.DeltaFrame(before, page)))

	page.Log.Start = 14
	golden(t, "lines_first", render(tmpl.LogLines(9, page.Log, app.LogFocus{})))
	golden(t, "lines_marked", render(tmpl.LogLines(9, numberedLog(), app.LogFocus{First: 11, Last: 12})))
	golden(t, "lines_none", render(tmpl.LogLines(9, app.Log{Start: 5, End: 9}, app.LogFocus{})))
}

// Without scripts, the page shows the part of the log that its address names.
func TestRun_ShowsTheResultOfASearch(t *testing.T) {
	t.Parallel()
	tmpl, render := newTemplates(t), must(t)
	page := app.RunPage{Run: samples["failed"], Log: numberedLog()}
	hit := app.LogHit{At: 100, Number: 9}
	page.LogFocus = app.LogFocus{First: 9, Last: 9, Text: "Disk Full", Hit: &hit, Next: 218}
	html := render(tmpl.Run(page, templates.RunList{}))
	for _, want := range []string{
		`<span class="bold fg-1">Error:</span> <mark>disk </mark><mark class="bg-208">FULL</mark>, &lt;<mark>disk full</mark>&gt;</div>`,
		`<div id="L9" data-offset="100" data-at="`, `data-marked><a href="?line=9#L9"`,
		`name="find" value="Disk Full"`, `<a href="?find=Disk&#43;Full&amp;at=218#log">Next</a>`, `Line 9`,
		`<a class="earlier" href="?before=100#log">`, `<a class="later" href="?offset=`,
	} {
		if !strings.Contains(html, want) {
			t.Errorf("%s is not in %s", want, html)
		}
	}
	for want, focus := range map[string]app.LogFocus{
		`Found <a href="?find=x#log">First</a>`: {Text: "x", Hit: &app.LogHit{At: 7}},
		`Not found</output>`:                    {Text: "x"},
		`Not found in the part that was searched <a href="?find=x&amp;at=7#log">`: {Text: "x", Next: 7},
	} {
		page.LogFocus = focus
		if html := render(tmpl.Run(page, templates.RunList{})); !strings.Contains(html, want) {
			t.Errorf("%s is not in %s", want, html)
		}
	}
}

func TestFragments_Golden(t *testing.T) {
	t.Parallel()
	tmpl := newTemplates(t)
	render := must(t)
	for name, rendered := range map[string]string{
		"row":     render(tmpl.Row(samples["started"])),
		"status":  render(tmpl.Status(samples["waiting"])),
		"success": render(tmpl.Success("Run #7 is <cancelled>.", app.ProcessRun{ID: 7, Version: 3}, false)),
		"success_undo": render(tmpl.Success("Run #7 is cancelled.",
			app.ProcessRun{ID: 7, Version: 2, Status: app.Cancelled}, true)),
		"notice":       render(tmpl.Notice("The count must be <1 to 1000>.")),
		"started_one":  render(tmpl.Started(app.Batch{First: 7, Count: 1}, "key-2")),
		"started_many": render(tmpl.Started(app.Batch{First: 7, Count: 10}, "key-2")),
		"error":        render(tmpl.Error(templates.ErrorPage{Status: 404, Message: "There is no run <7>."})),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden(t, name, rendered)
		})
	}
}

func TestFrames_Golden(t *testing.T) {
	t.Parallel()
	tmpl := newTemplates(t)
	render := must(t)
	for name, rendered := range map[string]string{
		"list_frame":       render(tmpl.ListFrame(mixedPage())),
		"list_frame_empty": render(tmpl.ListFrame(app.Page{})),
		"cells_frame":      render(tmpl.CellsFrame(changedPages(mixed(), overview))),
		"cells_frame_none": render(tmpl.CellsFrame(changedPages(nil, overview))),
		"row_cells":        render(tmpl.RowCells([]int64{99, 3, 98}, []app.ProcessRun{samples["failed"]})),
		"run_frame":        render(tmpl.RunFrame(app.RunPage{Run: samples["failed"], Overview: overview})),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden(t, name, rendered)
		})
	}
}
