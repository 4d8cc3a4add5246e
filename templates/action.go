package templates

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/dustin/go-humanize"

	"runboard/app"
)

// words are the texts of a bulk operation.
type words struct {
	Button string // label of its button, and first word of the heading
	Acting string // notice once its bulk run has been created
	Means  string // what the operation does, in a sentence or two
	Left   string // why runs are skipped: "2 others are" + Left
	None   string // shown if it applies to none of the runs
	Keep   string // label of the button that changes nothing
}

var operationTexts = map[app.BulkOperation]words{
	app.BulkCancel: {
		Button: "Cancel", Acting: "Cancelling runs.", Means: "Waiting runs are cancelled now. Running ones stop when their work returns.",
		Left: "finished already", None: "These runs have already finished.", Keep: "Keep them",
	},
	app.BulkRetry: {
		Button: "Retry", Acting: "Retrying runs.", Means: "They are queued again, with all their attempts.",
		Left: "neither failed nor cancelled", None: "None of these runs has failed or was cancelled.", Keep: "Leave them",
	},
	app.BulkDelete: {
		Button: "Delete", Acting: "Deleting runs.", Means: "Their logs are deleted too. This cannot be undone.",
		Left: "not finished", None: "None of these runs has finished.", Keep: "Keep them",
	},
}

// ask is the view model of the question that confirms a bulk action.
type ask struct {
	Title string
	app.BulkAction
	app.BulkPreview
	Words   words
	Key     string
	Problem string // why the previous attempt to confirm failed, or ""
	Dialog  bool   // shown in a dialog over a page, not on its own page
}

// Path returns where the form posts the confirmation. An action on a single run needs no bulk run.
func (a ask) Path() string {
	if len(a.IDs) == 1 {
		return RunPath(a.IDs[0]) + "/" + string(a.Operation)
	}
	return BulkPath
}

// Fields returns the hidden fields of the form, except the ids.
func (a ask) Fields() (sent []field) {
	if len(a.IDs) == 1 {
		return nil
	}
	return append(ConfirmFields(a.BulkAction), field{"idempotency_key", a.Key})
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
		field{"newest", strconv.FormatInt(action.Confirmed.Newest, 10)},
		field{"previewed", strconv.FormatInt(action.Confirmed.Runs, 10)},
		field{"previewed_at", action.Confirmed.At.String()})
}

// Back returns the page that the user returns to without acting.
func (a ask) Back() string {
	if len(a.IDs) == 1 {
		return RunPath(a.IDs[0])
	}
	return QueryPath(app.Query{Filter: a.Filter})
}

// Question returns the heading: the operation, the runs and a question mark.
func (a ask) Question() string { return a.Words.Button + " " + a.amount(true) + "?" }

// Answer returns the label of the button that confirms.
func (a ask) Answer() string { return a.Words.Button + " " + a.amount(false) }

// amount says which runs the action changes. inFull adds that they are selected, and their status.
func (a ask) amount(inFull bool) string {
	if len(a.IDs) == 1 {
		return fmt.Sprintf("run #%d", a.IDs[0])
	}
	text := humanize.Comma(a.Runs)
	if a.More {
		text = "more than " + text
	}
	if inFull && len(a.IDs) > 0 {
		text += " selected"
	}
	if inFull && a.Filter.Filtered {
		text += " " + a.Filter.Status.String()
	}
	if a.Runs == 1 && !a.More {
		return text + " run"
	}
	return text + " runs"
}

// No returns the label of the button that changes nothing.
func (a ask) No() string {
	if a.Runs == 0 {
		return "Back"
	}
	return a.Words.Keep
}

// Stays says how many runs the action skips and why, or returns "".
func (a ask) Stays() string {
	switch {
	case a.Skipped == 0:
		return ""
	case a.Skipped == 1:
		return "1 other is " + a.Words.Left + " and stays unchanged."
	}
	return humanize.Comma(a.Skipped) + " others are " + a.Words.Left + " and stay unchanged."
}

// Filters describes the filter of the action, one entry per condition.
func (a ask) Filters() (all []string) {
	add := func(given bool, text string) {
		if given {
			all = append(all, text)
		}
	}
	f := a.Filter
	add(f.Filtered, "status "+f.Status.String())
	add(f.Kind != "", "kind "+f.Kind)
	add(!f.Since.IsZero(), "created at or after "+exact(f.Since.Time(time.Time{})))
	add(!f.Until.IsZero(), "created before "+exact(f.Until.Time(time.Time{})))
	add(f.Text != "", "containing “"+visible(f.Text)+"”")
	add(f.Failure > 0, "failed with: "+cmp.Or(a.Pattern, "an error that no longer occurs"))
	return all
}

// Typed reports whether the user must type the number of runs to confirm.
func (a ask) Typed() bool {
	return a.Operation == app.BulkDelete && a.Runs > app.TypedAbove && len(a.IDs) != 1
}

// Grave reports whether the action cannot be undone.
func (a ask) Grave() bool { return a.Operation == app.BulkDelete }

func newAsk(action app.BulkAction, prospect app.BulkPreview, key, problem string) ask {
	words := operationTexts[action.Operation]
	return ask{Title: words.Button + " runs", BulkAction: action, BulkPreview: prospect, Words: words, Key: key, Problem: problem}
}

// Confirm renders the question that confirms action, for a dialog over a page. prospect is its preview, and
// problem says why a previous attempt failed, or is "". The caller must have resolved the action's times and
// set Confirmed, because the form sends them back. key is the idempotency key of the form.
func (t *Templates) Confirm(action app.BulkAction, prospect app.BulkPreview, key, problem string) ([]byte, error) {
	question := newAsk(action, prospect, key, problem)
	question.Dialog = true
	return t.draw("ask", question)
}

// ConfirmPage renders the question like Confirm, but as a page of its own.
func (t *Templates) ConfirmPage(action app.BulkAction, prospect app.BulkPreview, key, problem string) ([]byte, error) {
	return t.draw("ask_page", newAsk(action, prospect, key, problem))
}

// BulkStarted renders the notice that run, a bulk run, has been created.
func (t *Templates) BulkStarted(run app.ProcessRun) ([]byte, error) {
	acting := "Started."
	for operation, words := range operationTexts {
		if operation.Kind() == run.Kind {
			acting = words.Acting
		}
	}
	return t.draw("acting", struct {
		ID     int64
		Acting string
	}{run.ID, acting})
}

// Deleted renders the notice that a run has been deleted.
func (t *Templates) Deleted(run int64) ([]byte, error) { return t.draw("deleted", run) }

// operation is a bulk operation that a list offers.
type operation struct {
	Name app.BulkOperation
	Word string
}

// Grave reports whether the operation cannot be undone.
func (d operation) Grave() bool { return d.Name == app.BulkDelete }

// Operations returns the bulk operations that apply to the runs of this list.
func (b board) Operations() (offered []operation) {
	for _, name := range app.BulkOperations() {
		if !b.Query.Filtered || slices.Contains(name.AppliesTo(), b.Query.Status) {
			offered = append(offered, operation{name, operationTexts[name].Button})
		}
	}
	return offered
}

// MaxSelected returns how many runs the user can select.
func (b board) MaxSelected() int { return app.MaxSelected }

// Acts reports whether the run is a bulk run.
func (c cell) Acts() bool { return slices.Contains(app.BulkKinds(), c.Kind) }
