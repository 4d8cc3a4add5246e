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

func TestValidKey_IsShortPrintableASCII(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"", "a", "~!", strings.Repeat("x", app.MaxKey)} {
		if !app.ValidKey(key) {
			t.Errorf("%q is refused", key)
		}
	}
	for _, key := range []string{" ", "a b", "a\x00", "a\x7f", "ä", "\xff",
		strings.Repeat("x", app.MaxKey+1)} {
		if app.ValidKey(key) {
			t.Errorf("%q is accepted", key)
		}
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

func TestProcessRun_WaitedAndDuration(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 2, 3, 4, 5, 0, time.UTC)
	started := app.ProcessRun{
		Status: app.Started, FencingToken: 1, CreatedAt: at, StartedAt: at.Add(time.Second),
	}
	failed := started
	failed.Status, failed.FinishedAt = app.Failed, at.Add(4*time.Second)
	again := failed
	again.FencingToken = 2
	retried := again
	retried.QueuedAt = at.Add(400 * time.Millisecond)
	stopped := failed
	stopped.Status, stopped.QueuedAt = app.Cancelled, at.Add(2*time.Second)
	atOnce := stopped // its attempt ended in the millisecond in which it started
	atOnce.QueuedAt = atOnce.StartedAt
	requested := atOnce // its second attempt started in the millisecond in which it was queued again
	requested.FencingToken, requested.CancelRequestedAt = 2, at.Add(2*time.Second)
	setBack := failed // the clock was set back before it started
	setBack.StartedAt = at.Add(-time.Second)
	for name, test := range map[string]struct {
		run          app.ProcessRun
		waited, took string
	}{
		"one that waits": {app.ProcessRun{Status: app.Created, CreatedAt: at},
			"0s false", "0s false"},
		"one that is started":                          {started, "1s true", "0s false"},
		"one that has failed":                          {failed, "1s true", "3s true"},
		"one that was started again":                   {again, "0s false", "3s true"},
		"one that was queued again":                    {retried, "600ms true", "3s true"},
		"one that was cancelled while it waited again": {stopped, "2s true", "1s true"},
		"one that was cancelled after a short attempt": {atOnce, "3s true", "0s true"},
		"one that was cancelled while it was started":  {requested, "0s true", "3s true"},
		"one that started when the clock was set back": {setBack, "0s true", "5s true"},
		"one that was never started": {
			app.ProcessRun{Status: app.Cancelled, CreatedAt: at, FinishedAt: at.Add(time.Minute)},
			"1m0s true", "0s false",
		},
	} {
		waited, known := test.run.Waited()
		if got := fmt.Sprint(waited, " ", known); got != test.waited {
			t.Errorf("%s: waited %s, want %s", name, got, test.waited)
		}
		took, known := test.run.Duration()
		if got := fmt.Sprint(took, " ", known); got != test.took {
			t.Errorf("%s: took %s, want %s", name, got, test.took)
		}
	}
}
