package templates

import (
	"strings"

	"runboard/app"
)

// boardPage is the view model of the list page.
type boardPage struct {
	Layout layout
	Form   kindForm // that starts runs, if there is a single kind
	Kinds  []option // kinds to start, if there are several
	Live   liveList
}

// liveList is the view model of the region of the list page that its socket keeps up to date.
type liveList struct {
	SocketPath string
	Tabs       []tab
	Search     searchForm
	Matches    matches
	ShowKind   bool
	// KindHeading is the heading of the column with the kind and the inputs.
	KindHeading string
	List        list
	Pager       []listLink
	Bulk        bulkForm
	Downloads   downloads
	Overview    overview
}

// listLink is the view model of a link to another list, or to another page of this list.
type listLink struct {
	LinkID, Path, Text string
	Current            bool
}

// tab is the view model of a link to the runs in a status.
type tab struct {
	Link           listLink
	CountID, Count string
}

// list is the view model of the rows.
type list struct {
	Rows    []row
	Columns string
	Empty   string // says why there is no row; "" if nothing has been started yet
	Start   string // label of the button that starts runs
}

// downloads is the view model of the links to the runs as files.
type downloads struct{ Runs, CSV, NDJSON string }

// Board renders the page of the list. key is the idempotency key of its start form.
func (t *Templates) Board(page app.Page, key string) ([]byte, error) {
	view := boardPage{Layout: t.layout(title(page.Query)), Live: t.live(page)}
	view.Layout.OnRuns = true
	view.Layout.Failed = view.Live.Overview.Failed
	view.Layout.Find = newFindForm(page.Query.Filter)
	kinds := t.kinds.Kinds()
	if len(kinds) == 1 {
		view.Form = newKindForm(KindForm{Kind: kinds[0], Key: key})
	} else {
		for _, kind := range kinds {
			view.Kinds = append(view.Kinds, option{Value: kind.Name, Text: visible(kind.Label())})
		}
	}
	return t.renderList("board", view, view.Live.List.Rows)
}

// Live renders the region of the list page that its socket keeps up to date.
func (t *Templates) Live(page app.Page) ([]byte, error) {
	view := t.live(page)
	return t.renderList("live", view, view.List.Rows)
}

// ListFrame renders the whole list for a socket: as its first frame, or after rows changed.
func (t *Templates) ListFrame(page app.Page) ([]byte, error) {
	view := t.live(page)
	return t.renderList("list_frame", view, view.List.Rows)
}

// showKind reports whether rows name their kind and its inputs. With a single kind without inputs the column
// would say nothing.
func (t *Templates) showKind() bool {
	kinds := t.kinds.Kinds()
	return len(kinds) > 1 || len(kinds) == 1 && len(kinds[0].Inputs) > 0
}

func (t *Templates) live(page app.Page) liveList {
	filter := page.Query.Filter
	live := liveList{
		SocketPath: LivePath(page.Query), Tabs: tabs(page), Search: t.search(filter),
		Matches: newMatches(page), ShowKind: t.showKind(), KindHeading: "Kind", List: t.list(page),
		Pager: pager(page), Bulk: newBulkForm(filter),
		Overview:  t.overview(page.Overview),
		Downloads: downloads{"all runs", DownloadPath(page.Query, "csv"), DownloadPath(page.Query, "ndjson")},
	}
	if isLimited(filter) {
		live.Downloads.Runs = "the matching runs"
	}
	return live
}

func title(query app.Query) string {
	text := "Runs"
	if query.Filtered {
		name := query.Status.String()
		text = strings.ToUpper(name[:1]) + name[1:] + " runs"
	}
	if !query.StatusOnly() {
		text += " (filtered)"
	}
	return text
}

// isLimited reports whether a list with this filter leaves out runs.
func isLimited(filter app.Filter) bool { return filter.Filtered || !filter.StatusOnly() }

// tabs returns the links to the runs in each status. They keep the rest of the filter.
func tabs(page app.Page) []tab {
	filter, counts := page.Query.Filter, newCounts(page.Counts)
	filter.Filtered, filter.Status = false, 0
	path := QueryPath(app.Query{Filter: filter})
	all := []tab{{listLink{"filter_all", path, "all", !page.Query.Filtered}, totalID, counts[0].Runs}}
	for i, status := range app.Statuses() {
		filter.Filtered, filter.Status = true, status
		name, current := status.String(), page.Query.Filtered && page.Query.Status == status
		link := listLink{"filter_" + name, QueryPath(app.Query{Filter: filter}), name, current}
		all = append(all, tab{link, CountID(status), counts[i+1].Runs})
	}
	return all
}

func (t *Templates) list(page app.Page) list {
	view := list{
		Columns: "3", Empty: whyEmpty(page), Start: t.startLabel(), Rows: make([]row, len(page.Runs)),
	}
	if t.showKind() {
		view.Columns = "4"
	}
	now := t.now()
	for i, run := range page.Runs {
		view.Rows[i] = t.row(run, now)
	}
	return view
}

// startLabel returns the label of the button of the board that starts runs.
func (t *Templates) startLabel() string {
	kinds := t.kinds.Kinds()
	if len(kinds) != 1 {
		return "Start…" // opens the page of a kind
	}
	return newStartButton(kinds[0], decimal(int64(kinds[0].DefaultCount()))).Label
}

// whyEmpty says why a page has no rows. It returns "" if nothing has been started yet.
func whyEmpty(page app.Page) string {
	status := ""
	if page.Query.Filtered {
		status = page.Query.Status.String() + " "
	}
	switch {
	case page.SearchCursor > 0:
		return "No match back to #" + decimal(page.SearchCursor) + ". " + howToContinue(page.Query)
	case page.Query.Direction != app.Latest:
		return "No runs on this page."
	case !page.Query.StatusOnly():
		return "No " + status + "runs match."
	case page.Query.Filtered:
		return "No " + status + "runs."
	}
	return ""
}

// howToContinue names the link that continues a search that stopped early.
func howToContinue(query app.Query) string {
	if query.Direction == app.After {
		return "Press Newer to continue."
	}
	return "Press Older to continue."
}

func pager(page app.Page) (links []listLink) {
	if page.Query.Direction != app.Latest {
		newest := page.Query.WithCursor(app.Latest, 0)
		links = append(links, listLink{LinkID: "page_newest", Path: QueryPath(newest), Text: "Newest"})
	}
	if page.HasNewer {
		links = append(links, listLink{LinkID: "page_newer", Path: QueryPath(page.Newer()), Text: "Newer"})
	}
	if page.HasOlder {
		links = append(links, listLink{LinkID: "page_older", Path: QueryPath(page.Older()), Text: "Older"})
	}
	return links
}

// matches is the view model of the number of matching runs. It is empty if the filter has at most a status.
type matches struct {
	Count   string // as far as the store counted
	Capped  bool   // there are more
	Text    string // "12 runs match"
	Pattern string // of the error that they failed with
	Rest    string // of the sentence
}

func newMatches(page app.Page) (view matches) {
	query, count := page.Query, int64(page.MatchCount)
	if query.StatusOnly() {
		return matches{}
	}
	view.Count, view.Capped = decimal(count), page.MatchCountCapped
	switch {
	case view.Capped && count == 0:
		view.Text = "No match so far"
	case view.Capped:
		view.Text = grouped(count) + "+ runs match"
	default:
		view.Text = plural(count, "run matches", "runs match")
	}
	if query.Failure > 0 {
		view.Pattern = visible(patternText(page.Failure.Pattern))
	}
	if until := query.Until.String(); until != "" {
		view.Rest += ", created before " + until
	}
	if page.SearchCursor > 0 {
		view.Rest += ". Searched back to #" + decimal(page.SearchCursor) + ". " + howToContinue(query)
	} else {
		view.Rest += "."
	}
	return view
}

// patternText returns the pattern of a failure, or what to say if the failure no longer exists.
func patternText(pattern string) string {
	if pattern == "" {
		return "an error that no longer occurs"
	}
	return pattern
}

// overview is the view model of the numbers of all runs.
type overview struct {
	Failed           string  // number of failed runs for the navigation
	Counts           []count // all runs, then the runs in each status
	Recent, Finished string  // number of newest runs, and how many of them have finished; "" without runs
	Unhandled        string  // warning about waiting runs without a worker, or ""
	Paused           pausedKinds
}

// pausedKinds is the view model of the note about paused kinds. Without Kinds there is none.
type pausedKinds struct {
	Kinds []kindLink
	More  bool
}

// kindLink is the view model of a link to the page of a kind. Path is "" if the kind is not offered.
type kindLink struct{ Text, Path string }

func (t *Templates) paused(kinds app.PausedKinds) (view pausedKinds) {
	for _, name := range kinds.Named() {
		link := kindLink{Text: t.kindLabel(name)}
		if _, offered := t.kinds.Kind(name); offered {
			link.Path = KindPath(name)
		}
		view.Kinds = append(view.Kinds, link)
	}
	view.More = kinds.More
	return view
}

// count is the view model of the number of runs in a status.
type count struct{ ElementID, Runs string }

func (t *Templates) overview(from app.Overview) overview {
	view := overview{
		Failed: failedText(from.Failed()), Counts: newCounts(from.Counts), Unhandled: unhandledWarning(from.Unhandled),
		Paused: t.paused(from.Paused),
	}
	if from.Recent > 0 {
		view.Recent, view.Finished = decimal(int64(from.Recent)), decimal(int64(from.Done))
	}
	return view
}

// newCounts returns the number of all runs, then those in each status.
func newCounts(from app.Counts) []count {
	counts := []count{{totalID, grouped(from.Total())}}
	for _, status := range app.Statuses() {
		counts = append(counts, count{CountID(status), grouped(from[status])})
	}
	return counts
}
