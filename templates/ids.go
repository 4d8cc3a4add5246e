package templates

import (
	"fmt"
	"time"

	"runboard/app"
)

// The ids that Go code refers to.
const (
	NoticeID  = "notice"
	MessageID = "message"
	ConfirmID = "confirm"
	StartID   = "start"     // form that starts runs
	totalID   = "count_all" // number of all runs
)

// fixedIDs has the ids of elements that a page has once, by the names that templates use. Frames, styles,
// scripts and htmx targets refer to them.
var fixedIDs = map[string]string{
	"main":                 "main",                   // what the page is about, below the header
	"navFailed":            "nav_failed",             // number of failed runs in the navigation
	"find":                 "find",                   // search form in the header
	"searchText":           "search_text",            // its field
	"live":                 "live",                   // the live region, which owns the socket
	"start":                StartID,                  // form that starts runs
	"starter":              "starter",                // start form and preview
	"preview":              "start_preview",          // what the form would start
	"previewTitle":         "preview_title",          // its heading
	"kindState":            "kind_state",             // how the runs of a kind fare, and the button that pauses it
	"kinds":                "kinds",                  // list of kinds
	"findKind":             "find_kind",              // field that filters the list of kinds
	"list":                 "process_runs",           // table body with the rows
	"running":              "running",                // table body with the running runs that are further down
	"pager":                "pager",                  // links to older and newer pages
	"pagerTop":             "pager_top",              // the same above the list
	"offers":               "offers",                 // links to what a search names
	"selectMatching":       "select_matching",        // button that selects all matching runs
	"searchCreated":        "search_created",         // select with the spans of time
	"searchKind":           "search_kind",            // select with the kinds
	"searchRows":           "search_rows",            // select with the rows of a page
	"timeRange":            "time_range",             // fields for another span of time
	"matches":              "matches",                // number of runs that match the filter
	"clearFilters":         "clear_filters",          // link to the list without filters
	"notice":               NoticeID,                 // answers to actions, and errors
	"message":              MessageID,                // error message of the error page
	"connection":           "connection",             // badge that says whether the page is live
	"heartbeat":            "heartbeat",              // time of the last heartbeat
	"server":               "server",                 // whether the server is shutting down
	"deleted":              "deleted",                // warning that the page's run was deleted
	"latency":              "latency",                // latency from the commit of a change to its display
	"key":                  "idempotency_key",        // hidden field of the start form
	"rowActions":           "row_actions",            // form of the buttons in status cells
	"log":                  "log",                    // box with the lines of a run's log
	"summary":              "summary",                // status text for screen readers
	"newRuns":              "new_runs",               // bar that announces rows not shown yet
	"pause":                "pause",                  // button that pauses updates
	"help":                 "help",                   // button that shows the shortcuts
	"shortcuts":            "shortcuts",              // dialog with the shortcuts
	"shortcutsTitle":       "shortcuts_title",        // its heading
	"failures":             "failures",               // failed runs, grouped by error
	"failureNote":          "failure_note",           // note of the failure group of a list
	"muted":                "muted_failures",         // those whose group is muted
	"triageProblem":        "triage_problem",         // why a note or a mute was refused
	"bulkFold":             "bulk_fold",              // what the form for bulk actions is folded up in
	"bulk":                 "bulk",                   // form for bulk actions
	"bulkScope":            "bulk_scope",             // select with which runs a bulk action is for
	"confirm":              ConfirmID,                // dialog or region for the preview of a bulk action
	"confirmTitle":         "confirm_title",          // heading of what it shows
	"selectAll":            "select_all",             // checkbox that selects all runs of the page
	"selectedCount":        "selected_count",         // number of selected runs, and whether the limit is reached
	"clearSelection":       "clear_selection",        // button that clears the selection
	"confirmShortcut":      "confirm_shortcut",       // dialog that confirms a shortcut
	"confirmShortcutTitle": "confirm_shortcut_title", // its heading
	"shortcutsEnabled":     "shortcuts_enabled",      // switch that turns shortcuts on or off
	"runMenu":              "run_menu",               // further actions on a run
	"newerRun":             "newer_run",              // link to the run above this one in its list
	"olderRun":             "older_run",              // link to the run below this one in its list
	"tellMe":               "tell_me",                // button that asks for a notification at the end of the run
	"follow":               "log_follow",             // button that jumps to the end of the log
	"logTitle":             "log_title",              // heading of the log
	"logSearch":            "log_search",             // form that searches in the log
	"logHits":              "log_hits",               // which hit of the search is shown
	"logPrevious":          "log_previous",           // button that shows the previous hit
	"logWrap":              "log_wrap",               // switch that wraps long lines of the log
	"logTimes":             "log_times",              // switch that shows the times of lines
	"logCopy":              "log_copy",               // button that copies lines of the log
	"logColors":            "log_colors",             // style sheet with the colors of terminals
	"logNews":              "log_news",               // what happens in the log, for screen readers
	"unhandled":            "unhandled",              // warning about waiting runs without a worker
	"paused":               "paused_kinds",           // note about paused kinds
	"timeline":             "timeline",               // picture of a timeline
	"timelineControls":     "timeline_controls",      // links that move its window
	"timelineFilter":       "timeline_filter",        // form that filters it
	"timelineTable":        "timeline_table",         // table with what it shows
	"forecast":             "forecast",               // number of waiting runs, and forecast for the queue
	"tiles":                "statistics_tiles",       // figures of the statistics page
	"chart":                "statistics_chart",       // finished and waiting runs over time
	"chartTable":           "statistics_table",       // table body with the same numbers
	"byKind":               "statistics_kinds",       // table of kinds
}

// fixedID returns the id of an element by its name in fixedIDs. It fails for an unknown name, and so does
// New.
func fixedID(name string) (string, error) {
	if id, known := fixedIDs[name]; known {
		return id, nil
	}
	return "", fmt.Errorf("no element is called %q", name)
}

// RowID returns the id of a run's row.
func RowID(run int64) string { return "process_run_" + decimal(run) }

// StatusID returns the id of a run's status cell.
func StatusID(run int64) string { return RowID(run) + "_status" }

// cellID returns the id of another cell of a run's row, by its column.
func cellID(run int64, column string) string { return RowID(run) + "_" + column }

// runningID returns the id of a run's row in the group of running runs.
func runningID(run int64) string { return "running_" + decimal(run) }

// FactsID returns the id of the table body with a run's facts on its page.
func FactsID(run int64) string { return RowID(run) + "_facts" }

// runPartID returns the id of a part of a run's page that frames bring.
func runPartID(run int64, part string) string { return RowID(run) + "_" + part }

// deletedParts are the parts of a run's page that a deleted run does not have.
var deletedParts = []string{"state", "actions", "menu", "progress", "problem", "facts", "attempts"}

// eventsID returns the id of the list with a run's history on its page.
func eventsID(run int64) string { return RowID(run) + "_events" }

// inputID returns the id of the control of an input, or of the group of its controls.
func inputID(input string) string { return "input_" + input }

// groupID returns the id of a failure group.
func groupID(failure int64) string { return "failure_" + decimal(failure) }

// BarID returns the id of the bar of the attempt of a run that began at start.
func BarID(run int64, start time.Time) string { return "bar_" + decimal(run) + "_" + millis(start) }

// binID returns the id of the column of a bin in a lane.
func binID(lane int, at time.Time) string { return "bin_" + decimal(int64(lane)) + "_" + millis(at) }

// lineID returns the id of a line of a run's log, from its number.
func lineID(line int64) string { return "L" + decimal(line) }

// CountID returns the id of the number of runs in a status.
func CountID(status app.Status) string { return "count_" + status.String() }
