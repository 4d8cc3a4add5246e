package templates

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"runboard/app"
)

// functions returns the functions that templates may call. asset and now are those of Options.
func functions(asset func(string) string, now func() time.Time) template.FuncMap {
	return template.FuncMap{
		"asset":    asset,
		"now":      now,
		"millis":   time.Time.UnixMilli,
		"id":       fixedID,
		"rowID":    RowID,
		"statusID": StatusID,
		"factsID":  FactsID,
		"eventsID": EventsID,
		"countID":  CountID,
		"statuses": app.Statuses,
		"number":   humanize.Comma,
		"exact":    exact,
		"second":   second,
		"stamp":    stamp,
		"clock":    clock,
		"ago":      ago,
		"due":      due,
		"elapsed":  elapsed,
		"lasting":  lasting,
		"between":  between,
		"rough":    rough,
		"stopping": stopping,
		"clip":     clip,
		"visible":  visible,

		"chartID":  ChartID,
		"tableID":  TableID,
		"timesID":  TimesID,
		"unserved": unserved,
		"foretell": foretell,
		"most":     most,
		"bar":      newBar,

		"failuresPath":   func() string { return FailuresPath },
		"alikePath":      func(failure int64) string { return QueryPath(app.Query{Filter: app.Filter{Failure: failure}}) },
		"groupID":        func(failure int64) string { return "failure_" + strconv.FormatInt(failure, 10) },
		"statisticsPath": func() string { return StatisticsPath },

		"listPath":   func() string { return ListPath },
		"runPath":    RunPath,
		"cancelPath": func(run int64) string { return RunPath(run) + "/cancel" },
		"retryPath":  func(run int64) string { return RunPath(run) + "/retry" },
		"logPath":    LogPath,
		"queryPath":  QueryPath,
		"livePath":   LivePath,

		"downloadPath": DownloadPath,
		"bulkPath":     func() string { return BulkPath },
		"deletePath":   func(run int64) string { return BulkPath + "?operation=delete&id=" + strconv.FormatInt(run, 10) },
		"fields":       fields,

		"link":      func(path, id string, current bool) link { return link{path, id, current} },
		"count":     func(status app.Status, counts app.Counts) count { return count{status, counts[status]} },
		"rowAction": func(path, word string) rowAction { return rowAction{path, word} },
		"at":        func(at, now time.Time) instant { return instant{at, now} },
		"left":      left,
		"bytes":     func(n int64) string { return humanize.IBytes(uint64(max(0, n))) },
	}
}

// The arguments of small templates that take more than one value.
type (
	link struct {
		Path, ID string
		Current  bool
	}
	count struct {
		Status app.Status
		N      int64
	}
	rowAction struct{ Path, Word string }
	instant   struct{ At, Now time.Time }
)

var fixedIDs = map[string]string{
	"live": LiveID, "start": StartID, "list": ListID, "pager": PagerID, "progress": ProgressID, "notice": NoticeID, "message": MessageID,
	"heartbeat": HeartbeatID, "server": ServerID, "deleted": DeletedID, "connection": ConnectionID, "latency": LatencyID, "total": TotalID, "key": IdempotencyKeyID, "row_actions": RowActionsID,
	"failures": FailuresID, "bulk": BulkID, "confirm": ConfirmID, "selectAll": SelectAllID, "matches": MatchesID, "log": LogID, "follow": FollowID,
	"summary": SummaryID, "newRuns": NewRunsID, "pause": PauseID, "help": HelpID, "shortcuts": ShortcutsID,
	"selectedCount": SelectedCountID, "clearSelection": ClearSelectionID, "confirmShortcut": ConfirmShortcutID, "shortcutsEnabled": ShortcutsEnabledID,
	"unhandled": UnhandledID, "forecast": ForecastID,
}

// fixedID returns the id of an element by its name in fixedIDs. For an unknown name it fails, and so does the
// render.
func fixedID(name string) (string, error) {
	if id, known := fixedIDs[name]; known {
		return id, nil
	}
	return "", fmt.Errorf("no element is called %q", name)
}

// stamp formats t for datetime attributes: UTC, to the millisecond.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// second formats t like stamp, but to the second. Rows use it because a frame carries many of them.
func second(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// exact formats t for users, where a rough time is not enough.
func exact(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04:05 UTC") }

// clock formats the time of day of t.
func clock(t time.Time) string { return t.UTC().Format("15:04:05.000 UTC") }

// ago says roughly how long before now t was. static/app.js keeps the text up to date in the same words.
func ago(t, now time.Time) string {
	if d := now.Sub(t); d >= 5*time.Second {
		return rough(d.Truncate(time.Second)) + " ago"
	}
	return "just now"
}

// elapsed says how long ago since was, in whole seconds, because static/app.js counts on from there.
func elapsed(since, now time.Time) string { return lasting(now.Sub(since).Truncate(time.Second)) }

// due says how long after now t is.
func due(t, now time.Time) string {
	if d := t.Sub(now); d > 0 {
		return "in " + lasting(d)
	}
	return "any moment"
}

// lasting formats d like rough below a minute, and in two units from there, such as "3 min 20 s".
func lasting(d time.Duration) string {
	switch {
	case d < time.Minute:
		return rough(d)
	case d < time.Hour:
		return rough(d) + rest(d%time.Minute, time.Second, "s")
	case d < 48*time.Hour:
		return rough(d) + rest(d%time.Hour, time.Minute, "min")
	}
	return rough(d) + rest(d%(24*time.Hour), time.Hour, "h")
}

// rest formats d in the smaller unit of a duration, or returns "" if it is less than one unit.
func rest(d, unit time.Duration, name string) string {
	if n := d / unit; n > 0 {
		return fmt.Sprintf(" %d %s", n, name)
	}
	return ""
}

// between formats the time between two timestamps that the store keeps to the millisecond.
func between(d time.Duration) string {
	if d < time.Millisecond {
		return "<1 ms"
	}
	return lasting(d)
}

// rough formats d in one unit, rounded down. A negative d counts as 0.
func rough(d time.Duration) string {
	switch d = max(d, 0); {
	case d < 100*time.Millisecond && d > 0:
		return fmt.Sprintf("%d ms", d/time.Millisecond)
	case d < 10*time.Second && d%time.Second != 0:
		return fmt.Sprintf("%.1f s", d.Truncate(100*time.Millisecond).Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}

// patient is how long a cancelled run may take to stop before the page says that it does not react.
const patient = 5 * time.Second

// stopping describes a run that was asked to stop. since is the time since that request.
func stopping(since time.Duration) string {
	if since < patient {
		return "cancelling…"
	}
	return "cancelling… no reaction for " + lasting(since.Truncate(time.Second))
}

// clipped is the number of characters of an error in a row: enough to tell errors apart. The run's page has
// the whole error. A longer one in a row would make every frame larger, for every subscriber.
const clipped = 100

// clip returns the beginning of text on one line, at most clipped characters.
func clip(text string) string {
	text = visible(strings.Join(strings.Fields(text), " "))
	if runes := []rune(text); len(runes) > clipped {
		return string(runes[:clipped-1]) + "…"
	}
	return text
}
