package templates

import (
	"strings"
	"testing"

	"runboard/app"
)

func TestRowCache_RendersChangedRowsAgain(t *testing.T) {
	t.Parallel()
	tmpl, err := New(Options{Asset: func(name string) string { return name }, Kinds: noKinds{}})
	if err != nil {
		t.Fatal(err)
	}
	run := app.ProcessRun{ID: 7, Kind: "job", Status: app.Started, Version: 2, CreatedAt: noon,
		UpdatedAt: noon, StartedAt: noon}
	for _, status := range []app.Status{app.Started, app.Started, app.Completed, app.Started} {
		run.Status = status
		html, err := tmpl.ListFrame(app.Page{Runs: []app.ProcessRun{run}})
		if err != nil {
			t.Fatal(err)
		}
		if want := `data-status="` + status.String() + `"`; strings.Count(string(html), want) != 1 {
			t.Errorf("the frame has no cell with %s: %s", want, html)
		}
	}
}

func TestRowCache_IsBounded(t *testing.T) {
	t.Parallel()
	var cache rowCache
	for i := range int64(3 * maxCachedRows) {
		cache.put(row{ID: decimal(i)}, []byte("row"))
		if len(cache.html) > maxCachedRows {
			t.Fatalf("%d rows are kept", len(cache.html))
		}
	}
}
