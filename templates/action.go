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

// words is how a page speaks of a operation.
type words struct {
	Button string // on what asks for it
	Acting string // what the notice says once it is under way
	Means  string // what that does
	Left   string // what is said of the runs that stay as they are
	None   string // when there are no others
	Keep   string // on what changes nothing
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

// ask is the question whether many runs are meant.
type ask struct {
	Title string
	app.BulkAction
	app.BulkPreview
	Words   words
	Key     string
	Problem string // why the action was not done, or ""
	Dialog  bool   // it is asked over a page
}

// Path is where the answer yes goes. What is done to one run needs no run of its own.
func (a ask) Path() string {
	if len(a.IDs) == 1 {
		return RunPath(a.IDs[0]) + "/" + string(a.Operation)
	}
	return BulkPath
}

// Fields are what goes there, but for the ids.
func (a ask) Fields() (sent []field) {
	if len(a.IDs) == 1 {
		return nil
	}
	return append(ConfirmFields(a.BulkAction), field{"idempotency_key", a.Key})
}

// ConfirmFields are what is posted to confirm an action as it was previewed, but for the ids that it names.
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

// Back is where the answer no leads.
func (a ask) Back() string {
	if len(a.IDs) == 1 {
		return RunPath(a.IDs[0])
	}
	return QueryPath(app.Query{Filter: a.Filter})
}

// Question asks with the operation and the number of runs.
func (a ask) Question() string { return a.Words.Button + " " + a.amount(true) + "?" }

// Answer is the same on the button that does it.
func (a ask) Answer() string { return a.Words.Button + " " + a.amount(false) }

// amount is which runs are changed: how many, and in the question also of which status.
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

// No is what is on the harmless answer.
func (a ask) No() string {
	if a.Runs == 0 {
		return "Back"
	}
	return a.Words.Keep
}

// Stays says how many runs stay as they are, and why.
func (a ask) Stays() string {
	switch {
	case a.Skipped == 0:
		return ""
	case a.Skipped == 1:
		return "1 other is " + a.Words.Left + " and stays unchanged."
	}
	return humanize.Comma(a.Skipped) + " others are " + a.Words.Left + " and stay unchanged."
}

// Filters are what the runs match, in words.
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

// Typed reports whether the number of runs must be typed.
func (a ask) Typed() bool {
	return a.Operation == app.BulkDelete && a.Runs > app.TypedAbove && len(a.IDs) != 1
}

// Grave reports whether what is done cannot be undone.
func (a ask) Grave() bool { return a.Operation == app.BulkDelete }

func newAsk(action app.BulkAction, prospect app.BulkPreview, key, problem string) ask {
	words := operationTexts[action.Operation]
	return ask{Title: words.Button + " runs", BulkAction: action, BulkPreview: prospect, Words: words, Key: key, Problem: problem}
}

// Ask draws the question whether an action is meant, with what it would come to and, if it was tried, why it was not
// done. The times of the action are fixed and it has its preview, which the form sends. key is the idempotency key of
// the form.
func (t *Templates) Confirm(action app.BulkAction, prospect app.BulkPreview, key, problem string) ([]byte, error) {
	question := newAsk(action, prospect, key, problem)
	question.Dialog = true
	return t.draw("ask", question)
}

// AskPage draws it as a page.
func (t *Templates) ConfirmPage(action app.BulkAction, prospect app.BulkPreview, key, problem string) ([]byte, error) {
	return t.draw("ask_page", newAsk(action, prospect, key, problem))
}

// Acting draws the notice that a run has been created that does an action.
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

// Deleted draws the notice that a run has been deleted.
func (t *Templates) Deleted(run int64) ([]byte, error) { return t.draw("deleted", run) }

// operation is one that a list offers.
type operation struct {
	Name app.BulkOperation
	Word string
}

// Grave reports whether what is done cannot be undone.
func (d operation) Grave() bool { return d.Name == app.BulkDelete }

// Deeds are those that make sense for the runs of the list.
func (b board) Operations() (offered []operation) {
	for _, name := range app.BulkOperations() {
		if !b.Query.Filtered || slices.Contains(name.AppliesTo(), b.Query.Status) {
			offered = append(offered, operation{name, operationTexts[name].Button})
		}
	}
	return offered
}

// MaxSelected is how many runs can be selected.
func (b board) MaxSelected() int { return app.MaxSelected }

// Acts reports whether a run acts on others.
func (c cell) Acts() bool { return slices.Contains(app.BulkKinds(), c.Kind) }
