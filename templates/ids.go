package templates

import (
	"strconv"

	"runboard/app"
)

// The ids of the page. Templates, frames, styles and answers that aim at an element go by these.
const (
	LiveID           = "live"            // the region that owns the socket
	StartID          = "start"           // the form that starts runs
	ListID           = "process_runs"    // the table body with the rows
	PagerID          = "pager"           // the links to older and newer pages
	MatchesID        = "matches"         // how many runs a filter finds
	ProgressID       = "progress"        // "7 of the last 10 done"
	NoticeID         = "notice"          // where answers and errors are shown
	MessageID        = "message"         // what went wrong, on the page that says so
	ConnectionID     = "connection"      // the badge that says whether the page is live
	HeartbeatID      = "heartbeat"       // the server's last sign of life
	ServerID         = "server"          // whether the server is about to stop
	GoneID           = "gone"            // that the run of the page was deleted
	DelayID          = "delay"           // how long it takes until a change is shown
	TotalID          = "count_all"       // how many runs there are
	IdempotencyKeyID = "idempotency_key" // the form's hidden field
	RowActionsID     = "row_actions"     // the form of the buttons in status cells
	LogID            = "log"             // the lines of a run's log
	SummaryID        = "summary"         // what a screen reader says now and then
	NewRunsID        = "new_runs"        // the bar behind which new rows wait
	PauseID          = "pause"           // the button that freezes the page
	HelpID           = "help"            // the button that shows the keys
	KeysID           = "keys"            // the dialog with the keys
	FailuresID       = "failures"        // what failed runs have in common
	ManyID           = "many"            // the form that acts on many runs
	AskID            = "ask"             // where it is asked whether they are meant
	TickAllID        = "tick_all"        // the box that ticks all runs of the page
	SelectedID       = "selected"        // how many runs are selected, and whether no more can be
	ClearID          = "selected_clear"  // the button that clears the selection
	SureID           = "sure"            // the dialog that asks whether a key was meant
	KeysOffID        = "keys_used"       // the switch for the keys
	FollowID         = "log_follow"      // the button that leads to the end of the log
	UnservedID       = "unserved"        // the warning of runs that nobody here works on
	ForecastID       = "forecast"        // what becomes of the runs that wait
)

// RowID is the id of a run's row.
func RowID(run int64) string { return "process_run_" + strconv.FormatInt(run, 10) }

// StatusID is the id of a run's status cell.
func StatusID(run int64) string { return RowID(run) + "_status" }

// FactsID is the id of the table body that says the rest about a run on its page.
func FactsID(run int64) string { return RowID(run) + "_facts" }

// EventsID is the id of the list that tells a run's history on its page.
func EventsID(run int64) string { return RowID(run) + "_events" }

// ChartID is the id of a picture of what happened in a period.
func ChartID(period string) string { return period + "_chart" }

// TableID is the id of the table body that says the same.
func TableID(period string) string { return period + "_table" }

// TimesID is the id of what says how long runs took in a period.
func TimesID(period string) string { return period + "_times" }

// CountID is the id of the number of runs in a status.
func CountID(status app.Status) string { return "count_" + status.String() }
