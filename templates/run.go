package templates

import (
	"slices"
	"strings"
	"time"

	"runboard/app"
)

// runPage is the view model of a run's page and of the frames of its socket.
type runPage struct {
	Layout     layout
	Name       string
	AgainPath  string // the form of the kind, filled with the inputs of the run, or ""
	SocketPath string
	Status     statusCell
	Facts      facts
	Log        log
	History    history
	Overview   overview
}

// facts is the view model of the table on a run's page.
type facts struct {
	ElementID, Kind   string
	KindPath          string // "" if the kind is not offered
	Inputs            []runInput
	Unhandled         bool // no worker handles the kind of this waiting run
	Waiting           waitingRun
	Percent, Progress string // of the progress bar; in words. "" if there is nothing to say
	Attempt           string
	Created           string
	Age               relative
	timing
	Error, ErrorLabel string
	SimilarPath       string // the runs that failed with the same error
	DeletePath        string
}

// timing is how long a run has taken and may take. Only one of RunningFor and Duration is set.
type timing struct {
	RunningFor relative
	Duration   string
	Limit      string
}

// history is the view model of the events of a run.
type history struct {
	ElementID string
	Events    []event
}

// event is the view model of an event. Attempt, After and Note may be "".
type event struct {
	Status, At, Exact, Clock, Attempt, After, Note string
}

// Run renders the page of a run.
func (t *Templates) Run(page app.RunPage) ([]byte, error) {
	return t.render("run", t.runPage(page))
}

// RunFrame renders all live parts of a run's page for a socket. Its log lines are appended to those on the
// page.
func (t *Templates) RunFrame(page app.RunPage) ([]byte, error) {
	return t.runFrame("run_frame", page)
}

// DeltaFrame renders the live parts of a run's page that changed since the client had revision before: only
// the log if the version is still the same, else all parts. In either case the log has only the lines that
// are new to the client.
func (t *Templates) DeltaFrame(before app.Revision, now app.RunPage) ([]byte, error) {
	fresh := func(line app.LogLine) bool { return line.At >= before.LogEnd }
	if first := slices.IndexFunc(now.Log.Lines, fresh); first >= 0 {
		now.Log.Lines = now.Log.Lines[first:]
	} else {
		now.Log.Lines = nil
	}
	if before.Version == now.Run.Version && before.Waiting == now.Run.Waiting &&
		before.Triage == now.Failure.Triage {
		return t.runFrame("log_frame", now)
	}
	return t.runFrame("run_frame", now)
}

// DeletedFrame renders the frame that tells the socket of a run that the run was deleted.
func (t *Templates) DeletedFrame(run int64) ([]byte, error) {
	return t.render("deleted_frame", struct{ Status, Facts string }{StatusID(run), FactsID(run)})
}

func (t *Templates) runFrame(name string, page app.RunPage) ([]byte, error) {
	view := t.runPage(page)
	view.Status.OutOfBand = true
	return t.render(name, view)
}

func (t *Templates) runPage(page app.RunPage) runPage {
	run, now := page.Run, t.now()
	name := "Run #" + decimal(run.ID)
	view := runPage{
		Layout: t.layout(run.Status.String() + " · " + name), Name: name,
		SocketPath: RunPath(run.ID) + "/live", Status: newStatusCell(run, now), Facts: t.facts(page, now),
		Log: newLog(run.ID, page.Log), History: newHistory(page), Overview: t.overview(page.Overview),
	}
	view.Layout.Failed = failedText(page.Failed())
	if _, offered := t.kinds.Kind(run.Kind); offered {
		view.AgainPath = KindPathWith(run)
		view.Facts.KindPath = KindPath(run.Kind)
	}
	return view
}

// waitingRun is the view model of what a created run waits for.
type waitingRun struct{ Text, By, Path string }

func newWaitingRun(run app.ProcessRun) waitingRun {
	waiting := run.Waiting
	switch {
	case run.Status != app.Created || waiting == app.Waiting{}:
		return waitingRun{}
	case waiting.Paused:
		return waitingRun{Text: "The kind is paused."}
	}
	limit := decimal(int64(waiting.Limit))
	view := waitingRun{Text: limit + " of " + limit + " running"}
	if waiting.By > 0 {
		view.By, view.Path = decimal(waiting.By), RunPath(waiting.By)
	}
	return view
}

func (t *Templates) facts(page app.RunPage, now time.Time) facts {
	run := page.Run
	view := facts{
		ElementID: FactsID(run.ID), Kind: t.kindLabel(run.Kind), Inputs: t.runInputs(run),
		Attempt: t.attempt(run), Waiting: newWaitingRun(run),
		Created: exact(run.CreatedAt), Age: age(run.CreatedAt, now), timing: t.timing(run, now),
		Unhandled: run.Status == app.Created && page.Unhandled.Has(run.Kind),
		Error:     visible(run.Error), ErrorLabel: errorLabel(run.Status),
	}
	if !run.Status.Final() {
		view.Progress = progress(run, page.MedianDuration, now)
		if run.Percent.Known() {
			view.Percent = decimal(int64(run.Percent))
		}
	}
	if run.Failure > 0 {
		view.SimilarPath = QueryPath(app.Query{Filter: app.Filter{Failure: run.Failure}})
	}
	if run.Status.Final() {
		view.DeletePath = BulkPath + "?operation=delete&id=" + decimal(run.ID)
	}
	return view
}

// progress says how far a run is and how much longer it takes, or returns "" if neither is known. median is
// the usual duration of its kind.
func progress(run app.ProcessRun, median time.Duration, now time.Time) string {
	var parts []string
	if run.Percent.Known() {
		parts = append(parts, decimal(int64(run.Percent))+"%")
		if run.Message != "" {
			parts = append(parts, visible(run.Message))
		}
	}
	if left := timeLeft(run, median, now); left > 0 {
		parts = append(parts, "about "+rough(left)+" left")
		if !run.Percent.Known() {
			parts = append(parts, "as runs of this kind usually take "+rough(median))
		}
	}
	return strings.Join(parts, ", ")
}

// timeLeft estimates how much longer a started run takes: from its progress if it reports any, else from
// median, the median duration of its kind. It returns 0 if there is no estimate or the run has already taken
// longer than usual, and at least a second otherwise.
func timeLeft(run app.ProcessRun, median time.Duration, now time.Time) time.Duration {
	elapsed := now.Sub(run.StartedAt)
	var left time.Duration
	switch {
	case run.Status != app.Started || run.Percent >= 100 || elapsed <= 0:
		return 0
	case run.Percent > 0:
		left = elapsed / time.Duration(run.Percent) * time.Duration(100-run.Percent)
	case median > elapsed:
		left = median - elapsed
	default:
		return 0
	}
	return max(left.Truncate(time.Second), time.Second)
}

func (t *Templates) attempt(run app.ProcessRun) string {
	text := "none yet"
	if run.Attempt > 0 {
		kind, _ := t.kinds.Kind(run.Kind)
		text = decimal(int64(run.Attempt)) + " of " + decimal(int64(t.attemptsOf(kind)))
	}
	switch run.Crashes {
	case 0:
		return text
	case 1:
		return text + ", interrupted by a crash once"
	}
	return text + ", interrupted by a crash " + decimal(int64(run.Crashes)) + " times"
}

func (t *Templates) timing(run app.ProcessRun, now time.Time) (view timing) {
	kind, _ := t.kinds.Kind(run.Kind)
	limit := t.limitOf(kind)
	limited := limit > 0 && !isBulk(run) // the limit of a bulk run only makes it continue later
	if limited {
		view.Limit = lasting(limit)
	}
	switch {
	case run.Status == app.Started:
		view.RunningFor = elapsed(run.StartedAt, now)
	case run.Status.Final() && !run.StartedAt.IsZero():
		view.Duration = between(run.FinishedAt.Sub(run.StartedAt))
	case run.Status == app.Created && limited:
		return timing{Duration: "limit " + view.Limit}
	default:
		return timing{}
	}
	return view
}

func errorLabel(status app.Status) string {
	switch status {
	case app.Failed:
		return "Error"
	case app.Cancelled:
		return "Reason"
	}
	return "Last error"
}

// newHistory returns the events of a run, oldest first, after one for its creation, which the store does not
// keep.
func newHistory(page app.RunPage) history {
	created := app.Event{Version: 1, At: page.Run.CreatedAt, Status: app.Created}
	view := history{ElementID: eventsID(page.Run.ID), Events: []event{newEvent(created)}}
	before := created.At
	for _, one := range page.Events {
		entry := newEvent(one)
		if one.Version > 1 {
			entry.After = "after " + between(max(0, one.At.Sub(before)))
		}
		view.Events = append(view.Events, entry)
		before = one.At
	}
	return view
}

func newEvent(from app.Event) event {
	view := event{
		Status: from.Status.String(), At: stamp(from.At), Exact: exact(from.At), Clock: clock(from.At),
		Note: visible(from.Note),
	}
	if from.Status == app.Started && from.Attempt > 1 {
		view.Attempt = "attempt " + decimal(int64(from.Attempt))
	}
	return view
}
