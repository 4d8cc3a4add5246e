package templates_test

import (
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
			golden(t, name, must(t)(newTemplates(t).Board(page, "key-1")))
		})
	}
}

func TestBoard_GoldenWithKinds(t *testing.T) {
	t.Parallel()
	golden(t, "board_kinds", must(t)(newTemplates(t, "simulated", "report").Board(mixedPage(), "key-1")))
}

func TestLive_IsTheRegionOfTheBoard(t *testing.T) {
	t.Parallel()
	tmpl := newTemplates(t)
	whole := parsePage(t, must(t)(tmpl.Board(mixedPage(), "key-1")))
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
				must(t)(newTemplates(t).Run(app.RunPage{Run: run, Events: events, Overview: overview}, templates.RunList{})))
		})
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
	golden(t, "lines_first", render(tmpl.LogLines(9, page.Log)))
	golden(t, "lines_none", render(tmpl.LogLines(9, app.Log{Start: 5, End: 9})))
}

func TestFragments_Golden(t *testing.T) {
	t.Parallel()
	tmpl := newTemplates(t)
	render := must(t)
	for name, rendered := range map[string]string{
		"row":          render(tmpl.Row(samples["started"])),
		"status":       render(tmpl.Status(samples["waiting"])),
		"success":      render(tmpl.Success("Run #7 is <cancelled>.", app.ProcessRun{ID: 7, Version: 3})),
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
		"cells_frame":      render(tmpl.CellsFrame(mixed(), overview)),
		"cells_frame_none": render(tmpl.CellsFrame(nil, overview)),
		"status_cells":     render(tmpl.StatusCells([]int64{99, 3, 98}, []app.ProcessRun{samples["failed"]})),
		"run_frame":        render(tmpl.RunFrame(app.RunPage{Run: samples["failed"], Overview: overview})),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden(t, name, rendered)
		})
	}
}
