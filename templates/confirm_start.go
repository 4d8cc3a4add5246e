package templates

import (
	"cmp"
	"strings"

	"runboard/app"
)

// ConfirmedField is the form field with the token of a confirmed start, see app.Kind.ConfirmToken.
const ConfirmedField = "confirmed"

// FromField is the form field with the page that a browser returns to after a start. Without it, that is the
// list; FromKind is the page of the kind.
const (
	FromField = "from"
	FromKind  = "kind"
)

// StartConfirmation is the question that confirms a start.
type StartConfirmation struct {
	Kind    app.Kind
	Values  app.InputValues
	Count   int
	Token   string // of what the question shows
	Key     string // idempotency key
	Problem string // why an earlier confirmation was refused, or ""
	From    string // value of FromField
}

// startConfirmation is the view model of a StartConfirmation.
type startConfirmation struct {
	Question, Problem string
	Values            []shownInput
	Answer            startAnswer
}

// startAnswer is the view model of the answers to a StartConfirmation.
type startAnswer struct {
	Token         field
	Fields        []field
	Secrets       []control // to type again, without a dialog
	Confirm       string    // label of the button
	Dialog        bool      // shown in a dialog over the page with the form, which is sent again
	Dismiss, Back string    // label of the other answer, and the page that it leads to
}

// shownInput is the view model of the value of an input.
type shownInput struct {
	Label string
	Lines []string // the value; several for choices and lines
	Unset bool
}

// ConfirmStart renders the question for a dialog over the page with the start form. Confirmed, that form is
// sent again, with the token and the secrets that were typed.
func (t *Templates) ConfirmStart(confirmation StartConfirmation) ([]byte, error) {
	view := newStartConfirmation(confirmation)
	view.Answer.Dialog = true
	return t.render("start_confirmation", view)
}

// ConfirmStartPage renders the question as a page of its own, which asks for secrets again.
func (t *Templates) ConfirmStartPage(confirmation StartConfirmation) ([]byte, error) {
	view := newStartConfirmation(confirmation)
	return t.render("start_confirmation_page", struct {
		Layout       layout
		Confirmation startConfirmation
	}{t.layout(visible(confirmation.Kind.Label())), view})
}

func newStartConfirmation(from StartConfirmation) startConfirmation {
	kind, count := from.Kind, decimal(int64(from.Count))
	view := startConfirmation{
		Question: visible(kind.Question(from.Values)), Problem: from.Problem,
		Values: shownInputs(kind.Inputs, from.Values), Answer: newStartAnswer(from),
	}
	if from.Count > 1 {
		view.Values = append(view.Values, shownInput{Label: "Runs", Lines: []string{count}})
	}
	return view
}

func newStartAnswer(from StartConfirmation) startAnswer {
	kind, count := from.Kind, decimal(int64(from.Count))
	answer := startAnswer{
		Token:   field{ConfirmedField, from.Token},
		Fields:  []field{{"kind", kind.Name}, {"count", count}, {"idempotency_key", from.Key}},
		Confirm: newStartButton(kind, count).Label, Dismiss: "Back", Back: KindPath(kind.Name),
	}
	if back, fits := filledPath(kind.Name, from.Values); fits {
		answer.Back = back
	}
	if from.From != "" {
		answer.Fields = append(answer.Fields, field{FromField, from.From})
	}
	for _, value := range from.Values.Public() {
		for _, text := range value.Texts {
			answer.Fields = append(answer.Fields, field{InputPrefix + value.Name, text})
		}
	}
	for _, input := range kind.Inputs {
		if input.Type == app.SecretInput && len(from.Values.Texts(input.Name)) > 0 {
			input.Required = true
			answer.Secrets = append(answer.Secrets, newControl(input, nil, ""))
		}
	}
	return answer
}

// mask stands for a secret.
const mask = "•••"

// shownInputs returns the values of inputs as users read them, in the order of the inputs.
func shownInputs(inputs []app.Input, values app.InputValues) (all []shownInput) {
	for _, input := range inputs {
		texts := values.Texts(input.Name)
		all = append(all, shownInput{
			Label: visible(input.Label()), Lines: shownTexts(input, texts), Unset: len(texts) == 0,
		})
	}
	return all
}

var flagTexts = map[string]string{"true": "yes", "false": "no"}

// shownTexts returns the value of an input as users read it.
func shownTexts(input app.Input, texts []string) (lines []string) {
	for _, text := range texts {
		switch input.Type {
		case app.SecretInput:
			lines = append(lines, mask)
		case app.FlagInput:
			lines = append(lines, cmp.Or(flagTexts[text], visible(text)))
		case app.LinesInput:
			for line := range strings.Lines(text) {
				lines = append(lines, visible(strings.TrimSuffix(line, "\n")))
			}
		default:
			lines = append(lines, visible(choiceLabel(input, text)))
		}
	}
	return lines
}

// choiceLabel returns the label of a choice, with its value if that differs, or the text of any other value.
func choiceLabel(input app.Input, text string) string {
	for _, choice := range input.Choices {
		if choice.Value == text && choice.Title != "" && choice.Title != text {
			return choice.Title + " (" + text + ")"
		}
	}
	return text
}
