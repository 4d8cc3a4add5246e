package templates_test

import (
	"strings"
	"testing"
	"time"

	"runboard/app"
	"runboard/templates"
)

// hidden returns the hidden fields of a form as name=value, in order.
func hidden(t *testing.T, form string) (sent []string) {
	t.Helper()
	for _, input := range elements(parseFragment(t, form), named("input")) {
		if attribute(input, "type") == "hidden" {
			sent = append(sent, attribute(input, "name")+"="+attribute(input, "value"))
		}
	}
	return sent
}

func TestConfirmation_Golden(t *testing.T) {
	t.Parallel()
	since := app.At(time.Date(2026, 11, 23, 15, 4, 0, 0, time.UTC))
	within := app.Confirmation{Newest: 13_000, At: app.At(time.Date(2026, 11, 24, 15, 4, 5, 678e6, time.UTC)),
		Checked: true, Runs: 12_300}
	filter := app.Filter{Filtered: true, Status: app.Failed, Kind: "report", Since: since,
		Text: `<"quoted"> & more`}
	for name, of := range map[string]struct {
		action  app.BulkAction
		preview app.BulkPreview
		problem string
	}{
		"confirmation_all": {app.BulkAction{Operation: app.BulkRetry, Filter: filter, Confirmed: within},
			app.BulkPreview{Runs: 12_300, Skipped: 45}, ""},
		"confirmation_more": {app.BulkAction{Operation: app.BulkDelete, Confirmed: within},
			app.BulkPreview{Runs: 1_000_000, Skipped: 1, More: true}, ""},
		"confirmation_again": {app.BulkAction{Operation: app.BulkDelete, Filter: app.Filter{Failure: 7},
			Confirmed: within}, app.BulkPreview{Runs: 101, Pattern: "exit status #"}, "More runs match now."},
		"confirmation_some": {app.BulkAction{Operation: app.BulkCancel, IDs: []int64{7, 9},
			Confirmed: within}, app.BulkPreview{Runs: 2}, ""},
		"confirmation_one": {app.BulkAction{Operation: app.BulkDelete, IDs: []int64{7}, Confirmed: within},
			app.BulkPreview{Runs: 1}, ""},
		"confirmation_none": {app.BulkAction{Operation: app.BulkCancel, IDs: []int64{7, 9},
			Confirmed: within}, app.BulkPreview{Skipped: 2}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tmpl := newTemplates(t)
			golden(t, name, must(t)(tmpl.Confirm(of.action, of.preview, "key-1", of.problem)))
			golden(t, name+"_page", must(t)(tmpl.ConfirmPage(of.action, of.preview, "key-1", of.problem)))
		})
	}
}

func TestConfirmation_SendsThePreviewedAction(t *testing.T) {
	t.Parallel()
	tmpl := newTemplates(t)
	for name, of := range map[string]struct {
		action app.BulkAction
		want   string
	}{
		"all": {app.BulkAction{Operation: app.BulkRetry, Filter: app.Filter{Kind: "a&b", Text: "x y"}},
			"operation=retry scope=all kind=a&b q=x y newest=0 previewed=0 previewed_at= idempotency_key=k"},
		"chosen": {app.BulkAction{Operation: app.BulkDelete, IDs: []int64{3, 4}},
			"operation=delete newest=0 previewed=0 previewed_at= idempotency_key=k id=3 id=4"},
		"one": {app.BulkAction{Operation: app.BulkCancel, IDs: []int64{3}}, ""},
	} {
		part := string(must(t)(tmpl.Confirm(of.action, app.BulkPreview{Runs: 5}, "k", "")))
		if got := strings.Join(hidden(t, part), " "); got != of.want {
			t.Errorf("%s: the form sends %s, want %s", name, got, of.want)
		}
	}
}

func TestConfirmation_ShowsHiddenCharactersOfItsFilter(t *testing.T) {
	t.Parallel()
	const hiding, shown = "a\u202eb", "a&lt;U&#43;202E&gt;b"
	action := app.BulkAction{Operation: app.BulkRetry,
		Filter: app.Filter{Kind: hiding, Text: hiding, Failure: 7}}
	part := string(must(t)(newTemplates(t).
		Confirm(action, app.BulkPreview{Runs: 5, Pattern: hiding}, "k", "")))
	for _, condition := range []string{"kind " + shown, "containing “" + shown + "”",
		"failed with: " + shown} {
		if !strings.Contains(part, condition) {
			t.Errorf("the confirmation does not say %q: %s", condition, part)
		}
	}
}

func TestBulkForm_OffersApplicableOperations(t *testing.T) {
	t.Parallel()
	tmpl := newTemplates(t)
	for status, want := range map[app.Status]string{
		app.Created: "cancel", app.Started: "cancel", app.Completed: "delete",
		app.Failed: "retry delete", app.Cancelled: "retry delete",
	} {
		page := app.Page{Query: app.ByStatus(status)}
		form := byID(t, parsePage(t, must(t)(tmpl.Board(page, templates.BoardOptions{}))), "bulk")
		var offered []string
		for _, button := range elements(form, named("button")) {
			if attribute(button, "name") == "operation" {
				offered = append(offered, attribute(button, "value"))
			}
		}
		if got := strings.Join(offered, " "); got != want {
			t.Errorf("list of %s runs offers %s, want %s", status, got, want)
		}
	}
}

func TestStatusCell_OfBulkRunShowsItsMessage(t *testing.T) {
	t.Parallel()
	tmpl := newTemplates(t)
	run := app.ProcessRun{ID: 5, Kind: app.BulkRetry.Kind(), Version: 1,
		Progress: app.Progress{Percent: app.NoPercent}}
	for status, want := range map[app.Status]string{
		app.Created: "retry runs", app.Completed: "30 runs queued again",
		app.Cancelled: "30 runs queued again",
	} {
		run.Status, run.Message = status, "30 runs queued again"
		if status == app.Created {
			run.Message = ""
		}
		row := parseFragment(t, "<table>"+must(t)(tmpl.Row(run))+"</table>")
		if got := textOf(byID(t, row, "process_run_5_message")); strings.TrimSpace(got) != want {
			t.Errorf("the message is %q, want %q", got, want)
		}
	}
}

func TestBulkProgress_EndsInASentence(t *testing.T) {
	t.Parallel()
	tmpl := newTemplates(t)
	run := app.ProcessRun{ID: 5, Kind: app.BulkRetry.Kind(), Progress: app.Progress{Percent: app.NoPercent}}
	for _, test := range []struct {
		status  app.Status
		percent app.Percent
		message string
		want    string
		asks    bool // for the next notice
	}{
		{app.Created, app.NoPercent, "", "Retrying runs…", true},
		{app.Started, 40, "133 runs queued again", "Retrying runs… 40%", true},
		{app.Completed, 100, "334 runs queued again", "334 runs queued again.", false},
		{app.Cancelled, 40, "133 runs queued again", "Stopped: 133 runs queued again.", false},
		{app.Cancelled, app.NoPercent, "", "Stopped before anything was changed.", false},
	} {
		run.Status, run.Percent, run.Message = test.status, test.percent, test.message
		notice := must(t)(tmpl.BulkProgress(run))
		text := textOf(parseFragment(t, notice))
		if !strings.HasPrefix(text, test.want) {
			t.Errorf("the notice says %q, want %q", text, test.want)
		}
		asks := strings.Contains(notice, `hx-get="/process_runs/bulk/5"`)
		if asks != test.asks || !strings.Contains(notice, `href="/process_runs/5"`) {
			t.Errorf("a %s run has the notice %s", test.status, notice)
		}
	}
	run.Status, run.Error = app.Failed, "The database was full."
	text := must(t)(tmpl.BulkProgress(run))
	if !strings.Contains(text, "Run #5 failed: The database was full.") {
		t.Errorf("a failed run has the notice %s", text)
	}
}
