package templates

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"runboard/app"
)

// statusCell is the view model of a status cell.
type statusCell struct {
	cell
	Status             string
	Version, UpdatedAt string
}

func newStatusCell(run app.ProcessRun) statusCell {
	return statusCell{
		cell: cell{ElementID: StatusID(run.ID)}, Status: run.Status.String(),
		Version: decimal(run.Version), UpdatedAt: millis(run.UpdatedAt),
	}
}

// messageCell is the view model of the cell with what a run is about: its inputs, and how its work goes or
// why it ended.
type messageCell struct {
	cell
	Inputs  string // in short
	Percent string // of the progress bar; "" without one
	Exit    string // how a command ended
	Message message
	Title   string // the whole text, if it may be cut
}

// message is a text, perhaps with a time in it.
type message struct {
	Text string
	Time relative
	Rest string // after the time
}

// maxShown is the number of characters of a message that fits beside the other columns. The title of its cell
// has all of it.
const maxShown = 160

// untitled is the length in bytes up to which no width of a window cuts a message.
const untitled = 30

func (t *Templates) messageCell(run app.ProcessRun, now time.Time) messageCell {
	view := messageCell{Inputs: t.summary(run), Message: newMessage(run, now)}
	whole := run.Message
	if run.Status == app.Started && run.Percent.Known() && !run.CancelRequested() {
		view.Percent = decimal(int64(run.Percent))
	}
	if (run.Status == app.Failed || run.Status == app.Cancelled) && !isBulk(run) {
		_, view.Exit = errorLine(run.Error)
		whole = run.Error
	}
	if view.Inputs != "" && whole != "" {
		whole = view.Inputs + " – " + whole
	}
	if whole = cmp.Or(whole, view.Inputs); len(whole) > untitled {
		view.Title = visible(whole)
	}
	return view
}

func newMessage(run app.ProcessRun, now time.Time) message {
	switch {
	case run.CancelRequested():
		return message{Time: cancelling(run.CancelRequestedAt, now)}
	case run.Status == app.Started && run.Percent.Known():
		return message{Text: decimal(int64(run.Percent)) + "% " + shown(run.Message)}
	case isBulk(run) && (run.Status.Final() || run.Error == ""):
		return message{Text: shown(cmp.Or(run.Error, run.Message, run.Kind))}
	case run.Status == app.Started || run.Status == app.Completed:
		return message{Text: shown(run.Message)}
	case run.Status != app.Created: // failed or cancelled
		line, _ := errorLine(run.Error)
		return message{Text: shown(line)}
	case run.Waiting != app.Waiting{}:
		return message{Text: waitingFor(run.Waiting)}
	case run.ScheduledAt.IsZero():
		return message{}
	case run.Attempt > 0:
		line, _ := errorLine(run.Error)
		return message{
			Text: "next try ", Time: until(run.ScheduledAt, now), Rest: after(" after: ", shown(line)),
		}
	}
	return message{Text: "starts ", Time: until(run.ScheduledAt, now)}
}

// after returns a text after another one, or "" without the text.
func after(before, text string) string {
	if text == "" {
		return ""
	}
	return before + text
}

// shown returns the part of a text that fits into a row.
func shown(text string) string { return clipTo(text, maxShown) }

// waitingFor says what a created run waits for.
func waitingFor(waiting app.Waiting) string {
	if waiting.Paused {
		return "waiting: the kind is paused"
	}
	text := fmt.Sprintf("waiting: %d of %d running", waiting.Limit, waiting.Limit)
	if waiting.By > 0 {
		text += fmt.Sprintf(" (#%d)", waiting.By)
	}
	return text
}

// bulkKinds are the kinds of runs that perform bulk actions.
var bulkKinds = app.BulkKinds()

// isBulk reports whether the run performs a bulk action.
func isBulk(run app.ProcessRun) bool { return slices.Contains(bulkKinds, run.Kind) }

// attemptCell is the view model of the cell with the number of the attempt.
type attemptCell struct {
	cell
	Text  string // "2/3", or "1" of a kind that has no other; "" before the first
	Again bool   // not the first
}

func (t *Templates) attemptCell(run app.ProcessRun) attemptCell {
	if run.Attempt == 0 {
		return attemptCell{}
	}
	view := attemptCell{Text: decimal(int64(run.Attempt)), Again: run.Attempt > 1}
	kind, _ := t.kinds.Kind(run.Kind)
	if most := t.attemptsOf(kind); most > 1 && !isBulk(run) {
		view.Text += "/" + decimal(int64(most))
	}
	return view
}

// waitedCell is the view model of the cell that says how long a run waited, or waits.
type waitedCell struct {
	cell
	Text string
	Time relative // while it waits
}

func newWaitedCell(run app.ProcessRun, now time.Time) (view waitedCell) {
	if run.Status == app.Created {
		view.Time = elapsed(run.UpdatedAt, now)
	} else if waited, known := run.Waited(); known {
		view.Text = between(waited)
	}
	return view
}

// durationCell is the view model of the cell that says how long the work of a run took, or has taken so far.
type durationCell struct {
	cell
	Text  string
	Time  relative // while it works
	Usual usualBar
}

// usualBar is the view model of the bar that compares a duration with the usual one. The zero usualBar is
// none.
type usualBar struct {
	Millis  string // the usual duration, for the script that moves the bar
	Percent string // of the usual duration, at most 100
	Title   string
	Over    bool // it takes much longer
}

func newDurationCell(run app.ProcessRun, usual time.Duration, now time.Time) (view durationCell) {
	took, known := run.Duration()
	switch {
	case known:
		view.Text = between(took)
	case run.Status == app.Started:
		view.Time = elapsed(run.StartedAt, now)
		took = now.Sub(run.StartedAt)
	default:
		return view
	}
	view.Usual = newUsualBar(took, usual)
	return view
}

// leastUsual is the usual duration below which no bar is drawn: such runs differ by chance.
const leastUsual = time.Second

func newUsualBar(took, usual time.Duration) usualBar {
	if usual < leastUsual {
		return usualBar{}
	}
	return usualBar{
		Millis: decimal(usual.Milliseconds()), Percent: decimal(int64(min(100, 100*max(took, 0)/usual))),
		Title: "usually " + rough(usual), Over: took > usual+usual/2,
	}
}

// startedCell is the view model of the cell with the time when a run started or, if it did not, was created.
type startedCell struct {
	cell
	Created bool // it did not start
	At, Age string
}

func newStartedCell(run app.ProcessRun, now time.Time) startedCell {
	view := startedCell{Created: run.StartedAt.IsZero() || run.Status == app.Created}
	at := run.StartedAt
	if view.Created {
		at = run.CreatedAt
	}
	view.At, view.Age = second(at), ago(at, now)
	return view
}

// actionsCell is the view model of the cell with the buttons of a row.
type actionsCell struct {
	cell
	ID     string // of the run
	Action rowAction
}

func newActionsCell(run app.ProcessRun) actionsCell {
	return actionsCell{ID: decimal(run.ID), Action: newRowAction(run)}
}
