package templates

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"runboard/app"
)

// opLabels are the texts of a bulk operation.
type opLabels struct {
	Button    string // label of its button, and first word of the heading
	Working   string // what its bulk run does
	Skipped   string // why runs are skipped: "2 others are" + Skipped
	One, Many opTexts
}

// opTexts are the texts of a bulk operation for one run, or for several.
type opTexts struct {
	Effect  string // what the operation does, in a sentence or two
	None    string // shown if it applies to none of the runs
	Dismiss string // label of the button that changes nothing
}

var operationLabels = map[app.BulkOperation]opLabels{
	app.BulkCancel: {
		Button: "Cancel", Working: "Cancelling runs…", Skipped: "finished already",
		One: opTexts{"If it waits, it is cancelled now. If it is running, it stops when its work returns.",
			"This run has already finished.", "Keep it"},
		Many: opTexts{"Waiting runs are cancelled now. Running ones stop when their work returns.",
			"These runs have already finished.", "Keep them"},
	},
	app.BulkRetry: {
		Button: "Retry", Working: "Retrying runs…", Skipped: "neither failed nor cancelled",
		One: opTexts{"It is queued again, with all its attempts.",
			"This run has neither failed nor been cancelled.", "Leave it"},
		Many: opTexts{"They are queued again, with all their attempts.",
			"None of these runs has failed or was cancelled.", "Leave them"},
	},
	app.BulkDelete: {
		Button: "Delete", Working: "Deleting runs…", Skipped: "not finished",
		One: opTexts{"Its log is deleted too. This cannot be undone.",
			"This run has not finished.", "Keep it"},
		Many: opTexts{"Their logs are deleted too. This cannot be undone.",
			"None of these runs has finished.", "Keep them"},
	},
}

// bulkForm is the view model of the form for bulk actions on the runs of a list.
type bulkForm struct {
	Fields     []field // the filter of the list
	AllNoun    string  // what all runs of the list are called
	Operations []operation
}

// operation is the view model of the button of a bulk operation.
type operation struct {
	Name, Label string
	Dangerous   bool // cannot be undone
}

func newBulkForm(filter app.Filter) bulkForm {
	form := bulkForm{Fields: FilterFields(filter), AllNoun: "runs"}
	if isLimited(filter) {
		form.AllNoun = "matching"
	}
	for _, name := range app.BulkOperations() {
		if !filter.Filtered || slices.Contains(name.AppliesTo(), filter.Status) {
			form.Operations = append(form.Operations, operation{
				Name: string(name), Label: operationLabels[name].Button, Dangerous: name == app.BulkDelete,
			})
		}
	}
	return form
}

// confirmation is the view model of the question that confirms a bulk action.
type confirmation struct {
	Question   string
	Problem    string // why the previous attempt to confirm failed, or ""
	Effect     string
	Filters    []string // the conditions of the filter
	Unfiltered bool     // the action is for all runs
	Form       confirmForm
}

// confirmForm is the view model of the answers to a confirmation.
type confirmForm struct {
	Path             string // where the form posts the confirmation; "" if there is nothing to confirm
	Fields           []field
	Runs             string // to type, see TypeNumber
	TypeNumber       bool   // the user must type the number of runs
	Problem          bool
	Confirm, Dismiss string // labels of the buttons
	Dangerous        bool   // cannot be undone
	Dialog           bool   // shown in a dialog over a page, not on its own page
	Back             string // the page that the user returns to without acting
}

// Confirm renders the question that confirms action, for a dialog over a page. problem says why a previous
// attempt failed, or is "". The caller must have resolved the action's times and set Confirmed, because the
// form sends them back. key is the idempotency key of the form.
func (t *Templates) Confirm(
	action app.BulkAction, preview app.BulkPreview, key, problem string,
) ([]byte, error) {
	view := newConfirmation(action, preview, key, problem)
	view.Form.Dialog = true
	return t.render("confirmation", view)
}

// ConfirmPage renders the question like Confirm, but as a page of its own.
func (t *Templates) ConfirmPage(
	action app.BulkAction, preview app.BulkPreview, key, problem string,
) ([]byte, error) {
	return t.render("confirmation_page", struct {
		Layout       layout
		Confirmation confirmation
	}{
		t.layout(operationLabels[action.Operation].Button + " runs"),
		newConfirmation(action, preview, key, problem),
	})
}

func newConfirmation(action app.BulkAction, preview app.BulkPreview, key, problem string) confirmation {
	labels := operationLabels[action.Operation]
	texts := labels.Many
	if len(action.IDs) == 1 || preview.Runs == 1 && !preview.More {
		texts = labels.One
	}
	view := confirmation{
		Question: labels.Button + " runs", Problem: problem, Effect: texts.None,
		Form: confirmForm{Dismiss: "Back", Back: QueryPath(app.Query{Filter: action.Filter})},
	}
	if len(action.IDs) == 1 {
		view.Form.Back = RunPath(action.IDs[0])
	}
	if preview.Runs == 0 {
		return view
	}
	view.Question = labels.Button + " " + previewed(action, preview, true) + "?"
	view.Effect = texts.Effect + skipped(preview.Skipped, labels.Skipped)
	view.Filters = conditions(action.Filter, preview.Pattern)
	view.Unfiltered = len(action.IDs) == 0
	form := &view.Form
	form.Path, form.Fields = confirmTarget(action, key)
	form.Confirm, form.Dismiss = labels.Button+" "+previewed(action, preview, false), texts.Dismiss
	form.Dangerous = action.Operation == app.BulkDelete
	form.TypeNumber = form.Dangerous && preview.Runs > app.TypedAbove && len(action.IDs) != 1
	form.Runs, form.Problem = grouped(preview.Runs), problem != ""
	return view
}

// confirmTarget returns the path and the fields of the form. An action on a single run needs no bulk run.
func confirmTarget(action app.BulkAction, key string) (path string, fields []field) {
	if len(action.IDs) == 1 {
		return runCommandPath(action.IDs[0], string(action.Operation)), nil
	}
	fields = append(ConfirmFields(action), field{"idempotency_key", key})
	for _, id := range action.IDs {
		fields = append(fields, field{"id", decimal(id)})
	}
	return BulkPath, fields
}

// ConfirmFields returns the form fields that confirm action as it was previewed, except its ids.
func ConfirmFields(action app.BulkAction) []field {
	sent := []field{{"operation", string(action.Operation)}}
	if len(action.IDs) == 0 {
		sent = append(append(sent, field{"scope", "all"}), FilterFields(action.Filter)...)
	}
	if action.Confirmed.More {
		sent = append(sent, field{"previewed_more", "true"})
	}
	return append(sent,
		field{"newest", decimal(action.Confirmed.Newest)},
		field{"previewed", decimal(action.Confirmed.Runs)},
		field{"previewed_at", action.Confirmed.At.String()})
}

// previewed says which runs the action changes. inFull adds that they are selected, and their status.
func previewed(action app.BulkAction, preview app.BulkPreview, inFull bool) string {
	if len(action.IDs) == 1 {
		return fmt.Sprintf("run #%d", action.IDs[0])
	}
	adjectives := ""
	if inFull && len(action.IDs) > 0 {
		adjectives += "selected "
	}
	if inFull && action.Filter.Filtered {
		adjectives += action.Filter.Status.String() + " "
	}
	if preview.More {
		return "more than " + grouped(preview.Runs) + " " + adjectives + "runs"
	}
	return plural(preview.Runs, adjectives+"run", adjectives+"runs")
}

// skipped says how many runs the action skips and why, after a space, or returns "".
func skipped(n int64, why string) string {
	if n == 0 {
		return ""
	}
	return " " + plural(n, "other is "+why+" and stays unchanged.", "others are "+why+" and stay unchanged.")
}

// conditions describes a filter, one entry per condition. pattern is that of its failure.
func conditions(f app.Filter, pattern string) (all []string) {
	add := func(given bool, text string) {
		if given {
			all = append(all, text)
		}
	}
	add(f.Filtered, "status "+f.Status.String())
	add(f.Kind != "", "kind "+visible(f.Kind))
	add(!f.Since.IsZero(), "created at or after "+exact(f.Since.Time(time.Time{})))
	add(!f.Until.IsZero(), "created before "+exact(f.Until.Time(time.Time{})))
	add(f.Text != "", "containing “"+visible(f.Text)+"”")
	for _, match := range f.Inputs.Matches() {
		add(true, "input "+match.Name+" is "+clip(match.Value))
	}
	add(f.Failure > 0, "failed with: "+visible(patternText(pattern)))
	return all
}

// bulkProgress is the view model of a notice about a bulk run.
type bulkProgress struct {
	ID, RunPath string
	Path        string // of the next such notice; "" if the run has finished
	Text        string
	Percent     string // of the progress bar; "" without one
	UndoPath    string // "" if there is nothing to undo
}

// BulkUndone renders the notice that run, a bulk run, undoes another one. kept is the number of runs that it
// cannot undo.
func (t *Templates) BulkUndone(run app.ProcessRun, kept int64) ([]byte, error) {
	notice, err := t.BulkProgress(run)
	if err != nil || kept == 0 {
		return notice, err
	}
	text := plural(kept, "run stays as it is: it was", "runs stay as they are: they were") +
		" running, or changed since."
	rest, err := t.render("kept", text)
	return append(notice, rest...), err
}

// BulkProgress renders the notice that says how far run, a bulk run, is. The notice replaces itself until the
// run has finished.
func (t *Templates) BulkProgress(run app.ProcessRun) ([]byte, error) {
	view := bulkProgress{ID: decimal(run.ID), RunPath: RunPath(run.ID)}
	if run.Status.Final() {
		view.Text = bulkResult(run)
		changed := run.Status == app.Completed && !strings.HasPrefix(run.Message, "0 ")
		if changed && run.Kind == app.BulkCancel.Kind() {
			view.UndoPath = undoBulkPath(run.ID)
		}
		return t.render("bulk_progress", view)
	}
	view.Path = BulkProgressPath(run.ID)
	view.Text = "Working…"
	for operation, labels := range operationLabels {
		if operation.Kind() == run.Kind {
			view.Text = labels.Working
		}
	}
	if run.Percent.Known() {
		view.Percent = decimal(int64(run.Percent))
		view.Text += " " + view.Percent + "%"
	}
	return t.render("bulk_progress", view)
}

// bulkResult says in a sentence how a bulk run ended.
func bulkResult(run app.ProcessRun) string {
	text := visible(run.Message)
	switch {
	case run.Status == app.Cancelled && text != "":
		return "Stopped: " + text + "."
	case run.Status == app.Cancelled:
		return "Stopped before anything was changed."
	case run.Status == app.Failed:
		return "Run #" + decimal(run.ID) + " failed: " + shown(run.Error)
	}
	return text + "."
}

// Deleted renders the notice that a run has been deleted.
func (t *Templates) Deleted(run int64) ([]byte, error) { return t.render("run_deleted", decimal(run)) }
