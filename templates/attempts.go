package templates

import (
	"time"

	"runboard/app"
)

// maxShownAttempts is the largest number of attempts that a page shows: the newest ones.
const maxShownAttempts = 10

// attempts is the view model of the attempts of a run. It has no Entries if there is nothing to tell but that
// there was one.
type attempts struct {
	ElementID string
	Hidden    string // number of earlier attempts that are not shown, or ""
	Entries   []attempt
}

// attempt is the view model of an attempt, or of the one that comes next.
type attempt struct {
	Retried clockTime // when a user retried the run before it; without At for other attempts
	Status  string    // for its look
	Name    string    // "Attempt 2"
	Text    string    // how it is or ended
	Time    relative  // after Text
	At      clockTime // when it started
	Exit    string
	Error   string // the line that says most
	LogPath string // of its part of the log, or ""
}

func (t *Templates) attempts(page app.RunPage, now time.Time) attempts {
	run := page.Run
	view := attempts{ElementID: runPartID(run.ID, "attempts")}
	all := app.Attempts(page.Events)
	retried := newestRetry(page.Events)
	isNext := run.Status == app.Created && (run.Attempt > 0 || len(all) > 0)
	if len(all) < 2 && !isNext {
		return view
	}
	if hidden := len(all) - maxShownAttempts; hidden > 0 {
		view.Hidden = plural(int64(hidden), "earlier attempt", "earlier attempts")
		all = all[hidden:]
	}
	for _, one := range all {
		view.Entries = append(view.Entries, newAttempt(run.ID, one, now))
	}
	if last := len(view.Entries) - 1; !isNext && all[last].Note == run.Error {
		view.Entries[last].Exit, view.Entries[last].Error = "", "" // the page shows both above
	}
	if isNext {
		view.Entries = append(view.Entries, t.comingAttempt(run, retried, now))
	}
	return view
}

// newestRetry returns when the run was retried by hand, if no attempt has started since.
func newestRetry(events []app.Event) (at time.Time) {
	for _, event := range events {
		switch {
		case event.Note == app.NoteRetried:
			at = event.At
		case event.Status == app.Started:
			at = time.Time{}
		}
	}
	return at
}

func newAttempt(run int64, from app.Attempt, now time.Time) attempt {
	view := attempt{
		Status: from.Status.String(), Name: "Attempt " + decimal(int64(from.Number)),
		At: timeOfDay(from.StartedAt),
	}
	if !from.Retried.IsZero() {
		view.Retried = timeOfDay(from.Retried)
	}
	took := "after " + between(from.Took(now))
	switch from.Status {
	case app.Started:
		view.Text, view.Time = "running for ", elapsed(from.StartedAt, now)
	case app.Completed:
		view.Text = "completed " + took
	case app.Created:
		view.Text = visible(from.Note) + " " + took + ", does not count"
	default:
		view.Text = from.Status.String() + " " + took
		line, code := errorLine(from.Note)
		view.Exit, view.Error = code, clip(line)
	}
	if from.LogOffset >= 0 {
		view.LogPath = LogPartPath(run, from.LogOffset)
	}
	return view
}

// comingAttempt is the attempt that a created run waits for.
func (t *Templates) comingAttempt(run app.ProcessRun, retried, now time.Time) attempt {
	number := decimal(int64(run.Attempt + 1))
	view := attempt{Status: app.Created.String(), Name: "Attempt " + number, Text: "waiting"}
	if !retried.IsZero() {
		view.Retried = timeOfDay(retried)
	}
	if due := run.DueAfter(now); !due.IsZero() {
		view.Text, view.Time, view.At = "starts ", until(due, now), timeOfDay(due)
	}
	return view
}
