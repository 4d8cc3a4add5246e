package templates

import (
	"net/url"
	"time"

	"runboard/app"
)

// failuresPage is the view model of the page that groups failed runs by error.
type failuresPage struct {
	Layout     layout
	SocketPath string
	Sorts      []sortLink
	failureGroups
}

// sortLink is the view model of a link to an order of the groups.
type sortLink struct {
	Path, Text string
	Current    bool
}

// failureGroups is the view model of the changing part of the failures page.
type failureGroups struct {
	Failed  string // their number for the navigation
	Summary string
	Groups  []failureGroup
	More    string       // says how many groups are not shown, or ""
	Muted   *mutedGroups // nil without muted groups
}

// mutedGroups is the view model of the muted groups.
type mutedGroups struct {
	Summary string
	Groups  []failureGroup
	More    string
}

// failureGroup is the view model of a failure group.
type failureGroup struct {
	ElementID string
	Kept      bool // the page already shows the group: it has nothing else
	Error     groupError
	Kind      string // "" if there is only one
	Runs      groupRuns
	Times     groupTimes
	Hours     sparkline
	Triage    groupTriage
}

// groupError is the view model of the error of a group.
type groupError struct {
	ElementID        string // of the element that shows it in full
	Line, Exit       string // the line that tells most, and how the command of the example ended
	Name             string // the line in short, for the names of buttons
	Pattern, Example string
}

// nameLength is the number of characters of an error in the name of a button.
const nameLength = 60

// groupRuns is the view model of the failed runs of a group.
type groupRuns struct {
	Number, Noun string
	ListPath     string
	Retry        link // to the preview for retrying all of them
	Latest       link // to the newest one
}

// groupTimes is the view model of when runs failed with the error of a group.
type groupTimes struct {
	Last, First relative // no First: they are not worth telling apart
	Again       string   // "after 12 days" if the group has returned, or ""
}

// groupTriage is the view model of what users have said about a group, and of what they can say.
type groupTriage struct {
	Note                 []notePart
	NoteLabel, NotePath  string
	MutePath, UnmutePath string       // one of them
	MutedUntil           *pointInTime // nil: it is not muted
}

// Failures renders the failures page with the groups in an order.
func (t *Templates) Failures(all app.Failures, sort app.FailureSort) ([]byte, error) {
	return t.render("failures", t.failuresPage(all, sort))
}

// FailuresLive renders the region of the failures page that its socket keeps up to date.
func (t *Templates) FailuresLive(all app.Failures, sort app.FailureSort) ([]byte, error) {
	return t.render("failures_live", t.failuresPage(all, sort))
}

// FailuresFrame renders the changing part of the failures page for a socket.
func (t *Templates) FailuresFrame(all app.Failures) ([]byte, error) {
	return t.render("failures_frame", t.failureGroups(all, nil))
}

// FailuresDelta renders a frame for sockets that have the frame of before. Of the groups that are still the
// same it has only the ids: static/triage.js keeps those of the page.
func (t *Templates) FailuresDelta(before, after app.Failures) ([]byte, error) {
	shown := make(map[int64]app.Failure, len(before.Failures))
	for _, failure := range before.Failures {
		shown[failure.ID] = failure
	}
	return t.render("failures_frame", t.failureGroups(after, shown))
}

func (t *Templates) failuresPage(all app.Failures, sort app.FailureSort) failuresPage {
	view := failuresPage{
		Layout: t.layout("Failures"), SocketPath: sortedPath(FailuresPath+"/live", sort),
		failureGroups: t.failureGroups(all, nil),
	}
	view.Layout.OnFailures, view.Layout.Failed = true, view.Failed
	texts := map[app.FailureSort]string{app.MostRuns: "Most runs", app.LatestRuns: "Latest"}
	for _, other := range app.FailureSorts() {
		view.Sorts = append(view.Sorts, sortLink{
			Path: sortedPath(FailuresPath, other), Text: texts[other], Current: other == sort,
		})
	}
	return view
}

// sortedPath returns a path with an order of failures. The default order is not in it.
func sortedPath(path string, sort app.FailureSort) string {
	if sort == app.FailureSorts()[0] {
		return path
	}
	return path + "?" + url.Values{"sort": {string(sort)}}.Encode()
}

// failureGroups returns the view model of groups. shown are groups that the page already shows, by id.
func (t *Templates) failureGroups(all app.Failures, shown map[int64]app.Failure) failureGroups {
	var view failureGroups
	var muted mutedGroups
	for _, failure := range all.Failures {
		group := failureGroup{ElementID: groupID(failure.ID), Kept: true}
		if was, known := shown[failure.ID]; !known || was != failure {
			group = t.failureGroup(failure)
		}
		if failure.Muted() {
			muted.Groups = append(muted.Groups, group)
		} else {
			view.Groups = append(view.Groups, group)
		}
	}
	groups, runs := all.Groups-all.Muted.Groups, all.Runs-all.Muted.Runs
	view.Failed = failedText(runs)
	view.Summary = plural(runs, "failed run, ", "failed runs, ") +
		plural(groups, "distinct error", "distinct errors") +
		". Grouped by message; numbers, ids and paths are ignored."
	view.More = moreGroups(groups - int64(len(view.Groups)))
	if all.Muted.Groups > 0 {
		muted.Summary = grouped(all.Muted.Groups) + " muted · " + plural(all.Muted.Runs, "run", "runs")
		muted.More = moreGroups(all.Muted.Groups - int64(len(muted.Groups)))
		view.Muted = &muted
	}
	return view
}

// moreGroups says how many groups are not shown, or returns "".
func moreGroups(n int64) string {
	if n <= 0 {
		return ""
	}
	return "And " + grouped(n) + " more."
}

func (t *Templates) failureGroup(failure app.Failure) failureGroup {
	group := failureGroup{
		ElementID: groupID(failure.ID), Error: newGroupError(failure), Runs: newGroupRuns(failure),
		Times: t.groupTimes(failure), Hours: newSparkline(failure.Hours), Triage: newGroupTriage(failure),
	}
	if t.showKind() {
		group.Kind = t.kindLabel(failure.Kind)
	}
	return group
}

func newGroupError(failure app.Failure) groupError {
	text := groupError{
		ElementID: groupID(failure.ID) + "_error",
		Pattern:   visible(failure.Pattern), Example: visible(failure.Example),
	}
	text.Line, text.Exit = failureLine(failure)
	text.Name = clipTo(text.Line, nameLength)
	return text
}

func newGroupRuns(failure app.Failure) groupRuns {
	query := app.Query{Filter: app.Filter{Failure: failure.ID}}
	runs := groupRuns{
		Number: grouped(failure.Runs), Noun: "runs", ListPath: QueryPath(query),
		Retry: link{withQuery(BulkPath, query) + "&operation=retry&scope=all", "Retry all…"},
	}
	if failure.Runs == 1 {
		runs.Noun, runs.Retry.Text = "run", "Retry…"
	}
	if failure.LatestRun > 0 {
		runs.Latest = link{RunPath(failure.LatestRun), "#" + decimal(failure.LatestRun)}
	}
	return runs
}

func (t *Templates) groupTimes(failure app.Failure) groupTimes {
	now := t.now()
	times := groupTimes{Last: age(failure.LastAt, now)}
	if failure.LastAt.Sub(failure.FirstAt) >= time.Minute {
		times.First = age(failure.FirstAt, now)
	}
	if again := failure.Recurrence; again != (app.Recurrence{}) {
		times.Again = "after " + rough(again.Quiet())
	}
	return times
}

func newGroupTriage(failure app.Failure) groupTriage {
	triage := groupTriage{
		Note: noteParts(failure.Note), NoteLabel: "Add note",
		NotePath:   failureCommandPath(failure.ID, "note"),
		MutedUntil: newPointInTime(failure.MutedUntil),
	}
	if failure.Note != "" {
		triage.NoteLabel = "Edit note"
	}
	if failure.Muted() {
		triage.UnmutePath = failureCommandPath(failure.ID, "unmute")
	} else {
		triage.MutePath = failureCommandPath(failure.ID, "mute")
	}
	return triage
}
