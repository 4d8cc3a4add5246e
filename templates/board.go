package templates

import (
	"strings"
	"time"

	"runboard/app"
)

// boardPage is the view model of the list page.
type boardPage struct {
	Layout layout
	Start  boardStart
	Offers []offer
	Live   liveList
}

// boardStart is the view model of what starts runs on the board.
type boardStart struct {
	Label string
	Kinds []option // to choose from, if there are several
	Form  kindForm // of the only kind
	Folds bool     // the form has inputs, so it is folded up
}

// liveList is the view model of the region of the list page that its socket keeps up to date.
type liveList struct {
	SocketPath string
	Tabs       []tab
	Filters    filterControls
	Found      found
	Note       listNote
	ShowKind   bool
	// Runs is the table.
	Running   running
	List      list
	Pagers    pagers
	Bulk      bulkForm
	Downloads downloads
	Overview  overview
}

// listLink is the view model of a link to another list, or to another page of this list.
type listLink struct {
	LinkID, Path, Text string
	Current            bool
}

// tab is the view model of a link to the runs in a status.
type tab struct {
	Link  listLink
	Count count
}

// list is the view model of the rows.
type list struct {
	Rows    []row
	Columns string
	Empty   empty
}

// empty says why there is no row. Without Text, nothing has been started yet.
type empty struct {
	Text      string
	ClearPath string // the list without the filter, or ""
	StartPath string // the form that starts runs of the kind of the list, or ""
	Start     string // label of the button that starts runs
}

// pagers are the view models of the links to other pages, above and below the list.
type pagers struct{ Top, Bottom pager }

type pager struct {
	ElementID, Label string
	Links            []listLink
}

// downloads is the view model of the links to the runs as files.
type downloads struct{ Runs, CSV, NDJSON string }

// BoardOptions are what the page of the list has beside its runs.
type BoardOptions struct {
	Key   string         // idempotency key of the start form
	Found app.ProcessRun // the run whose number the search gives, if there is one
}

// Board renders the page of the list.
func (t *Templates) Board(page app.Page, options BoardOptions) ([]byte, error) {
	view := boardPage{
		Layout: t.layout(t.title(page.Query)), Start: t.boardStart(options.Key), Live: t.live(page),
		Offers: t.offers(page.Query, options.Found),
	}
	view.Layout.OnRuns = true
	view.Layout.Failed = view.Live.Overview.Failed
	view.Layout.Find = findForm{Swaps: true, Text: page.Query.Text}
	return t.renderList("board", view, view.Live.List.Rows)
}

func (t *Templates) boardStart(key string) boardStart {
	start := boardStart{Label: t.startLabel()}
	kinds := t.kinds.Kinds()
	if len(kinds) == 1 {
		start.Form = newKindForm(KindForm{Kind: kinds[0], Key: key})
		start.Folds = len(start.Form.Controls) > 0
		return start
	}
	for _, kind := range kinds {
		start.Kinds = append(start.Kinds, option{Value: kind.Name, Text: visible(kind.Label())})
	}
	return start
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

// showKind reports whether rows name their kind. With a single kind the column would say nothing.
func (t *Templates) showKind() bool { return len(t.kinds.Kinds()) > 1 }

// columns returns the number of columns of the list.
func (t *Templates) columns() string {
	if t.showKind() {
		return "10"
	}
	return "9"
}

func (t *Templates) live(page app.Page) liveList {
	now := t.now()
	live := liveList{
		SocketPath: LivePath(page.Query), Tabs: tabs(page), Filters: t.filterControls(page.Query, now),
		Found: t.found(page), Note: newListNote(page), ShowKind: t.showKind(), Running: t.running(page, now),
		List: t.list(page, now), Pagers: newPagers(page), Bulk: newBulkForm(page.Query.Filter),
		Overview:  t.listOverview(page),
		Downloads: downloads{"all runs", DownloadPath(page.Query, "csv"), DownloadPath(page.Query, "ndjson")},
	}
	if isLimited(page.Query.Filter) {
		live.Downloads.Runs = "the matching runs"
	}
	return live
}

// title returns the title of a list: "Failed runs · report · “disk full”".
func (t *Templates) title(query app.Query) string {
	parts := []string{"Runs"}
	if query.Filtered {
		name := query.Status.String()
		parts[0] = strings.ToUpper(name[:1]) + name[1:] + " runs"
	}
	if query.Kind != "" {
		parts = append(parts, t.kindLabel(query.Kind))
	}
	if query.Text != "" {
		parts = append(parts, "“"+visible(query.Text)+"”")
	}
	rest := query.Filter
	rest.Kind, rest.Text = "", ""
	if !rest.StatusOnly() {
		parts = append(parts, "filtered")
	}
	return strings.Join(parts, " · ")
}

// isLimited reports whether a list with this filter leaves out runs.
func isLimited(filter app.Filter) bool { return filter.Filtered || !filter.StatusOnly() }

// tabs returns the links to the runs in each status. They keep the rest of the filter.
func tabs(page app.Page) []tab {
	filter, counts := page.Query.Filter, listCounts(page)
	filter.Filtered, filter.Status = false, 0
	path := QueryPath(page.Query.WithFilter(filter))
	all := []tab{{listLink{"filter_all", path, "All", !page.Query.Filtered}, counts[0]}}
	for i, status := range app.Statuses() {
		filter.Filtered, filter.Status = true, status
		name, current := status.String(), page.Query.Filtered && page.Query.Status == status
		link := listLink{"filter_" + name, QueryPath(page.Query.WithFilter(filter)), name, current}
		all = append(all, tab{link, counts[i+1]})
	}
	return all
}

// tabCounts returns the numbers of runs that match the filter of a page, whatever their status. The store
// counts further for the list than for the tabs, so the status of the list has the number of the list.
func tabCounts(page app.Page) app.TabCounts {
	if page.Query.StatusOnly() {
		return app.TabCounts{Counts: page.Overview.Counts}
	}
	tabs := page.Tabs
	if status := page.Query.Status; page.Query.Filtered {
		tabs.Counts[status], tabs.Capped[status] = int64(page.MatchCount), page.MatchCountCapped
	}
	return tabs
}

// listCounts returns the numbers in the tabs of a page: all runs, then those in each status.
func listCounts(page app.Page) []count {
	counts := newCounts(tabCounts(page))
	if !page.Query.Filtered && !page.Query.StatusOnly() {
		counts[0] = newCount(totalID, int64(page.MatchCount), page.MatchCountCapped)
	}
	return counts
}

func (t *Templates) list(page app.Page, now time.Time) list {
	view := list{Columns: t.columns(), Empty: t.whyEmpty(page), Rows: make([]row, len(page.Runs))}
	for i, run := range page.Runs {
		view.Rows[i] = t.row(run, page.Usual[run.Kind], now)
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

// whyEmpty says why a page has no rows.
func (t *Templates) whyEmpty(page app.Page) empty {
	view := empty{Start: t.startLabel()}
	query, status := page.Query, ""
	if query.Filtered {
		status = query.Status.String() + " "
	}
	switch {
	case page.SearchCursor > 0:
		view.Text = "No match " + searchedTo(page) + "."
	case query.Direction == app.Before:
		view.Text = "No older runs."
	case query.Direction == app.After:
		view.Text = "No newer runs."
	case page.MissingRun > 0:
		view.Text, view.ClearPath = "There is no run #"+decimal(page.MissingRun)+".", clearPath(query)
	case t.isOfKind(query.Filter):
		view.Text = "No runs of " + t.kindLabel(query.Kind) + " yet."
		view.StartPath = KindPath(query.Kind) + "#" + StartID
	case !query.StatusOnly():
		view.Text, view.ClearPath = "No "+status+"runs match.", clearPath(query)
	case query.Filtered:
		view.Text = "No " + status + "runs."
	}
	return view
}

// isOfKind reports whether a filter asks for all runs of a kind that is offered.
func (t *Templates) isOfKind(filter app.Filter) bool {
	_, offered := t.kinds.Kind(filter.Kind)
	return offered && filter == app.Filter{Kind: filter.Kind}
}

// clearPath returns the path of a list without its filter, but with the same status.
func clearPath(query app.Query) string {
	return QueryPath(query.WithFilter(app.Filter{Filtered: query.Filtered, Status: query.Status}))
}

func newPagers(page app.Page) pagers {
	return pagers{
		Top:    newPager(page, pager{ElementID: fixedIDs["pagerTop"], Label: "Pages, above the list"}, "top"),
		Bottom: newPager(page, pager{ElementID: fixedIDs["pager"], Label: "Pages"}, "page"),
	}
}

// newPager returns a pager with the links to other pages. Their ids begin with prefix.
func newPager(page app.Page, view pager, prefix string) pager {
	add := func(name, text string, query app.Query) {
		link := listLink{LinkID: prefix + "_" + name, Path: QueryPath(query), Text: text}
		view.Links = append(view.Links, link)
	}
	if page.Query.Direction != app.Latest {
		add("newest", "Newest", page.Query.WithCursor(app.Latest, 0))
	}
	if page.HasNewer {
		add("newer", "Newer", page.Newer())
	}
	if page.HasOlder {
		add("older", "Older", page.Older())
	}
	return view
}
