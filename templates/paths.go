package templates

import (
	"net/url"
	"strconv"

	"runboard/app"
)

// ListPath is where the list is, and where new runs are posted to.
const ListPath = "/process_runs"

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
	return withQuery(ListPath+"."+extension, query.To(app.Newest, 0))
}

// LivePath is where the socket of that list is.
func LivePath(query app.Query) string { return withQuery(ListPath+"/live", query) }

func withQuery(path string, query app.Query) string {
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
	switch query.Turn {
	case app.Before:
		set("before", strconv.FormatInt(query.Cursor, 10))
	case app.After:
		set("after", strconv.FormatInt(query.Cursor, 10))
	}
	if len(values) == 0 {
		return path
	}
	return path + "?" + values.Encode()
}
