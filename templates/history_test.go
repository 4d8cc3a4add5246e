package templates

import (
	"slices"
	"testing"
	"time"

	"runboard/app"
)

func TestHistory_NamesEachChange(t *testing.T) {
	t.Parallel()
	page := app.RunPage{Run: app.ProcessRun{ID: 7, CreatedAt: noon}}
	for i, event := range []app.Event{
		{Status: app.Started, Attempt: 1},
		{Status: app.Created, Attempt: 1, Note: "exit status 3\nno ink"},
		{Status: app.Started, Attempt: 2},
		{Status: app.Created, Attempt: 1, Note: app.NoteInterrupted},
		{Status: app.Started, Attempt: 2},
		{Status: app.Created, Attempt: 1, Note: app.NoteCrashed},
		{Status: app.Started, Attempt: 2},
		{Status: app.Failed, Attempt: 2, Note: "exit status 1"},
		{Status: app.Created, Note: app.NoteRetried},
		{Status: app.Started, Attempt: 1},
		{Status: app.Started, Attempt: 1, Note: app.NoteCancelRequested},
		{Status: app.Cancelled, Attempt: 1},
		{Status: app.Created, Note: app.NoteRetried},
		{Status: app.Cancelled, Note: app.NoteCancelled},
	} {
		event.Version, event.At = int64(i+2), noon.Add(time.Duration(i+1)*time.Second)
		page.Events = append(page.Events, event)
	}
	var told []string
	for _, event := range newHistory(page).Events {
		told = append(told, event.Text)
	}
	want := []string{
		"created", "attempt 1 started", "attempt 1 failed", "attempt 2 started",
		"interrupted by a shutdown", "attempt 2 started", "interrupted by a crash", "attempt 2 started",
		"failed", "retried by hand", "attempt 1 started", "stop requested", "cancelled",
		"retried by hand", "cancelled before it was started",
	}
	if !slices.Equal(told, want) {
		t.Errorf("the history is %q\nwant %q", told, want)
	}
}

func TestHistory_SaysHowLongEachTook(t *testing.T) {
	t.Parallel()
	events := []app.Event{
		{Version: 2, Status: app.Started, Attempt: 1, At: noon.Add(3 * time.Second)},
		{Version: 3, Status: app.Completed, Attempt: 1, At: noon.Add(62 * time.Second)},
	}
	var took []string
	for _, event := range newHistory(app.RunPage{Run: app.ProcessRun{CreatedAt: noon},
		Events: events}).Events {
		took = append(took, event.After)
	}
	if want := []string{"", "after 3 s", "after 59 s"}; !slices.Equal(took, want) {
		t.Errorf("the times are %q, want %q", took, want)
	}
}
