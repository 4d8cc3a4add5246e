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

// functions are what templates may call.
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

// What the small templates take that are called with more than one thing.
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
	"heartbeat": HeartbeatID, "server": ServerID, "gone": GoneID, "connection": ConnectionID, "delay": DelayID, "total": TotalID, "key": IdempotencyKeyID, "row_actions": RowActionsID,
	"failures": FailuresID, "many": ManyID, "ask": AskID, "tickAll": TickAllID, "matches": MatchesID, "log": LogID, "follow": FollowID,
	"summary": SummaryID, "newRuns": NewRunsID, "pause": PauseID, "help": HelpID, "keys": KeysID,
	"selected": SelectedID, "clear": ClearID, "sure": SureID, "keysOff": KeysOffID,
	"unserved": UnservedID, "forecast": ForecastID,
}

func fixedID(name string) (string, error) {
	if id, known := fixedIDs[name]; known {
		return id, nil
	}
	return "", fmt.Errorf("no element is called %q", name)
}

// stamp is a time as a machine reads it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// second is stamp to the second, for rows, of which many are sent.
func second(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// exact is a time as a person reads it when the rough one is not enough.
func exact(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04:05 UTC") }

// clock is the time of day of a time.
func clock(t time.Time) string { return t.UTC().Format("15:04:05.000 UTC") }

// ago is how long before now a time was, roughly. The script on the page goes on in the same words.
func ago(t, now time.Time) string {
	if d := now.Sub(t); d >= 5*time.Second {
		return rough(d.Truncate(time.Second)) + " ago"
	}
	return "just now"
}

// elapsed is for how long something has gone on, in whole seconds: the script on the page counts on.
func elapsed(since, now time.Time) string { return lasting(now.Sub(since).Truncate(time.Second)) }

// due is how long it is until a time.
func due(t, now time.Time) string {
	if d := t.Sub(now); d > 0 {
		return "in " + lasting(d)
	}
	return "any moment"
}

// lasting is a duration: seconds to a tenth below ten of them, from a minute on in two units.
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

// rest is the smaller unit of a duration, or nothing.
func rest(d, unit time.Duration, name string) string {
	if n := d / unit; n > 0 {
		return fmt.Sprintf(" %d %s", n, name)
	}
	return ""
}

// between is the time between two moments that are known to the millisecond.
func between(d time.Duration) string {
	if d < time.Millisecond {
		return "<1 ms"
	}
	return lasting(d)
}

// rough is a duration in one unit.
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

// patient is how long work may take to stop before the page says that it does not respond.
const patient = 5 * time.Second

// stopping says how a run is doing whose cancellation was requested so long ago.
func stopping(since time.Duration) string {
	if since < patient {
		return "cancelling…"
	}
	return "cancelling… no reaction for " + lasting(since.Truncate(time.Second))
}

// clipped is how many characters of an error a row shows: enough to tell errors apart. All of it is on
// the run's page; in a row, and so in every frame, it would be paid for by everybody who watches.
const clipped = 100

// clip is the beginning of a text, on one line.
func clip(text string) string {
	text = visible(strings.Join(strings.Fields(text), " "))
	if runes := []rune(text); len(runes) > clipped {
		return string(runes[:clipped-1]) + "…"
	}
	return text
}
