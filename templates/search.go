package templates

import (
	"slices"
	"strings"

	"runboard/app"
)

// searchForm is the view model of the filter form.
type searchForm struct {
	Status       string // to keep
	Text         string
	Kinds        []option // empty if there is only one, and no filter by it
	Since, Until []option
	Failure      string // to keep
	Inputs       []inputCondition
	ClearPath    string // the list without filters but the status; "" if it is this one
}

// inputCondition is the view model of a value that an input must have.
type inputCondition struct {
	Field, Value string // to keep
	Text         string
	RemovePath   string // the list without the condition
}

func (t *Templates) inputConditions(filter app.Filter) (all []inputCondition) {
	kind, _ := t.kinds.Kind(filter.Kind)
	matches := filter.Inputs.Matches()
	for _, match := range matches {
		others := map[string]string{}
		for _, other := range matches {
			if other.Name != match.Name {
				others[other.Name] = other.Value
			}
		}
		without := filter
		without.Inputs = app.NewInputFilter(others)
		all = append(all, inputCondition{
			Field: InputPrefix + match.Name, Value: match.Value, Text: conditionText(kind, match),
			RemovePath: QueryPath(app.Query{Filter: without}),
		})
	}
	return all
}

// conditionText says which value an input of a kind must have.
func conditionText(kind app.Kind, match app.InputMatch) string {
	for _, input := range kind.Inputs {
		if input.Name == match.Name {
			return clip(input.Label() + ": " + strings.Join(shownTexts(input, []string{match.Value}), " "))
		}
	}
	return clip(match.Name + ": " + match.Value)
}

// option is the view model of an option of a select element.
type option struct {
	Value, Text string
	Selected    bool
}

// newFindForm returns the search in the header of a list.
func newFindForm(filter app.Filter) findForm {
	form := findForm{Swaps: true, Text: filter.Text}
	filter.Text = ""
	form.Fields = FilterFields(filter)
	return form
}

func (t *Templates) search(filter app.Filter) searchForm {
	form := searchForm{Text: filter.Text}
	if filter.Filtered {
		form.Status = filter.Status.String()
	}
	if len(t.kinds.Kinds()) > 1 || filter.Kind != "" {
		form.Kinds = t.kindOptions(filter.Kind)
	}
	form.Since = timeOptions(filter.Since, "Since ", []option{
		{Text: "Any time"}, {Value: "1h", Text: "Last hour"}, {Value: "24h", Text: "Last 24 hours"},
		{Value: "48h", Text: "Last 2 days"}, {Value: "168h", Text: "Last 7 days"},
	})
	form.Until = timeOptions(filter.Until, "Until ", []option{
		{Text: "Until now"}, {Value: "1h", Text: "Until an hour ago"},
		{Value: "24h", Text: "Until a day ago"},
		{Value: "168h", Text: "Until a week ago"},
	})
	if filter.Failure > 0 {
		form.Failure = decimal(filter.Failure)
	}
	form.Inputs = t.inputConditions(filter)
	if !filter.StatusOnly() {
		onlyStatus := app.Filter{Filtered: filter.Filtered, Status: filter.Status}
		form.ClearPath = QueryPath(app.Query{Filter: onlyStatus})
	}
	return form
}

// kindOptions returns the kinds to filter by. It includes the kind of the current filter even if that kind is
// no longer offered.
func (t *Templates) kindOptions(selected string) []option {
	options := []option{{Text: "All kinds"}}
	for _, kind := range t.kinds.Kinds() {
		options = append(options, option{kind.Name, kind.Label(), kind.Name == selected})
	}
	isSelected := func(o option) bool { return o.Selected }
	if selected != "" && !slices.ContainsFunc(options, isSelected) {
		options = append(options, option{selected, selected, true})
	}
	return options
}

// timeOptions selects the option that equals bound. If none does, it appends one, labelled prefix and the
// bound.
func timeOptions(bound app.TimeBound, prefix string, options []option) []option {
	value, found := bound.String(), false
	for i := range options {
		options[i].Selected = options[i].Value == value
		found = found || options[i].Selected
	}
	if !found {
		options = append(options, option{value, prefix + value, true})
	}
	return options
}
