package templates

import "runboard/app"

// history is the view model of the events of a run.
type history struct {
	ElementID string
	Events    []event
}

// event is the view model of an event. The attempts and the error of the run say why attempts failed.
type event struct {
	Status string // for its look
	At     clockTime
	Text   string
	After  string // the time since the event before, or ""
}

// newHistory returns the events of a run, oldest first, after one for its creation, which the store does not
// keep.
func newHistory(page app.RunPage) history {
	created := app.Event{Version: 1, At: page.Run.CreatedAt, Status: app.Created}
	view := history{ElementID: eventsID(page.Run.ID), Events: []event{newEvent(created, created)}}
	before := created
	for _, one := range page.Events {
		entry := newEvent(before, one)
		if one.Version > 1 {
			entry.After = "after " + between(max(0, one.At.Sub(before.At)))
		}
		view.Events = append(view.Events, entry)
		before = one
	}
	return view
}

// newEvent says what changed between two events.
func newEvent(before, from app.Event) event {
	view := event{Status: from.Status.String(), At: timeOfDay(from.At), Text: from.Status.String()}
	number := "attempt " + decimal(int64(from.Attempt))
	switch {
	case from.Status == app.Started && before.Status != app.Started:
		view.Text = number + " started"
	case from.Status == app.Created && from.Note == app.NoteRetried:
		view.Text = "retried by hand"
	case from.Note == app.NoteCancelRequested:
		view.Text = "stop requested"
	case from.Note == app.NoteInterrupted, from.Note == app.NoteCrashed, from.Note == app.NoteCancelled:
		view.Text = from.Note
	case from.Status == app.Created && before.Status == app.Started:
		view.Status, view.Text = app.Failed.String(), number+" failed"
	}
	return view
}
