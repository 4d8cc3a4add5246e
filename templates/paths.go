package templates

import (
	"fmt"
	"maps"
	"net/url"
	"slices"

	"runboard/app"
)

// ListPath is the path of the list. A POST to it starts runs.
const ListPath = "/process_runs"

// FailuresPath is the path of the failures page.
const FailuresPath = ListPath + "/failures"

// StatisticsPath is the path of the statistics page.
const StatisticsPath = ListPath + "/statistics"

// TimelinePath is the path of the timeline.
const TimelinePath = ListPath + "/timeline"

// statisticsPath returns the path of the statistics of a lookback.
func statisticsPath(lookback app.Lookback) string { return StatisticsPath + periodQuery(lookback) }

// statisticsLivePath returns the path of their socket.
func statisticsLivePath(lookback app.Lookback) string {
	return StatisticsPath + "/live" + periodQuery(lookback)
}

func periodQuery(lookback app.Lookback) string {
	if lookback == DefaultLookback {
		return ""
	}
	return "?period=" + lookback.String()
}

// KindsPath is the path of the list of kinds.
const KindsPath = "/kinds"

// KindPath returns the path of a kind's page.
func KindPath(kind string) string { return KindsPath + "/" + url.PathEscape(kind) }

// InputPrefix comes before the name of an input in form fields and query parameters.
const InputPrefix = "input."

// maxFilledPath is the largest length in bytes of a path that fills a form: browsers and servers refuse long
// ones.
const maxFilledPath = 4000

// KindPathWith returns the path of the page of a run's kind with the form filled with the inputs of the run,
// secrets excepted. If they are too long for a path, the server reads them from the run.
func KindPathWith(run app.ProcessRun) string {
	if path, fits := filledPath(run.Kind, run.Inputs.Values()); fits {
		return path
	}
	return KindPath(run.Kind) + "?run=" + decimal(run.ID)
}

// filledPath returns the path of a kind's page with the form filled with values, secrets excepted. It returns
// false if that is too long.
func filledPath(kind string, values app.InputValues) (path string, fits bool) {
	query := url.Values{}
	for _, value := range values.Public() {
		query[InputPrefix+value.Name] = value.Texts
	}
	path = KindPath(kind)
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return path, len(path) <= maxFilledPath
}

// RunPath returns the path of a run's page.
func RunPath(run int64) string { return ListPath + "/" + decimal(run) }

// ComparePath returns the path of the page that compares two runs.
func ComparePath(run, other int64) string { return RunPath(run) + "/compare/" + decimal(other) }

// logLinePath returns the path of the page of a run with a line of its log.
func logLinePath(run int64, line app.LogLine) string {
	if line.Number == 0 { // of a log that an older version of the program wrote
		return LogPartPath(run, line.At)
	}
	return RunPath(run) + "?line=" + decimal(line.Number) + "#" + lineID(line.Number)
}

// runCommandPath returns the path to POST command to, which is "cancel", "retry" or "delete".
func runCommandPath(run int64, command string) string { return RunPath(run) + "/" + command }

// failureCommandPath returns the path to POST command to, which is "note", "mute" or "unmute". GET returns
// the form for a note or a mute.
func failureCommandPath(failure int64, command string) string {
	return FailuresPath + "/" + decimal(failure) + "/" + command
}

// logPath returns the path of a run's log.
func logPath(run int64) string { return RunPath(run) + "/log" }

// LogPartPath returns the path of a run's page with the part of its log that begins at an offset.
func LogPartPath(run, offset int64) string {
	return RunPath(run) + "?offset=" + decimal(offset) + "#log"
}

// QueryPath returns the path of the list for query.
func QueryPath(query app.Query) string { return withQuery(ListPath, query) }

// DownloadPath returns the path of a file with all runs that match the filter of query, whatever its cursor.
// extension is the type of the file, without a dot.
func DownloadPath(query app.Query, extension string) string {
	return withQuery(ListPath+"."+extension, app.Query{Filter: query.Filter})
}

// LivePath returns the path of the socket of the list for query.
func LivePath(query app.Query) string { return withQuery(ListPath+"/live", query) }

// BulkPath is the path of bulk actions: GET previews one, and POST creates it.
const BulkPath = ListPath + "/bulk"

// BulkProgressPath returns the path of the notice about a bulk run.
func BulkProgressPath(run int64) string { return BulkPath + "/" + decimal(run) }

// undoPath returns the path to POST the undoing of the cancellation of run to.
func undoPath(run app.ProcessRun) string {
	return RunPath(run.ID) + "/undo?version=" + decimal(run.Version)
}

// undoBulkPath returns the path to POST the undoing of a bulk run to.
func undoBulkPath(run int64) string { return BulkProgressPath(run) + "/undo" }

// undoStartPath returns the path to POST the undoing of the start of a batch to.
func undoStartPath(batch app.Batch) string {
	return ListPath + "/undo?first=" + decimal(batch.First) + "&last=" + decimal(batch.Last())
}

// fixedPath returns a path by the name that templates use. It fails for an unknown name, and so does New.
func fixedPath(name string) (string, error) {
	paths := map[string]string{
		"list": ListPath, "failures": FailuresPath, "statistics": StatisticsPath, "bulk": BulkPath,
		"kinds": KindsPath, "timeline": TimelinePath,
	}
	if path, known := paths[name]; known {
		return path, nil
	}
	return "", fmt.Errorf("no path is called %q", name)
}

// link is the view model of a link. Without a Path it is only a text, or nothing.
type link struct{ Path, Text string }

// field is a query parameter or a form field.
type field struct{ Name, Value string }

// fields returns the form fields for query, sorted by name.
func fields(query app.Query) (sent []field) {
	values := parameters(query)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		sent = append(sent, field{name, values.Get(name)})
	}
	return sent
}

// FilterFields returns the form fields for filter, sorted by name.
func FilterFields(filter app.Filter) []field { return fields(app.Query{Filter: filter}) }

func withQuery(path string, query app.Query) string {
	if values := parameters(query); len(values) > 0 {
		return path + "?" + values.Encode()
	}
	return path
}

func parameters(query app.Query) url.Values {
	values := url.Values{}
	set := func(name, value string) {
		if value != "" {
			values.Set(name, value)
		}
	}
	if query.Filtered {
		set("status", query.Status.String())
	}
	set("kind", query.Kind)
	set("since", query.Since.String())
	set("until", query.Until.String())
	set("q", query.Text)
	if query.Failure > 0 {
		set("failure", decimal(query.Failure))
	}
	for _, match := range query.Inputs.Matches() {
		set(InputPrefix+match.Name, match.Value)
	}
	if query.PageSize() != app.PageSize {
		set("rows", decimal(int64(query.PageSize())))
	}
	switch query.Direction {
	case app.Before:
		set("before", decimal(query.Cursor))
	case app.After:
		set("after", decimal(query.Cursor))
	}
	return values
}
