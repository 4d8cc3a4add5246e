package templates_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"runboard/app"
	"runboard/templates"
)

// hostileKey is an idempotency key that would be an attack as HTML.
var hostileKey = templates.BoardOptions{Key: `k" autofocus onfocus="alert(1)`}

// pages returns all pages and fragments, with texts in them that contain markup.
func pages(t testing.TB) map[string]*html.Node {
	t.Helper()
	tmpl, hostile := newTemplates(t, "simulated", "report"), samples["failed"]
	hostile.Error = `"><img src=x onerror=alert(1)><script>alert(1)</script> style="color:red"`
	hostile.Kind = `' onclick='alert(1)`
	page := mixedPage()
	page.Runs = append(page.Runs, hostile)
	page.Runs[len(page.Runs)-1].ID = 1
	page.HasOlder, page.HasNewer, page.Query = true, true, app.Query{Direction: app.Before, Cursor: 9}
	render := must(t)
	kinds, overviews := hostileKinds()
	form := hostileForm(kinds[0])
	confirmation := hostileConfirmation(kinds[0])
	list := templates.KindList{Kinds: kinds, Overviews: overviews}
	refusal := templates.ErrorPage{Status: 404, Message: "<script>alert(1)</script>"}
	return map[string]*html.Node{
		"the kinds":       parsePage(t, render(tmpl.Kinds(list))),
		"the kinds frame": parseFragment(t, render(tmpl.KindsFrame(list))),
		"a kind's page":   parsePage(t, render(tmpl.Kind(form, overviews[0], page))),
		"a kind's form":   parseFragment(t, render(tmpl.KindForm(form))),
		"the preview":     parseFragment(t, render(tmpl.StartPreview(kinds[0], *form.Preview))),
		"a question":      parseFragment(t, render(tmpl.ConfirmStart(confirmation))),
		"a question page": parsePage(t, render(tmpl.ConfirmStartPage(confirmation))),
		"the board":       parsePage(t, render(tmpl.Board(page, hostileKey))),
		"the empty board": parsePage(t, render(tmpl.Board(app.Page{}, templates.BoardOptions{}))),
		"a run's page":    parsePage(t, render(tmpl.Run(app.RunPage{Run: hostile}, hostileList))),
		"the failures":    parsePage(t, render(tmpl.Failures(hostileFailures(), app.MostRuns))),
		"a note": parseFragment(t,
			render(tmpl.NoteForm(hostileFailures().Failures[0], hostileNote, hostileNote))),
		"a note page": parsePage(t, render(tmpl.NotePage(hostileFailures().Failures[0], hostileNote, ""))),
		"a mute": parseFragment(t,
			render(tmpl.MuteForm(hostileFailures().Failures[0], noon, hostileNote))),
		"a mute page": parsePage(t,
			render(tmpl.MutePage(hostileFailures().Failures[0], noon, hostileNote))),
		"the error page": parsePage(t, render(tmpl.Error(refusal))),
		"the notice":     parseFragment(t, render(tmpl.Notice("<script>alert(1)</script>"))),
		"started": parseFragment(t,
			render(tmpl.Started(app.Batch{First: 1, Count: 2}, `"><script>`))),
		"the list frame":  parseFragment(t, render(tmpl.ListFrame(page))),
		"the cells frame": parseFragment(t, render(tmpl.CellsFrame(changedPages(page.Runs, overview)))),
		"the statistics":  parsePage(t, render(tmpl.Statistics(busyStatistics()))),
		"a timeline":      parsePage(t, render(tmpl.Timeline(busyTimeline()))),
		"counted runs":    parsePage(t, render(tmpl.Timeline(binnedTimeline()))),
		"a comparison":    parsePage(t, render(tmpl.Compare(comparison()))),
		"timeline frame":  parseFragment(t, render(tmpl.TimelineFrame(busyTimeline()))),
		"their frame":     parseFragment(t, render(tmpl.StatisticsFrame(busyStatistics()))),
		"the run frame":   parseFragment(t, render(tmpl.RunFrame(app.RunPage{Run: hostile}))),
	}
}

// hostileList is a list with neighbours of a run, whose filter could break out of attributes.
var hostileList = templates.RunList{
	Filter:     app.Filter{Kind: `"><script>`, Text: "' onclick=alert(1)"},
	Neighbours: app.Neighbours{Newer: 43, Older: 41},
}

// The content security policy forbids inline scripts and styles, so browsers would ignore them.
func TestPages_NeedNoInlineScriptOrStyle(t *testing.T) {
	t.Parallel()
	for name, root := range pages(t) {
		for _, node := range elements(root, func(*html.Node) bool { return true }) {
			if node.Data == "style" || node.Data == "script" &&
				(attribute(node, "src") == "" || textOf(node) != "") {
				t.Errorf("%s has inline %s", name, node.Data)
			}
			for _, a := range node.Attr {
				if forbidden(a) {
					t.Errorf("%s has %s=%q on <%s>", name, a.Key, a.Val, node.Data)
				}
			}
		}
	}
}

func forbidden(a html.Attribute) bool {
	value := strings.ToLower(strings.TrimSpace(a.Val))
	switch {
	case a.Key == "style", strings.HasPrefix(a.Key, "on"), strings.HasPrefix(a.Key, "hx-on"):
		return true
	case strings.HasPrefix(value, "js:"), strings.HasPrefix(value, "javascript:"):
		return true
	}
	return strings.HasPrefix(a.Key, "hx-trigger") && strings.Contains(value, "[") // htmx evaluates filters
}

func TestPages_HaveUniqueIDs(t *testing.T) {
	t.Parallel()
	for name, root := range pages(t) {
		seen := map[string]bool{}
		for _, node := range elements(root,
			func(node *html.Node) bool { return attribute(node, "id") != "" }) {
			if id := attribute(node, "id"); seen[id] {
				t.Errorf("%s has the id %q twice", name, id)
			} else {
				seen[id] = true
			}
		}
	}
}

func TestPages_LoadOnlyAssets(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"the board", "a run's page", "the error page"} {
		root := pages(t)[name]
		for element, want := range map[string]struct {
			key string
			n   int
		}{"script": {"src", 2}, "link": {"href", 3}} {
			key, found := want.key, elements(root, named(element))
			if name == "a run's page" { // those of the log
				want.n++
			}
			if len(found) != want.n {
				t.Errorf("%s has %d <%s>, want %d", name, len(found), element, want.n)
			}
			for _, node := range found {
				if !strings.HasPrefix(attribute(node, key), "/static/") {
					t.Errorf("%s has %s", name, markup(t, node))
				}
			}
		}
	}
}

func TestBoard_HasTheElementsOfTheContract(t *testing.T) {
	t.Parallel()
	root := parsePage(t, must(t)(newTemplates(t).Board(mixedPage(), withKey)))
	for id, want := range map[string]struct{ element, key, value string }{
		"live":            {"section", "hx-swap", "none"},
		"process_runs":    {"tbody", "", ""},
		"process_run_8":   {"tr", "", ""},
		"notice":          {"div", "role", "status"},
		"connection":      {"span", "data-state", "offline"},
		"count_created":   {"b", "", ""},
		"idempotency_key": {"input", "value", "key-1"},
	} {
		node := byID(t, root, id)
		if node.Data != want.element || attribute(node, want.key) != want.value {
			t.Errorf("#%s is %s", id, markup(t, node))
		}
	}
	for status, want := range map[app.Status]string{
		app.Created: "2", app.Started: "1,234", app.Completed: "1,234,567", app.Failed: "1",
		app.Cancelled: "0",
	} {
		if got := textOf(byID(t, root, "count_"+status.String())); got != want {
			t.Errorf("%s runs are counted as %q, want %q", status, got, want)
		}
	}
	if got := textOf(byID(t, root, "count_all")); got != "1,235,804" {
		t.Errorf("all runs are counted as %q", got)
	}
}

func TestBoard_StartsRunsWithoutScripts(t *testing.T) {
	t.Parallel()
	root := parsePage(t, must(t)(newTemplates(t).Board(app.Page{}, withKey)))
	forms := elements(byID(t, root, "main"), named("form"))
	if len(forms) != 3 || attribute(forms[0], "method") != "post" ||
		attribute(forms[0], "action") != "/process_runs" {
		t.Fatalf("%d forms, the first is %s", len(forms), markup(t, forms[0]))
	}
	buttons := elements(forms[0], named("button"))
	if len(buttons) != 1 || textOf(buttons[0]) != "Start 10 processes" ||
		attribute(buttons[0], "type") != "submit" {
		t.Errorf("%d buttons, the first says %q", len(buttons), textOf(buttons[0]))
	}
	sent := map[string]string{}
	for _, field := range elements(forms[0], named("input")) {
		sent[attribute(field, "name")] = attribute(field, "value")
	}
	if len(sent) != 3 || sent["count"] != "10" || sent["idempotency_key"] != "key-1" ||
		sent["kind"] != "simulated" {
		t.Errorf("the start form sends %v", sent)
	}
}

func TestRow_OffersTheRightAction(t *testing.T) {
	t.Parallel()
	tmpl := newTemplates(t)
	for name, want := range map[string]string{
		"created": "cancel", "waiting": "cancel", "started": "cancel", "busy": "cancel", "cancelling": "",
		"completed": "", "failed": "retry", "cancelled": "retry",
	} {
		run := samples[name]
		buttons := elements(parseFragment(t, must(t)(tmpl.Row(run))), named("button"))
		if want == "" {
			if len(buttons) != 0 {
				t.Errorf("%s: unexpected button %s", name, markup(t, buttons[0]))
			}
			continue
		}
		path := templates.RunPath(run.ID) + "/" + want
		if len(buttons) != 1 || attribute(buttons[0], "formaction") != path ||
			attribute(buttons[0], "form") != "row_actions" {
			t.Errorf("%s: %d buttons, want one for %s", name, len(buttons), path)
		}
	}
}

func TestStatusCell_HasStatusAndVersion(t *testing.T) {
	t.Parallel()
	for name, run := range samples {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cell := byID(t, parseFragment(t, must(t)(newTemplates(t).Status(run))),
				"process_run_"+strconv.FormatInt(run.ID, 10)+"_status")
			word := run.Status.String()
			if attribute(cell, "data-status") != word ||
				attribute(cell, "data-version") != strconv.FormatInt(run.Version, 10) {
				t.Errorf("the cell is %s", markup(t, cell))
			}
			if text := textOf(cell); !strings.HasPrefix(text, word) || strings.HasPrefix(text, word+word) {
				t.Errorf("its text is %q", text)
			}
		})
	}
}

// A swap replaces the region together with its socket, so the path of the socket has to match the new page.
func TestLiveRegion_SocketHasThePagesQuery(t *testing.T) {
	t.Parallel()
	tmpl := newTemplates(t)
	render := must(t)
	for query, want := range map[app.Query]string{
		{}: "/process_runs/live",
		{Filter: app.Filter{Filtered: true,
			Status: app.Failed}}: "/process_runs/live?status=failed",
		{Filter: app.Filter{Filtered: true, Status: app.Created}, Direction: app.After,
			Cursor: 7}: "/process_runs/live?after=7&status=created",
	} {
		board := render(tmpl.Board(app.Page{Query: query}, templates.BoardOptions{}))
		live := byID(t, parsePage(t, board), "live")
		if got := attribute(live, "hx-ws:connect"); got != want {
			t.Errorf("the board's socket is %q, want %q", got, want)
		}
	}
	live := byID(t, parsePage(t,
		render(tmpl.Run(app.RunPage{Run: app.ProcessRun{ID: 42}}, templates.RunList{}))), "live")
	if got := attribute(live, "hx-ws:connect"); got != "/process_runs/42/live" ||
		attribute(live, "hx-swap") != "none" {
		t.Errorf("the socket of run 42 is %q", got)
	}
}

func TestBoard_MarksTheCurrentTab(t *testing.T) {
	t.Parallel()
	tmpl := newTemplates(t)
	for query, want := range map[app.Query]string{
		{}:                                   "filter_all",
		{Filter: app.Filter{Filtered: true}}: "filter_created",
		{Filter: app.Filter{Filtered: true, Status: app.Failed}}: "filter_failed",
	} {
		root := parsePage(t, must(t)(tmpl.Board(app.Page{Query: query}, templates.BoardOptions{})))
		live := byID(t, root, "live")
		marked := elements(live, func(node *html.Node) bool { return attribute(node, "aria-current") != "" })
		if len(marked) != 1 || attribute(marked[0], "id") != want {
			t.Errorf("%d links are current, want only %s", len(marked), want)
		}
	}
}

// htmx falls back to its defaults if it cannot parse this JSON.
func TestLayout_ConfigOfHTMXIsJSON(t *testing.T) {
	t.Parallel()
	for _, meta := range elements(pages(t)["the board"], named("meta")) {
		if attribute(meta, "name") != "htmx-config" {
			continue
		}
		var config map[string]any
		if err := json.Unmarshal([]byte(attribute(meta, "content")), &config); err != nil {
			t.Fatal(err)
		}
		if _, inherits := config["implicitInheritance"]; inherits || config["extensions"] != "ws" ||
			config["includeIndicatorCSS"] != false {
			t.Errorf("htmx config = %v", config)
		}
		return
	}
	t.Error("the board has no htmx config")
}

func TestRun_EscapesTexts(t *testing.T) {
	t.Parallel()
	run := samples["failed"]
	run.Kind, run.Error = `a<b>&"c"`, "5 < 6\n& <script>alert('1')</script> {{.}} &lt;"
	root := parsePage(t, must(t)(newTemplates(t).Run(app.RunPage{Run: run}, templates.RunList{})))
	for part, text := range map[string]string{"facts": run.Kind, "problem": run.Error} {
		shown := textOf(byID(t, root, templates.RowID(run.ID)+"_"+part))
		if !strings.Contains(shown, text) {
			t.Errorf("%q is not in %q", text, shown)
		}
	}
}

// The scripts compute the age of a change and the offset of the server's clock from these times.
func TestPages_CarryTheirTimes(t *testing.T) {
	t.Parallel()
	tmpl := newTemplates(t)
	for name, rendered := range map[string]string{
		"the board":      must(t)(tmpl.Board(mixedPage(), withKey)),
		"a run's page":   must(t)(tmpl.Run(app.RunPage{Run: samples["started"]}, templates.RunList{})),
		"the statistics": must(t)(tmpl.Statistics(busyStatistics())),
		"the error page": must(t)(tmpl.Error(templates.ErrorPage{Status: 404, Message: "There is no run."})),
	} {
		times := elements(parsePage(t, rendered),
			func(node *html.Node) bool { return attribute(node, "name") == "server-time" })
		if len(times) != 1 || attribute(times[0], "content") != strconv.FormatInt(noon.UnixMilli(), 10) {
			t.Errorf("%s has the server time %v", name, times)
		}
	}
	for name, run := range samples {
		cell := byID(t, parseFragment(t, must(t)(tmpl.Status(run))), templates.StatusID(run.ID))
		if at := attribute(cell, "data-at"); at != strconv.FormatInt(run.UpdatedAt.UnixMilli(), 10) {
			t.Errorf("%s: data-at = %q", name, at)
		}
	}
}

const hostileNote = `</textarea><script>alert(1)</script> https://a.b/"onmouseover="alert(1) http://a.b/'x`

// hostileFailures returns failure groups, one of which is muted, whose texts are markup.
func hostileFailures() app.Failures {
	all := someFailures()
	for i := range all.Failures {
		all.Failures[i].Kind = `' onclick='alert(1)`
		all.Failures[i].Pattern, all.Failures[i].Note = hostileNote, hostileNote
		all.Failures[i].Example = "exit status 1\n" + hostileNote
	}
	return all
}
