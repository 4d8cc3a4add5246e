package templates

import (
	"testing"
	"time"

	"runboard/app"
)

// failedTimes is the history of a run that failed so many times, and was retried by hand in between.
func failedTimes(n int) (events []app.Event) {
	for i := range n {
		at := noon.Add(time.Duration(10*i) * time.Second)
		if i > 0 {
			events = append(events,
				app.Event{Status: app.Created, Note: app.NoteRetried, At: at.Add(-time.Second)})
		}
		events = append(events,
			app.Event{Status: app.Started, Attempt: 1, At: at, LogOffset: int64(100 * i)},
			app.Event{Status: app.Failed, Attempt: 1, At: at.Add(time.Second), Note: "exit status 3\nno ink"})
	}
	return events
}

func attemptsOf(t *testing.T, run app.ProcessRun, events []app.Event) attempts {
	t.Helper()
	tmpl, err := New(Options{Asset: func(name string) string { return name }, Kinds: oneKind{}})
	if err != nil {
		t.Fatal(err)
	}
	return tmpl.attempts(app.RunPage{Run: run, Events: events}, noon)
}

func TestAttempts_OneIsNoList(t *testing.T) {
	t.Parallel()
	run := app.ProcessRun{ID: 7, Status: app.Failed, Attempt: 1, Error: "exit status 3\nno ink"}
	if view := attemptsOf(t, run, failedTimes(1)); view.Entries != nil {
		t.Errorf("one attempt is listed: %+v", view.Entries)
	}
	if view := attemptsOf(t, app.ProcessRun{ID: 7}, nil); view.Entries != nil {
		t.Errorf("no attempt is listed: %+v", view.Entries)
	}
}

func TestAttempts_ShowTheErrorOfTheRunOnce(t *testing.T) {
	t.Parallel()
	run := app.ProcessRun{ID: 7, Status: app.Failed, Attempt: 1, Error: "exit status 3\nno ink"}
	entries := attemptsOf(t, run, failedTimes(2)).Entries
	if len(entries) != 2 || entries[0].Error != "no ink" || entries[1].Error != "" {
		t.Fatalf("the attempts are %+v", entries)
	}
	if entries[0].Exit != "exit 3" || entries[1].Exit != "" {
		t.Errorf("the attempts ended with %q and %q", entries[0].Exit, entries[1].Exit)
	}
	if entries[1].Retried.At == "" || entries[0].Retried.At != "" {
		t.Errorf("the second attempt is %+v", entries[1])
	}
	if entries[1].LogPath != "/process_runs/7?offset=100#log" {
		t.Errorf("its log is at %q", entries[1].LogPath)
	}
}

func TestAttempts_EndWithTheNextOne(t *testing.T) {
	t.Parallel()
	retried := app.Event{Status: app.Created, Note: app.NoteRetried, At: noon.Add(time.Minute)}
	entries := attemptsOf(t, app.ProcessRun{ID: 7, Status: app.Created},
		append(failedTimes(1), retried)).Entries
	if len(entries) != 2 || entries[1].Name != "Attempt 1" || entries[1].Text != "waiting" ||
		entries[1].Retried.At == "" {
		t.Errorf("the attempts of a retried run are %+v", entries)
	}
	due := app.ProcessRun{ID: 7, Status: app.Created, Attempt: 1, ScheduledAt: noon.Add(8 * time.Second)}
	entries = attemptsOf(t, due, failedTimes(1)).Entries
	if len(entries) != 2 || entries[1].Name != "Attempt 2" || entries[1].Time.Text != "in 8 s" ||
		entries[1].At.Text != "12:00:08 UTC" {
		t.Errorf("the attempts of a run that is tried again are %+v", entries)
	}
}

func TestAttempts_AreTheNewest(t *testing.T) {
	t.Parallel()
	run := app.ProcessRun{ID: 7, Status: app.Failed, Attempt: 1}
	view := attemptsOf(t, run, failedTimes(maxShownAttempts+3))
	if len(view.Entries) != maxShownAttempts || view.Hidden != "3 earlier attempts" {
		t.Errorf("%d attempts are shown, and %q", len(view.Entries), view.Hidden)
	}
}

func TestAttempts_WithoutAKnownLogHaveNoLink(t *testing.T) {
	t.Parallel()
	events := failedTimes(2)
	for i := range events {
		events[i].LogOffset = app.UnknownOffset
	}
	for _, entry := range attemptsOf(t, app.ProcessRun{ID: 7, Status: app.Failed}, events).Entries {
		if entry.LogPath != "" {
			t.Errorf("an attempt of an older version leads to %q", entry.LogPath)
		}
	}
}
