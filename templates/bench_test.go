package templates_test

import (
	"testing"

	"runboard/app"
	"runboard/templates"
)

// BenchmarkBoard renders the page of a full list.
func BenchmarkBoard(b *testing.B) {
	t, page := newTemplates(b), fullPage()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := t.Board(page, templates.BoardOptions{Key: "key"}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRow renders one row, as list frames do for each run.
func BenchmarkRow(b *testing.B) {
	t, page := newTemplates(b), fullPage()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := t.Row(page.Runs[0]); err != nil {
			b.Fatal(err)
		}
	}
}

func fullPage() (page app.Page) {
	page.Counts[app.Completed] = app.PageSize
	for id := int64(app.PageSize); id > 0; id-- {
		page.Runs = append(page.Runs, app.ProcessRun{
			ID: id, Kind: "simulated", Status: app.Completed, Version: 3, Attempt: 1, CreatedAt: noon,
			UpdatedAt: noon, StartedAt: noon,
			FinishedAt: noon, Progress: app.Progress{Percent: app.NoPercent},
		})
	}
	return page
}
