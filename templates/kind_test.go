package templates_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"runboard/app"
	"runboard/templates"
)

// backup is a kind with an input of each type.
func backup() app.Kind {
	return app.Kind{
		Name: "backup", Title: "Back up a <database>",
		Description: "Dumps one database.\n\nIt may take long.",
		Group:       "Databases", Confirm: "Back up {database} now?",
		Policy: app.Policy{
			Timeout: 2 * time.Hour, Attempts: 2, Concurrency: 1, ConcurrencyKey: []string{"database"},
		},
		Inputs: []app.Input{
			{Name: "database", Type: app.ChoiceInput, Title: "Database", Default: []string{"shop"},
				Choices: []app.Choice{{Value: "shop"}, {Value: "crm", Title: "Customers"}}},
			{Name: "level", Type: app.NumberInput, Default: []string{"6"},
				Rules: app.Rules{Min: "1", Max: "9", Step: "1"}},
			{Name: "compress", Type: app.FlagInput, Title: "Compress", Flag: "--gzip",
				Default: []string{"true"}},
			{Name: "tables", Type: app.ChoicesInput, Choices: []app.Choice{{Value: "a"}, {Value: "b"}}},
			{Name: "version", Type: app.TextInput, Required: true, Help: "A tag such as v1.10",
				Rules: app.Rules{Pattern: regexp.MustCompile(`\A(?:v[0-9]+\.[0-9]+)\z`)}},
			{Name: "hosts", Type: app.LinesInput},
			{Name: "day", Type: app.DateInput, Rules: app.Rules{Min: "2026-01-01", Max: "2026-12-31"}},
			{Name: "token", Type: app.SecretInput, Required: true},
		},
	}
}

// backupOverview is how the runs of backup fare.
var backupOverview = app.KindOverview{
	Last:           samples["failed"],
	MedianDuration: 12 * time.Minute, Measured: 20, Started: 1, Created: 3, Paused: true,
}

// backupRun is a run of backup.
var backupRun = app.ProcessRun{
	ID: 812, Kind: "backup", Status: app.Started, Version: 2, Attempt: 1, CreatedAt: before(time.Minute),
	StartedAt: before(time.Minute), UpdatedAt: before(time.Minute),
	Progress: app.Progress{Percent: app.NoPercent}, InputCount: 7,
	Inputs: `{"database":"crm","level":6,"compress":true,"tables":["a","b"],"version":"v1.2",` +
		`"hosts":"x\ny","gone":"old"}`,
}

var backupPreview = templates.StartPreview{
	Count: 1, Overview: backupOverview,
	Queue:   app.QueueAhead{Waiting: app.Waiting{Limit: 1, By: 812}, Started: 1, Created: 2},
	Command: &app.CommandPreview{Words: []string{"./backup.sh", "a b", "<x>"}, Variables: []string{"PGHOST"}},
}

func kindPage() app.Page {
	return app.Page{Query: app.Query{Filter: app.Filter{Kind: "backup"}}, Runs: []app.ProcessRun{backupRun},
		MatchCount: 1, Overview: overview}
}

func TestKind_Golden(t *testing.T) {
	t.Parallel()
	tmpl, render := newTemplatesOf(t, backup()), must(t)
	form := templates.KindForm{Kind: backup(), Key: "key-1", Preview: &backupPreview}
	golden(t, "kind", render(tmpl.Kind(form, backupOverview, kindPage())))
	form.Preview, form.Count, form.Fault = nil, "0", "The count must be a whole number from 1 to 1000."
	form.Given = map[string][]string{
		"database": {"other"}, "level": {"x\"y"}, "compress": {"false"}, "tables": {"", "b"}, "version": {""},
		"hosts": {"\r\n<a>\n"}, "day": {"2027-01-01"}, "token": {"hunter2"},
	}
	form.Faults = app.InputErrors{"database": "must be one of shop, crm", "level": "must be a number",
		"version": "is required", "day": "must be between 2026-01-01 and 2026-12-31",
		"colour": "is not an input"}
	golden(t, "kind_form_wrong", render(tmpl.KindForm(form)))
	if html := render(tmpl.KindForm(form)); strings.Contains(html, "hunter2") {
		t.Error("the form has a secret")
	}
	golden(t, "kind_wrong", render(tmpl.Kind(form, app.KindOverview{}, app.Page{Query: kindPage().Query})))
}

func TestKinds_Golden(t *testing.T) {
	t.Parallel()
	tmpl, render := newTemplatesOf(t, backup()), must(t)
	kinds := []app.Kind{backup(), {Name: "report"}, {Name: "restore", Group: "Databases"}}
	overviews := []app.KindOverview{backupOverview, {}, {Started: app.CountedOfKind + 1}}
	list := templates.KindList{Kinds: kinds, Overviews: overviews, Failed: overview.Failed()}
	golden(t, "kinds", render(tmpl.Kinds(list)))
	golden(t, "kinds_frame", render(tmpl.KindsFrame(list)))
	golden(t, "kinds_none", render(tmpl.Kinds(templates.KindList{})))
}

func TestStartPreview_Golden(t *testing.T) {
	t.Parallel()
	tmpl, render := newTemplatesOf(t, backup()), must(t)
	golden(t, "start_preview", render(tmpl.StartPreview(backup(), backupPreview)))
	missing := backupPreview
	missing.Missing = backup().Inputs[3:6]
	golden(t, "start_preview_missing", render(tmpl.StartPreview(backup(), missing)))
}

// usually returns the overview of a kind whose runs take d.
func usually(d time.Duration) app.KindOverview {
	return app.KindOverview{MedianDuration: d}
}

func TestStartPreview_SaysWhenItStarts(t *testing.T) {
	t.Parallel()
	limited := app.Kind{Name: "a", Policy: app.Policy{Concurrency: 2}}
	full := func(started, created int64) app.QueueAhead {
		return app.QueueAhead{Waiting: app.Waiting{Limit: 2}, Started: started, Created: created}
	}
	for _, test := range []struct {
		kind    app.Kind
		preview templates.StartPreview
		want    string
	}{
		{app.Kind{}, templates.StartPreview{Count: 1, Workers: 4}, "Starts at once."},
		{app.Kind{}, templates.StartPreview{Count: 3, Workers: 4}, "3 runs. The first starts at once."},
		{app.Kind{}, templates.StartPreview{Workers: 4, Queue: app.QueueAhead{Started: 4}},
			"Starts as soon as a worker is free."},
		{app.Kind{}, templates.StartPreview{Queue: app.QueueAhead{Started: 4, Created: 1000}},
			"Starts later, 1,000 before it."},
		{app.Kind{}, templates.StartPreview{Overview: usually(time.Minute),
			Queue: app.QueueAhead{Started: 4, Created: 8}}, "Starts in about 3 min, 8 before it."},
		{app.Kind{}, templates.StartPreview{Overview: usually(24 * time.Hour),
			Queue: app.QueueAhead{Created: 1_000_000}},
			"Starts in about 106751 days, more than 1,000 before it."},
		{limited, templates.StartPreview{Workers: 1, Queue: app.QueueAhead{Started: 1}}, "Starts at once."},
		{limited, templates.StartPreview{Overview: usually(time.Minute), Queue: full(2, 0)},
			"Starts in about 1 min, 2 before it."},
		{limited, templates.StartPreview{Overview: usually(time.Minute), Queue: full(2, 5)},
			"Starts in about 3 min, 7 before it."},
		{limited, templates.StartPreview{Queue: app.QueueAhead{Waiting: app.Waiting{Paused: true}}},
			"Starts when the kind is resumed: it is paused."},
		{limited, templates.StartPreview{Queue: app.QueueAhead{Waiting: app.Waiting{Limit: 2}, Started: 2,
			Created: app.CountedOfKind + 1}}, "Starts later, more than 1,000 before it."},
	} {
		html := must(t)(newTemplates(t).StartPreview(test.kind, test.preview))
		when := elements(parseFragment(t, html), named("p"))[0]
		if got := textOf(when); got != test.want {
			t.Errorf("%+v says %q, want %q", test.preview, got, test.want)
		}
	}
}

func TestStartPreview_SaysHowLongItTakes(t *testing.T) {
	t.Parallel()
	for measured, want := range map[int]string{
		0:  "Starts at once.",
		1:  "Starts at once. Takes about 12 min, as the last one did.",
		20: "Starts at once. Takes about 12 min, as the last 20 did.",
	} {
		overview := app.KindOverview{MedianDuration: 12 * time.Minute, Measured: measured}
		preview := templates.StartPreview{Count: 1, Overview: overview}
		html := must(t)(newTemplates(t).StartPreview(app.Kind{}, preview))
		if got := textOf(elements(parseFragment(t, html), named("p"))[0]); got != want {
			t.Errorf("after %d runs: %q, want %q", measured, got, want)
		}
	}
}

func TestConfirmStart_Golden(t *testing.T) {
	t.Parallel()
	tmpl, render := newTemplatesOf(t, backup()), must(t)
	confirmation := templates.StartConfirmation{
		Kind: backup(), Count: 2, Token: "token-1", Key: "key-1",
		Values: app.InputValues{
			{Name: "database", Type: app.ChoiceInput, Texts: []string{"crm"}},
			{Name: "compress", Type: app.FlagInput, Texts: []string{"false"}},
			{Name: "tables", Type: app.ChoicesInput, Texts: []string{"a", "b"}},
			{Name: "hosts", Type: app.LinesInput, Texts: []string{"one\ntwo <2>"}},
			{Name: "token", Type: app.SecretInput, Texts: []string{"hunter2"}},
		},
	}
	golden(t, "confirm_start", render(tmpl.ConfirmStart(confirmation)))
	confirmation.Problem = "The kind has changed."
	page := render(tmpl.ConfirmStartPage(confirmation))
	golden(t, "confirm_start_page", page)
	if strings.Contains(page, "hunter2") {
		t.Error("the page has a secret")
	}
}

func TestRun_GoldenWithInputs(t *testing.T) {
	t.Parallel()
	render := must(t)
	page := app.RunPage{Run: backupRun, Events: events, Overview: overview}
	page.Run.InputCount++ // a secret
	golden(t, "run_inputs", render(newTemplatesOf(t, backup()).Run(page, templates.RunList{})))
	page.Run.Status, page.Run.Waiting = app.Created, app.Waiting{Limit: 1, By: 811}
	golden(t, "run_inputs_gone", render(newTemplates(t).Run(page, templates.RunList{})))
}

func TestRow_SummarizesInputs(t *testing.T) {
	t.Parallel()
	tmpl := newTemplatesOf(t, backup(), app.Kind{Name: "report"})
	for inputs, want := range map[app.RunInputs]string{
		"":                                     "",
		backupRun.Inputs:                       "crm · level 6 · --gzip · a, b · v1.2 · old",
		`{"database":"shop","compress":true}`:  "shop · --gzip",
		`{"database":"shop","compress":false}`: "shop",
		`{"hosts":"a"}`:                        "",
		app.RunInputs(`{"version":"` + strings.Repeat("ä", 200) + `"}`): strings.Repeat("ä", 79) + "…",
		"{\"version\":\"a\u202eb\"}":                                    "a<U+202E>b",
	} {
		run := backupRun
		run.Inputs = inputs
		row := parseFragment(t, must(t)(tmpl.Row(run)))
		if got := textOf(elements(row, withClass("kind"))[0]); got != "Back up a <database>" {
			t.Errorf("the kind is shown as %q", got)
		}
		got := ""
		for _, shown := range elements(row, withClass("inputs")) {
			got += textOf(shown)
		}
		if got != want {
			t.Errorf("%s is shown as %q, want %q", inputs, got, want)
		}
	}
}

func TestBoard_NamesPausedKinds(t *testing.T) {
	t.Parallel()
	tmpl := newTemplatesOf(t, backup(), app.Kind{Name: "report"})
	for want, paused := range map[string]app.PausedKinds{
		"": {},
		"Paused: Back up a <database>. New runs wait.": {Names: [3]string{"backup"}},
		"Paused: gone, report. New runs wait.":         {Names: [3]string{"gone", "report"}},
		"Paused: a, b, c and more. New runs wait.":     {Names: [3]string{"a", "b", "c"}, More: true},
	} {
		page := app.Page{Overview: app.Overview{Paused: paused}}
		note := byID(t, parsePage(t, must(t)(tmpl.Board(page, templates.BoardOptions{}))), "paused_kinds")
		if got := textOf(note); got != want {
			t.Errorf("%+v is shown as %q, want %q", paused, got, want)
		}
		for _, link := range elements(note, named("a")) {
			if path := attribute(link, "href"); path != "/kinds/backup" && path != "/kinds/report" {
				t.Errorf("a link leads to %s", path)
			}
		}
		frame := parseFragment(t, must(t)(tmpl.ListFrame(page)))
		if got := textOf(byID(t, frame, "paused_kinds")); got != want {
			t.Errorf("the frame says %q, want %q", got, want)
		}
	}
}

func TestRow_SaysWhatARunWaitsFor(t *testing.T) {
	t.Parallel()
	for waiting, want := range map[app.Waiting]string{
		{}:                  "",
		{Paused: true}:      "waiting: the kind is paused",
		{Limit: 3, By: 812}: "waiting: 3 of 3 running (#812)",
		{Limit: 1}:          "waiting: 1 of 1 running",
	} {
		run := samples["created"]
		run.Waiting = waiting
		row := parseFragment(t, "<table>"+must(t)(newTemplates(t).Row(run))+"</table>")
		if got := strings.TrimSpace(textOf(byID(t, row, "process_run_8_message"))); got != want {
			t.Errorf("%+v is shown as %q, want %q", waiting, got, want)
		}
	}
}

func TestBoard_GoldenWithInputs(t *testing.T) {
	t.Parallel()
	page := kindPage()
	page.Query.Inputs = app.NewInputFilter(map[string]string{"database": "crm", "gone": "<x>"})
	golden(t, "board_inputs", must(t)(newTemplatesOf(t, backup()).Board(page, withKey)))
}
