package templates

import (
	"slices"

	"runboard/app"
)

// words is how a page speaks of a deed.
type words struct {
	Button   string // on what asks for it
	Question string // "Cancel" 5 runs "?"
	Again    string // after the runs: "again", or ""
	Means    string // what that does
	Left     string // what is said of the runs that are left alone
	None     string // when there are no others
}

var deedWords = map[app.Deed]words{
	app.DeedCancel: {
		Button: "Cancel", Question: "Cancel", Means: "What waits is cancelled at once, what is at work is asked to stop.",
		Left: "final already", None: "None of these runs can be cancelled: they are final.",
	},
	app.DeedRetry: {
		Button: "Retry", Question: "Try", Again: " again", Means: "What is tried again waits in line as if it were new.",
		Left: "neither failed nor cancelled", None: "None of these runs can be tried again: they have neither failed nor been cancelled.",
	},
	app.DeedDelete: {
		Button: "Delete", Question: "Delete", Means: "That is for good, logs included.",
		Left: "not final", None: "None of these runs can be deleted: they are not final.",
	},
}

// ask is the question whether many runs are meant.
type ask struct {
	Title string
	app.Action
	app.Prospect
	Words words
	Key   string
}

// Path is where the answer yes goes. What is done to one run needs no run of its own.
func (a ask) Path() string {
	if len(a.IDs) == 1 {
		return RunPath(a.IDs[0]) + "/" + string(a.Deed)
	}
	return ActionPath
}

// Fields are what goes there.
func (a ask) Fields() (sent []field) {
	if len(a.IDs) == 1 {
		return nil
	}
	sent = []field{{"do", string(a.Deed)}, {"idempotency_key", a.Key}}
	if len(a.IDs) > 0 {
		return sent
	}
	return append(append(sent, field{"runs", "all"}), fields(app.Query{Filter: a.Filter})...)
}

// Back is where the answer no leads.
func (a ask) Back() string {
	if len(a.IDs) == 1 {
		return RunPath(a.IDs[0])
	}
	return QueryPath(app.Query{Filter: a.Filter})
}

func newAsk(action app.Action, prospect app.Prospect, key string) ask {
	words := deedWords[action.Deed]
	return ask{Title: words.Button + " runs", Action: action, Prospect: prospect, Words: words, Key: key}
}

// Ask draws the question whether an action is meant, with what it would come to. key is the idempotency key of its form.
func (t *Templates) Ask(action app.Action, prospect app.Prospect, key string) ([]byte, error) {
	return t.draw("ask", newAsk(action, prospect, key))
}

// AskPage draws it as a page.
func (t *Templates) AskPage(action app.Action, prospect app.Prospect, key string) ([]byte, error) {
	return t.draw("ask_page", newAsk(action, prospect, key))
}

// Acting draws the notice that a run has been created that does an action.
func (t *Templates) Acting(run app.ProcessRun) ([]byte, error) { return t.draw("acting", run) }

// Deleted draws the notice that a run has been deleted.
func (t *Templates) Deleted(run int64) ([]byte, error) { return t.draw("deleted", run) }

// deed is one that a list offers.
type deed struct {
	Name app.Deed
	Word string
}

// Deeds are those that make sense for the runs of the list.
func (b board) Deeds() (offered []deed) {
	for _, name := range app.Deeds() {
		if !b.Query.Filtered || slices.Contains(name.Fits(), b.Query.Status) {
			offered = append(offered, deed{name, deedWords[name].Button})
		}
	}
	return offered
}

// Acts reports whether a run acts on others.
func (c cell) Acts() bool { return slices.Contains(app.DeedKinds(), c.Kind) }
