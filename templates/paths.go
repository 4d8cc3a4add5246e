package templates

import (
	"maps"
	"net/url"
	"slices"
	"strconv"

	"runboard/app"
)

// ListPath is where the list is, and where new runs are posted to.
const ListPath = "/process_runs"

// FailuresPath is where it is told what failed runs have in common.
const FailuresPath = ListPath + "/failures"

// StatisticsPath is where the statistics are.
const StatisticsPath = ListPath + "/statistics"

// RunPath is where a run's page is.
func RunPath(run int64) string { return ListPath + "/" + strconv.FormatInt(run, 10) }

// LogPath is where a run's log is.
func LogPath(run int64) string { return RunPath(run) + "/log" }

// QueryPath is where the list is that answers a query.
func QueryPath(query app.Query) string { return withQuery(ListPath, query) }

// DownloadPath is where all runs are that a query's filter finds, as a file of a type.
func DownloadPath(query app.Query, extension string) string {
	return withQuery(ListPath+"."+extension, query.WithCursor(app.Latest, 0))
}

// LivePath is where the socket of that list is.
func LivePath(query app.Query) string { return withQuery(ListPath+"/live", query) }

// BulkPath is where it is asked what is to be done to many runs, and where it is asked for.
const BulkPath = ListPath + "/bulk"

// field is a parameter of an address, or what a form sends in place of it.
type field struct{ Name, Value string }

// fields are what a form sends for a query, in a fixed order.
func fields(query app.Query) (sent []field) {
	values := parameters(query)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		sent = append(sent, field{name, values.Get(name)})
	}
	return sent
}

// FilterFields are what a form sends for a filter.
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
		set("failure", strconv.FormatInt(query.Failure, 10))
	}
	switch query.Direction {
	case app.Before:
		set("before", strconv.FormatInt(query.Cursor, 10))
	case app.After:
		set("after", strconv.FormatInt(query.Cursor, 10))
	}
	return values
}
