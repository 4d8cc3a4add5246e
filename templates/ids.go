package templates

import (
	"fmt"

	"runboard/app"
)

// The ids of elements that a page has once. Templates, frames, styles, scripts and htmx targets refer to
// them.
const (
	LiveID             = "live"              // the live region, which owns the socket
	StartID            = "start"             // form that starts runs
	ListID             = "process_runs"      // table body with the rows
	PagerID            = "pager"             // links to older and newer pages
	MatchesID          = "matches"           // number of runs that match the filter
	ProgressID         = "progress"          // "7 of the latest 10 finished"
	NoticeID           = "notice"            // answers to actions, and errors
	MessageID          = "message"           // error message of the error page
	ConnectionID       = "connection"        // badge that says whether the page is live
	HeartbeatID        = "heartbeat"         // time of the last heartbeat
	ServerID           = "server"            // whether the server is shutting down
	DeletedID          = "deleted"           // warning that the page's run was deleted
	LatencyID          = "latency"           // latency from the commit of a change to its display
	TotalID            = "count_all"         // number of all runs
	IdempotencyKeyID   = "idempotency_key"   // hidden field of the start form
	RowActionsID       = "row_actions"       // form of the buttons in status cells
	LogID              = "log"               // box with the lines of a run's log
	SummaryID          = "summary"           // status text for screen readers
	NewRunsID          = "new_runs"          // bar that announces rows not shown yet
	PauseID            = "pause"             // button that pauses updates
	HelpID             = "help"              // button that shows the shortcuts
	ShortcutsID        = "shortcuts"         // dialog with the shortcuts
	FailuresID         = "failures"          // failed runs, grouped by error
	BulkID             = "bulk"              // form for bulk actions
	ConfirmID          = "confirm"           // dialog or region for the preview of a bulk action
	SelectAllID        = "select_all"        // checkbox that selects all runs of the page
	SelectedCountID    = "selected_count"    // number of selected runs, and whether the limit is reached
	ClearSelectionID   = "clear_selection"   // button that clears the selection
	ConfirmShortcutID  = "confirm_shortcut"  // dialog that confirms a shortcut
	ShortcutsEnabledID = "shortcuts_enabled" // switch that turns shortcuts on or off
	FollowID           = "log_follow"        // button that jumps to the end of the log
	UnhandledID        = "unhandled"         // warning about waiting runs without a worker
	ForecastID         = "forecast"          // forecast for the queue
)

// RowID returns the id of a run's row.
func RowID(run int64) string { return "process_run_" + decimal(run) }

// StatusID returns the id of a run's status cell.
func StatusID(run int64) string { return RowID(run) + "_status" }

// FactsID returns the id of the table body with a run's facts on its page.
func FactsID(run int64) string { return RowID(run) + "_facts" }

// EventsID returns the id of the list with a run's history on its page.
func EventsID(run int64) string { return RowID(run) + "_events" }

// groupID returns the id of a failure group.
func groupID(failure int64) string { return "failure_" + decimal(failure) }

// ChartID returns the id of the chart of a period.
func ChartID(period string) string { return period + "_chart" }

// TableID returns the id of the table body below the chart of a period.
func TableID(period string) string { return period + "_table" }

// DurationsID returns the id of the element with the queue times and run times of a period.
func DurationsID(period string) string { return period + "_times" }

// CountID returns the id of the number of runs in a status.
func CountID(status app.Status) string { return "count_" + status.String() }

// fixedIDs has the ids by the names that templates use.
var fixedIDs = map[string]string{
	"bulk": BulkID, "clearSelection": ClearSelectionID, "confirm": ConfirmID,
	"confirmShortcut": ConfirmShortcutID, "connection": ConnectionID, "deleted": DeletedID,
	"failures": FailuresID, "follow": FollowID, "forecast": ForecastID,
	"heartbeat": HeartbeatID, "help": HelpID, "key": IdempotencyKeyID,
	"latency": LatencyID, "list": ListID, "live": LiveID, "log": LogID, "matches": MatchesID,
	"message": MessageID, "newRuns": NewRunsID, "notice": NoticeID, "pager": PagerID, "pause": PauseID,
	"progress": ProgressID, "rowActions": RowActionsID, "selectAll": SelectAllID,
	"selectedCount": SelectedCountID, "server": ServerID, "shortcuts": ShortcutsID,
	"shortcutsEnabled": ShortcutsEnabledID, "start": StartID, "summary": SummaryID, "unhandled": UnhandledID,
}

// fixedID returns the id of an element by its name in fixedIDs. It fails for an unknown name, and so does
// New.
func fixedID(name string) (string, error) {
	if id, known := fixedIDs[name]; known {
		return id, nil
	}
	return "", fmt.Errorf("no element is called %q", name)
}
