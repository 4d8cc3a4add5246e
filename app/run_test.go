package app_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"runboard/app"
)

func TestBatch_ListsCreatedRuns(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 2, 3, 4, 5, 6e6, time.UTC)
	batch := app.Batch{
		First: 41, Count: 3, Kind: "report", CreatedAt: at,
		InputCount: 2, Inputs: `{"level":6}`, ConcurrencyKey: "level;",
	}
	runs := batch.Runs()
	if len(runs) != 3 || batch.Last() != 43 {
		t.Fatalf("%d runs up to %d, want 3 up to 43", len(runs), batch.Last())
	}
	for i, run := range runs {
		want := app.ProcessRun{
			ID: int64(41 + i), Kind: "report", Status: app.Created, Version: 1, CreatedAt: at, UpdatedAt: at,
			Progress:   app.Progress{Percent: app.NoPercent},
			InputCount: 2, Inputs: `{"level":6}`, ConcurrencyKey: "level;",
		}
		if run != want {
			t.Errorf("run %d is %+v, want %+v", i, run, want)
		}
	}
}

func TestBatch_OfOneRun(t *testing.T) {
	t.Parallel()
	batch := app.Batch{First: 7, Count: 1}
	if batch.Last() != 7 || len(batch.Runs()) != 1 {
		t.Errorf("the last of one is %d of %d", batch.Last(), len(batch.Runs()))
	}
}

func page(query app.Query, ids ...int64) app.Page {
	p := app.Page{Query: query}
	for _, id := range ids {
		p.Runs = append(p.Runs, app.ProcessRun{ID: id})
	}
	return p
}

func TestPage_LinksOlderAndNewer(t *testing.T) {
	t.Parallel()
	failed := app.ByStatus(app.Failed)
	for name, test := range map[string]struct {
		page         app.Page
		older, newer app.Query
	}{
		"the newest page goes on below its last run": {
			page:  page(app.Query{}, 50, 49, 26),
			older: app.Query{Direction: app.Before, Cursor: 26},
			newer: app.Query{Direction: app.After, Cursor: 50},
		},
		"the filter stays": {
			page:  page(failed.WithCursor(app.Before, 90), 80, 31),
			older: app.Query{Filter: app.Filter{Filtered: true, Status: app.Failed}, Direction: app.Before, Cursor: 31},
			newer: app.Query{Filter: app.Filter{Filtered: true, Status: app.Failed}, Direction: app.After, Cursor: 80},
		},
		"a page of one run leads both ways from it": {
			page:  page(app.Query{}.WithCursor(app.After, 4), 5),
			older: app.Query{Direction: app.Before, Cursor: 5},
			newer: app.Query{Direction: app.After, Cursor: 5},
		},
		"an empty page after too high an id leads back to the newest runs": {
			page:  page(failed.WithCursor(app.After, 99)),
			older: app.ByStatus(app.Failed),
			newer: app.Query{Filter: app.Filter{Filtered: true, Status: app.Failed}, Direction: app.After, Cursor: 98},
		},
		"an empty page before too low an id leads up to the run of that id": {
			page:  page(app.Query{}.WithCursor(app.Before, 3)),
			older: app.Query{},
			newer: app.Query{Direction: app.After, Cursor: 2},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := test.page.Older(); got != test.older {
				t.Errorf("older is %+v, want %+v", got, test.older)
			}
			if got := test.page.Newer(); got != test.newer {
				t.Errorf("newer is %+v, want %+v", got, test.newer)
			}
		})
	}
}

func TestCounts_Total(t *testing.T) {
	t.Parallel()
	if got := (app.Counts{1, 20, 300, 4000, 50000}).Total(); got != 54321 {
		t.Errorf("the total is %d, want 54321", got)
	}
}

// Unset times must be absent from the JSON instead of being year 1. The fencing token is internal to the
// store.
func TestProcessRun_JSONOmitsEmptyFields(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 2, 3, 4, 5, 678e6, time.UTC)
	run := app.ProcessRun{ID: 1, Kind: "simulated", Version: 1, FencingToken: 99, CreatedAt: at,
		UpdatedAt: at, Progress: app.Progress{Percent: app.NoPercent}}
	text, err := json.Marshal(run)
	if err != nil {
		t.Fatal(err)
	}
	const stamp = "2026-11-02T03:04:05.678Z"
	want := fmt.Sprintf(`{"id":1,"kind":"simulated","status":"created","version":1,"attempt":0,"crashes":0,`+
		`"created_at":%q,"updated_at":%q,"percent":null}`, stamp, stamp)
	if string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	run.StartedAt, run.FinishedAt, run.ScheduledAt, run.Error = at, at, at, "why"
	text, err = json.Marshal(run)
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{`"started_at":`, `"finished_at":`, `"scheduled_at":`, `"error":"why"`} {
		if !strings.Contains(string(text), field) {
			t.Errorf("%s has no %s", text, field)
		}
	}
}
