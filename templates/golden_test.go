package templates_test

import (
	"strings"
	"testing"
	"time"

	"runboard/app"
)

func TestTheBoardLooksAsItShould(t *testing.T) {
	t.Parallel()
	failed := app.ByStatus(app.Failed)
	for name, page := range map[string]app.Page{
		"board_empty":        {},
		"board_empty_filter": {Query: failed, Overview: overview},
		"board_empty_page":   {Query: failed.WithCursor(app.After, 99), HasOlder: true, Overview: overview},
		"board_mixed":        mixedPage(),
		"board_pager":        {Query: failed.WithCursor(app.Before, 9), Runs: mixed()[5:6], HasOlder: true, HasNewer: true, Overview: overview},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden(t, name, must(t)(newTemplates(t).Board(page, "key-1")))
		})
	}
}

func TestTheBoardNamesKindsWhenThereAreSeveral(t *testing.T) {
	t.Parallel()
	golden(t, "board_kinds", must(t)(newTemplates(t, "simulated", "report").Board(mixedPage(), "key-1")))
}

func TestTheLiveRegionIsThatOfTheBoard(t *testing.T) {
	t.Parallel()
	drawing := newTemplates(t)
	whole := parsePage(t, must(t)(drawing.Board(mixedPage(), "key-1")))
	part := parseFragment(t, must(t)(drawing.Live(mixedPage())))
	if got, want := drawn(t, byID(t, part, "live")), drawn(t, byID(t, whole, "live")); got != want {
		t.Errorf("alone it is\n%s\nand on the page it is\n%s", got, want)
	}
}

func TestTheRunPageLooksAsItShouldInEachState(t *testing.T) {
	t.Parallel()
	for name, run := range samples {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden(t, "run_"+name, must(t)(newTemplates(t).Run(app.RunPage{Run: run, Events: events, Overview: overview})))
		})
	}
}

// writing returns the page of a run with a log.
func writing() app.RunPage {
	return app.RunPage{Run: samples["busy"], MedianDuration: 40 * time.Second, Overview: overview, Log: app.Log{
		Start: 5, End: 42, Lines: []app.LogLine{
			{At: 14, Text: "<b>one</b> & \"two\"\n"}, {At: 33, Stream: app.Stderr, Text: "oops\n"},
			{At: 38, Stream: app.Notes, Text: "\n"}, {At: 39, Text: "end"},
		},
	}}
}

func TestALogLooksAsItShould(t *testing.T) {
	t.Parallel()
	drawing, draw := newTemplates(t), must(t)
	page := writing()
	golden(t, "run_log", draw(drawing.Run(page)))
	golden(t, "run_log_frame", draw(drawing.RunFrame(page)))

	before := page.Revision()
	before.LogEnd = 33
	golden(t, "log_frame", draw(drawing.DeltaFrame(before, page)))
	before.Version--
	golden(t, "log_change_frame", draw(drawing.DeltaFrame(before, page)))

	page.Log.Start = 14
	golden(t, "lines_first", draw(drawing.LogLines(9, page.Log)))
	golden(t, "lines_none", draw(drawing.LogLines(9, app.Log{Start: 5, End: 9})))
}

func TestARunWhoseWorkDoesNotSayHowFarItIsIsMeasuredByTheOthers(t *testing.T) {
	t.Parallel()
	page := app.RunPage{Run: samples["started"], MedianDuration: 40 * time.Second} // running for 12 s
	if html := must(t)(newTemplates(t).Run(page)); !strings.Contains(html, "about 28 s left, as runs of this kind usually take 40 s") {
		t.Error(html)
	}
	page.MedianDuration = 11 * time.Second
	if html := must(t)(newTemplates(t).Run(page)); strings.Contains(html, "left") {
		t.Error(html)
	}
}

func TestFragmentsLookAsTheyShould(t *testing.T) {
	t.Parallel()
	drawing := newTemplates(t)
	draw := must(t)
	for name, drawn := range map[string]string{
		"row":          draw(drawing.Row(samples["started"])),
		"status":       draw(drawing.Status(samples["waiting"])),
		"success":      draw(drawing.Success("Run #7 is <cancelled>.", app.ProcessRun{ID: 7, Version: 3})),
		"notice":       draw(drawing.Notice("The count must be <1 to 1000>.")),
		"started_one":  draw(drawing.Started(app.Batch{First: 7, Count: 1}, "key-2")),
		"started_many": draw(drawing.Started(app.Batch{First: 7, Count: 10}, "key-2")),
		"error":        draw(drawing.Error("Not found", "There is no run <7>.")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden(t, name, drawn)
		})
	}
}

func TestFramesLookAsTheyShould(t *testing.T) {
	t.Parallel()
	drawing := newTemplates(t)
	draw := must(t)
	for name, drawn := range map[string]string{
		"list_frame":       draw(drawing.ListFrame(mixedPage())),
		"list_frame_empty": draw(drawing.ListFrame(app.Page{})),
		"cells_frame":      draw(drawing.CellsFrame(mixed(), overview)),
		"cells_frame_none": draw(drawing.CellsFrame(nil, overview)),
		"status_cells":     draw(drawing.StatusCells([]int64{99, 3, 98}, []app.ProcessRun{samples["failed"]})),
		"run_frame":        draw(drawing.RunFrame(app.RunPage{Run: samples["failed"], Overview: overview})),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden(t, name, drawn)
		})
	}
}
