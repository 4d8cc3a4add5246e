package templates_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"runboard/app"
	"runboard/templates"
)

func TestQueryPath_HasTheFilterAndCursor(t *testing.T) {
	t.Parallel()
	failed := app.ByStatus(app.Failed)
	for query, want := range map[app.Query]string{
		{}:                                     "",
		{Filter: app.Filter{Filtered: true}}:   "?status=created",
		failed:                                 "?status=failed",
		app.Query{}.WithCursor(app.Before, 26): "?before=26",
		app.Query{}.WithCursor(app.After, 50):  "?after=50",
		failed.WithCursor(app.Before, 1):       "?before=1&status=failed",
		failed.WithCursor(app.After, math.MaxInt64):         "?after=9223372036854775807&status=failed",
		{Filter: app.Filter{Status: app.Failed}, Cursor: 7}: "", // neither has an effect
	} {
		if got := templates.QueryPath(query); got != "/process_runs"+want {
			t.Errorf("QueryPath(%+v) = %q", query, got)
		}
		if got := templates.LivePath(query); got != "/process_runs/live"+want {
			t.Errorf("LivePath(%+v) = %q", query, got)
		}
	}
}

func TestDownloadPath_LeavesOutTheCursor(t *testing.T) {
	t.Parallel()
	query := app.Query{Filter: app.Filter{Filtered: true, Status: app.Failed, Kind: "a b",
		Text: "x&y"}}.WithCursor(app.Before, 7)
	if got := templates.DownloadPath(query,
		"csv"); got != "/process_runs.csv?kind=a+b&q=x%26y&status=failed" {
		t.Errorf("DownloadPath = %s", got)
	}
}

func TestPathsAndIDs_OfARun(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		templates.RunPath(42):            "/process_runs/42",
		templates.RunPath(math.MaxInt64): "/process_runs/9223372036854775807",
		templates.RowID(42):              "process_run_42",
		templates.StatusID(42):           "process_run_42_status",
		templates.FactsID(42):            "process_run_42_facts",
		templates.CountID(app.Cancelled): "count_cancelled",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestNew_FailsWithoutAnAsset(t *testing.T) {
	t.Parallel()
	tmpl, err := templates.New(templates.Options{Asset: func(string) string {
		panic(errors.New("no such file"))
	}})
	if err == nil || tmpl != nil {
		t.Errorf("New without assets = %v, %v, want an error", tmpl, err)
	}
}

// Without Options.Now, templates use the real clock, not the zero time.
func TestNew_DefaultClockIsTheRealOne(t *testing.T) {
	t.Parallel()
	tmpl, err := templates.New(templates.Options{Asset: func(string) string { return "" }, Kinds: kindList{}})
	if err != nil {
		t.Fatal(err)
	}
	run := samples["created"]
	run.CreatedAt = run.CreatedAt.AddDate(-20, 0, 0)
	row := must(t)(tmpl.Row(run))
	cell := byID(t, parseFragment(t, "<table>"+row+"</table>"), "process_run_8_started")
	if text := textOf(cell); !strings.HasSuffix(text, " days ago") {
		t.Errorf("row of a run of twenty years ago: %q", text)
	}
}
