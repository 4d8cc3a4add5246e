package templates

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"runboard/app"
)

// maxRadios is the largest number of choices that are shown as radio buttons.
const maxRadios = 5

// maxCheckboxes is the largest number of choices that are shown as checkboxes.
const maxCheckboxes = 12

// control is the view model of the control of an input: a native element, or a group of them.
type control struct {
	ElementID, Field string
	Type             string // radios, checkboxes, select, textarea, flag, or that of an input element
	Label            string
	Required         bool
	Value            string // of elements with a single value, except secrets
	Options          []option
	Multiple         bool // of a select
	hints
	limits
}

// hints are the texts beside a control.
type hints struct {
	Help, HelpID   string
	Fault, FaultID string
	DescribedBy    string // the ids of both
	Focused        bool   // the first wrong control
}

// limits are what the browser checks. Empty ones are left out.
type limits struct {
	Min, Max, Step       string
	Pattern              string
	MinLength, MaxLength string
	Placeholder          string // what an empty field means
}

// controls returns the controls of the inputs of a form. The first wrong one has the focus.
func controls(form KindForm) []control {
	var all []control
	focused := false
	for _, input := range form.Kind.Inputs {
		view := newControl(input, form.Given, form.Faults[input.Name])
		view.Focused = view.Fault != "" && !focused
		focused = focused || view.Focused
		all = append(all, view)
	}
	return all
}

func newControl(input app.Input, given map[string][]string, fault string) control {
	view := control{
		ElementID: inputID(input.Name), Field: InputPrefix + input.Name, Type: controlType(input),
		Label: visible(input.Label()), Required: input.Required,
		hints:  newHints(input, fault),
		limits: newLimits(input, fault),
	}
	texts, typed := given[input.Name]
	if !typed {
		texts = input.Default
	}
	switch input.Type {
	case app.SecretInput: // never shown
	case app.ChoiceInput, app.ChoicesInput:
		view.Options = choiceOptions(input, texts)
		view.Multiple = input.Type == app.ChoicesInput
	default:
		if len(texts) > 0 {
			view.Value = texts[len(texts)-1] // after the value of an unchecked checkbox
		}
	}
	if form, has := valueForms[input.Type]; has && view.Value != "" && !form.MatchString(view.Value) {
		view.Type = "text" // others drop what has not their form
	}
	return view
}

// valueForms are the forms of values that elements keep.
var valueForms = map[app.InputType]*regexp.Regexp{
	app.NumberInput: regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`),
	app.DateInput:   regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`),
}

// controlType returns the control for an input, see control.Type.
func controlType(input app.Input) string {
	switch input.Type {
	case app.LinesInput:
		return "textarea"
	case app.NumberInput, app.DateInput:
		return string(input.Type)
	case app.FlagInput:
		return "flag"
	case app.SecretInput:
		return "password"
	case app.ChoiceInput:
		if len(input.Choices) <= maxRadios {
			return "radios"
		}
		return "select"
	case app.ChoicesInput:
		if len(input.Choices) <= maxCheckboxes {
			return "checkboxes"
		}
		return "select"
	}
	return "text"
}

// choiceOptions returns the options of an input. A single choice that need not be made has an option for
// that.
func choiceOptions(input app.Input, selected []string) []option {
	var options []option
	if input.Type == app.ChoiceInput && len(input.Default) == 0 {
		none := option{Text: "None", Selected: len(selected) == 0 || selected[0] == ""}
		switch {
		case !input.Required:
			options = append(options, none)
		case len(input.Choices) > maxRadios:
			none.Text = "Choose…"
			options = append(options, none)
		}
	}
	for _, choice := range input.Choices {
		options = append(options, option{
			Value: choice.Value, Text: visible(choice.Label()),
			Selected: slices.Contains(selected, choice.Value),
		})
	}
	return options
}

func newHints(input app.Input, fault string) hints {
	view := hints{Help: visible(input.Help)}
	var described []string
	if view.Help != "" {
		view.HelpID = inputID(input.Name) + "_help"
		described = append(described, view.HelpID)
	}
	if fault != "" {
		view.Fault = visible(input.Label() + " " + fault + ".")
		view.FaultID = inputID(input.Name) + "_fault"
		described = append(described, view.FaultID)
	}
	view.DescribedBy = strings.Join(described, " ")
	return view
}

func newLimits(input app.Input, fault string) limits {
	switch input.Type {
	case app.NumberInput:
		view := limits{Min: input.Min, Max: input.Max, Step: "any"}
		// Without a minimum, browsers count steps from the value in the page, which must then be valid.
		if input.Step != "" && (input.Min != "" || fault == "") {
			view.Step = input.Step
		}
		return view
	case app.DateInput:
		return limits{Min: input.Min, Max: input.Max}
	case app.TextInput:
		view := limits{
			Pattern: browserPattern(input.PatternText()), MinLength: input.Min,
			MaxLength: cmp.Or(input.Max, strconv.Itoa(app.MaxInputText)),
		}
		if len(input.Default) > 0 {
			view.Placeholder = visible(input.Default[0])
		}
		return view
	case app.SecretInput:
		return limits{Pattern: browserPattern(input.PatternText())}
	}
	return limits{}
}
