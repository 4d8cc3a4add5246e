package templates

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"runboard/app"
)

// KindForm is the form that starts runs of a kind.
type KindForm struct {
	Kind app.Kind
	// Given are the values that were typed, by input. Inputs that it lacks have their defaults. Secrets are
	// never rendered.
	Given  map[string][]string
	Faults app.InputErrors // messages to show at the inputs
	Count  string          // "": the default of the kind
	Fault  string          // what is wrong with the request besides the inputs, or ""
	Key    string          // idempotency key
	From   string          // value of FromField
	// Preview says what would happen; nil: the page asks for it.
	Preview *StartPreview
}

// kindForm is the view model of a KindForm.
type kindForm struct {
	Key      string
	Hidden   []field // further fields
	Controls []control
	Start    startButton
	Faults   []string // what is wrong with the request besides the inputs
}

// startButton is the view model of the button that starts runs, and of the field with their number.
type startButton struct {
	Count, Label string
	Noun, Nouns  string // of the label, for one run and for more
}

// kindPage is the view model of the page of a kind.
type kindPage struct {
	Layout      layout
	Description []string // paragraphs
	Form        kindForm
	State       kindState
	Preview     startPreview
	PreviewPath string
	ListPath    string
	Live        liveList
}

// kindState is the view model of how the runs of a kind fare.
type kindState struct {
	Last             *lastRun
	Usual            string // usual duration, or ""
	Running, Waiting string
	Paused           bool
	Policy           []string
	Action           rowAction // pauses or resumes the kind
	OutOfBand        bool      // beside the answer to another request
}

// lastRun is the view model of the newest run of a kind.
type lastRun struct {
	ID, Path, Status string
	Age              relative
}

// Kind renders the page of a kind: its form, what the form would start, and the list of its runs. The query
// of page must be for the kind.
func (t *Templates) Kind(form KindForm, overview app.KindOverview, page app.Page) ([]byte, error) {
	kind := form.Kind
	form.From = FromKind
	view := kindPage{
		Layout: t.layout(visible(kind.Label())), Description: paragraphs(kind.Description),
		Form: newKindForm(form), State: t.kindState(kind, overview),
		PreviewPath: KindPath(kind.Name) + "/preview", ListPath: QueryPath(page.Query), Live: t.live(page),
	}
	if form.Preview != nil {
		view.Preview = newStartPreview(kind, *form.Preview)
	}
	view.Layout.OnKinds = true
	view.Layout.Failed = failedText(page.Overview.Failed())
	return t.renderList("kind", view, view.Live.List.Rows)
}

// KindState renders how the runs of a kind fare, with the button that pauses it.
func (t *Templates) KindState(kind app.Kind, overview app.KindOverview) ([]byte, error) {
	return t.render("kind_state", t.kindState(kind, overview))
}

// KindForm renders the form alone, the answer to a partial request whose values are wrong.
func (t *Templates) KindForm(form KindForm) ([]byte, error) {
	return t.render("kind_form", newKindForm(form))
}

func newKindForm(form KindForm) kindForm {
	kind := form.Kind
	view := kindForm{
		Key: form.Key, Hidden: []field{{"kind", kind.Name}}, Controls: controls(form),
		Start: newStartButton(kind, cmp.Or(form.Count, decimal(int64(kind.DefaultCount())))),
	}
	if form.From != "" {
		view.Hidden = append(view.Hidden, field{FromField, form.From})
	}
	if kind.Confirm != "" {
		view.Hidden = append(view.Hidden, field{ConfirmedField, ""}) // asks for a confirmation
	}
	if form.Fault != "" {
		view.Faults = append(view.Faults, form.Fault)
	}
	for _, name := range slices.Sorted(maps.Keys(form.Faults)) {
		isInput := func(input app.Input) bool { return input.Name == name }
		if !slices.ContainsFunc(kind.Inputs, isInput) {
			view.Faults = append(view.Faults, visible(name+" "+form.Faults[name]+"."))
		}
	}
	return view
}

func newStartButton(kind app.Kind, count string) startButton {
	button := startButton{Count: count, Noun: "run", Nouns: "runs"}
	if kind.Name == app.SimulatedKind {
		button.Noun, button.Nouns = "process", "processes"
	}
	button.Label = "Start " + count + " " + button.Nouns
	if count == "1" {
		button.Label = "Start 1 " + button.Noun
	}
	return button
}

// paragraphs splits a text at empty lines.
func paragraphs(text string) (all []string) {
	for part := range strings.SplitSeq(text, "\n\n") {
		if part = strings.TrimSpace(part); part != "" {
			all = append(all, visible(part))
		}
	}
	return all
}

func (t *Templates) kindState(kind app.Kind, overview app.KindOverview) kindState {
	state := kindState{
		Last: newLastRun(overview.Last, t.now()), Paused: overview.Paused, Policy: t.policy(kind),
		Running: countOfKind(overview.Started), Waiting: countOfKind(overview.Created),
		Action: rowAction{KindPath(kind.Name) + "/pause", "Pause kind"},
	}
	if overview.Measured > 0 {
		state.Usual = rough(overview.MedianDuration)
	}
	if overview.Paused {
		state.Action = rowAction{KindPath(kind.Name) + "/resume", "Resume kind"}
	}
	return state
}

// countOfKind formats a number of runs of a kind. The store counts only so far.
func countOfKind(n int64) string {
	if n > app.CountedOfKind {
		return "more than " + grouped(app.CountedOfKind)
	}
	return grouped(n)
}

func newLastRun(run app.ProcessRun, now time.Time) *lastRun {
	if run.ID == 0 {
		return nil
	}
	at := run.CreatedAt
	if !run.FinishedAt.IsZero() {
		at = run.FinishedAt
	}
	return &lastRun{
		ID: decimal(run.ID), Path: RunPath(run.ID), Status: run.Status.String(), Age: age(at, now),
	}
}

// policy lists the limits of the runs of a kind.
func (t *Templates) policy(kind app.Kind) (all []string) {
	if limit := t.limitOf(kind); limit > 0 {
		all = append(all, "limit "+lasting(limit))
	}
	if attempts := t.attemptsOf(kind); attempts > 1 {
		all = append(all, plural(int64(attempts), "attempt", "attempts"))
	}
	if kind.Concurrency > 0 {
		text := decimal(int64(kind.Concurrency)) + " at once"
		if len(kind.ConcurrencyKey) > 0 {
			text += " for each " + strings.Join(labels(kind, kind.ConcurrencyKey), " and ")
		}
		all = append(all, text)
	}
	return all
}

// labels returns the labels of inputs of a kind.
func labels(kind app.Kind, names []string) (all []string) {
	for _, name := range names {
		for _, input := range kind.Inputs {
			if input.Name == name {
				all = append(all, visible(input.Label()))
			}
		}
	}
	return all
}

// limitOf returns the time limit of an attempt of a run of a kind; 0 without one.
func (t *Templates) limitOf(kind app.Kind) time.Duration { return cmp.Or(kind.Timeout, t.timeout) }

// attemptsOf returns the number of attempts that a run of a kind gets.
func (t *Templates) attemptsOf(kind app.Kind) int { return cmp.Or(kind.Attempts, t.maxAttempts) }
