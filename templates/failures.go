package templates

import (
	"fmt"
	"strconv"
	"time"

	"runboard/app"
)

// failuresPage is the view model of the page that groups failed runs by error.
type failuresPage struct {
	Layout  layout
	Summary string
	Groups  []failureGroup
	More    string // says how many groups are not shown, or ""
}

// failureGroup is the view model of a failure group.
type failureGroup struct {
	ElementID, Kind       string // Kind is "" if there is only one
	Line, Exit            string // the pattern in one line, and how the command of the example ended
	Example               string
	Runs, ListPath        string // "12 runs", and the list of them
	RetryLabel, RetryPath string // the preview for retrying all of them
	Last, First           failureTime
	Note                  *failureNote
	Description           string // of the sparkline, for screen readers
	Bars                  []hourBar
}

// noOutput stands for the error of a command that has written nothing.
const noOutput = "No output"

// failureTime is the view model of a time; without At there is none.
type failureTime struct{ At, Exact, Text string }

// hourBar is an hour of a sparkline, in units of a picture 24 wide and 16 high.
type hourBar struct{ X, Y, Height string }

// Failures renders the failures page.
func (t *Templates) Failures(all app.Failures) ([]byte, error) {
	return t.render("failures", t.failuresPage(all))
}

// FailuresLive renders the region of the failures page that its socket keeps up to date.
func (t *Templates) FailuresLive(all app.Failures) ([]byte, error) {
	return t.render("failures_live", t.failuresPage(all))
}

// FailuresFrame renders the changing part of the failures page for a socket.
func (t *Templates) FailuresFrame(all app.Failures) ([]byte, error) {
	return t.render("failures_frame", t.failuresPage(all))
}

func (t *Templates) failuresPage(all app.Failures) failuresPage {
	view := failuresPage{Layout: t.layout("Failures")}
	view.Layout.OnFailures = true
	view.Summary = plural(all.Runs, "failed run, ", "failed runs, ") +
		plural(all.Groups, "distinct error", "distinct errors") +
		". Grouped by message; numbers, ids and paths are ignored."
	now := t.now()
	for _, failure := range all.Failures {
		view.Groups = append(view.Groups, t.failureGroup(failure, now))
	}
	if more := all.Groups - int64(len(all.Failures)); more > 0 {
		view.More = "And " + grouped(more) + " more, with fewer runs each."
	}
	return view
}

func (t *Templates) failureGroup(failure app.Failure, now time.Time) failureGroup {
	query := app.Query{Filter: app.Filter{Failure: failure.ID}}
	group := failureGroup{
		ElementID: groupID(failure.ID), Example: visible(failure.Example),
		Runs: plural(failure.Runs, "run", "runs"), ListPath: QueryPath(query),
		RetryLabel: "Retry…", RetryPath: withQuery(BulkPath, query) + "&operation=retry&scope=all",
		Last: newFailureTime(failure.LastAt, now), Note: newFailureNote(failure),
		Description: describeHours(failure.Hours), Bars: hourBars(failure.Hours),
	}
	group.Line, group.Exit = failureLine(failure)
	if failure.Runs > 1 {
		group.RetryLabel = "Retry all " + grouped(failure.Runs) + "…"
	}
	if t.showKind() {
		group.Kind = failure.Kind
	}
	if !failure.FirstAt.Equal(failure.LastAt) {
		group.First = newFailureTime(failure.FirstAt, now)
	}
	return group
}

func newFailureTime(at, now time.Time) failureTime {
	return failureTime{At: stamp(at), Exact: exact(at), Text: ago(at, now)}
}

// hourBars returns a bar for each hour with failures. The busiest hour fills the height, and every bar is at
// least 1 high.
func hourBars(hours [app.FailureHours]int64) (bars []hourBar) {
	var highest int64 = 1
	for _, n := range hours {
		highest = max(highest, n)
	}
	for hour, n := range hours {
		if n > 0 {
			height := max(1, 16*float64(n)/float64(highest))
			bars = append(bars, hourBar{strconv.Itoa(hour), shortest(16 - height), shortest(height)})
		}
	}
	return bars
}

// shortest formats x with as few digits as identify it.
func shortest(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

// describeHours describes a sparkline for screen readers.
func describeHours(hours [app.FailureHours]int64) string {
	var sum, highest int64
	var hoursAgo int
	for hour, n := range hours {
		sum += n
		if n > highest {
			highest, hoursAgo = n, app.FailureHours-1-hour
		}
	}
	switch {
	case sum == 0:
		return "None in the last 24 hours"
	case hoursAgo == 0:
		return fmt.Sprintf("%s in the last 24 hours, most of them, %s, in the present hour", grouped(sum),
			grouped(highest))
	}
	return fmt.Sprintf("%s in the last 24 hours, most of them, %s, %d h ago", grouped(sum), grouped(highest),
		hoursAgo)
}
