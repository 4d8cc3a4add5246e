package templates

import (
	"slices"
	"strings"

	"runboard/app"
)

// kindLabel returns what users call a kind, which may no longer be offered.
func (t *Templates) kindLabel(name string) string {
	if label, bulk := bulkLabel(name); bulk {
		return label
	}
	kind, known := t.kinds.Kind(name)
	if !known {
		return visible(name)
	}
	return visible(kind.Label())
}

// bulkLabel returns what the page calls a kind of bulk runs, and false for another kind.
func bulkLabel(kind string) (string, bool) {
	i := slices.IndexFunc(app.BulkOperations(), func(o app.BulkOperation) bool { return o.Kind() == kind })
	if i < 0 {
		return "", false
	}
	return "Bulk " + string(app.BulkOperations()[i]), true
}

// maxSummary is the number of characters of the inputs in a row.
const maxSummary = 80

// summary returns the inputs of a run in short, such as "shop · --gzip". Secrets and lines are left out.
func (t *Templates) summary(run app.ProcessRun) string {
	if run.Inputs == "" {
		return ""
	}
	var parts []string
	for _, pair := range t.inputsOf(run) {
		if text := shortText(pair.input, pair.texts); text != "" {
			parts = append(parts, text)
		}
	}
	text := visible(strings.Join(parts, " · "))
	if runes := []rune(text); len(runes) > maxSummary {
		return string(runes[:maxSummary-1]) + "…"
	}
	return text
}

// shortText returns the value of an input for a summary, or "" if it does not belong there.
func shortText(input app.Input, texts []string) string {
	value := strings.Join(texts, ", ")
	switch input.Type {
	case app.SecretInput, app.LinesInput:
		return ""
	case app.TextInput: // or lines of a kind that is no longer offered
		if strings.Contains(value, "\n") {
			return ""
		}
	case app.FlagInput:
		if value != "true" {
			return ""
		}
		if input.Flag != "" {
			return input.Flag
		}
		return input.Label()
	case app.NumberInput:
		return input.Name + " " + value
	}
	return value
}

// inputOf is an input of a run with its value.
type inputOf struct {
	input    app.Input
	texts    []string
	declared bool // the kind still has the input
}

// inputsOf returns the inputs of a run that have a value, secrets excepted: in the order of the kind, then
// those that it no longer has.
func (t *Templates) inputsOf(run app.ProcessRun) []inputOf {
	values := run.Inputs.Values()
	kind, _ := t.kinds.Kind(run.Kind)
	var all []inputOf
	for _, input := range kind.Inputs {
		if texts := values.Texts(input.Name); texts != nil && input.Type != app.SecretInput {
			all = append(all, inputOf{input, texts, true})
		}
	}
	for _, value := range values {
		isKnown := false
		for _, input := range kind.Inputs {
			isKnown = isKnown || input.Name == value.Name
		}
		if !isKnown {
			all = append(all, inputOf{app.Input{Name: value.Name, Type: value.Type}, value.Texts, false})
		}
	}
	return all
}

// runInput is the view model of an input on the page of a run.
type runInput struct {
	shownInput
	ListPath string // the runs of the kind with the same value, or ""
}

// runInputs returns the inputs of a run for its page.
func (t *Templates) runInputs(run app.ProcessRun) []runInput {
	var all []runInput
	inputs := t.inputsOf(run)
	for _, pair := range inputs {
		view := runInput{shownInput: shownInput{
			Label: visible(pair.input.Label()), Lines: shownTexts(pair.input, pair.texts),
		}}
		if isFilter(pair) {
			filter := app.NewInputFilter(map[string]string{pair.input.Name: pair.texts[0]})
			view.ListPath = QueryPath(app.Query{Filter: app.Filter{Kind: run.Kind, Inputs: filter}})
		}
		all = append(all, view)
	}
	if run.InputCount > len(inputs) {
		all = append(all, t.secretInputs(run)...)
	}
	return all
}

// isFilter reports whether runs can be found by the value of an input: it is one line, and short.
func isFilter(pair inputOf) bool {
	return len(pair.texts) == 1 && len(pair.texts[0]) <= app.MaxText && !strings.Contains(pair.texts[0], "\n")
}

// secretInputs returns the secrets of a run that has some.
func (t *Templates) secretInputs(run app.ProcessRun) (all []runInput) {
	kind, _ := t.kinds.Kind(run.Kind)
	for _, input := range kind.Inputs {
		if input.Type == app.SecretInput {
			shown := shownInput{Label: visible(input.Label()), Lines: []string{mask}}
			all = append(all, runInput{shownInput: shown})
		}
	}
	if len(all) == 0 {
		all = append(all, runInput{shownInput: shownInput{Label: "Secret", Lines: []string{mask}}})
	}
	return all
}
