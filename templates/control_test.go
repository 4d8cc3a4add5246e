package templates_test

import (
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"runboard/app"
	"runboard/templates"
)

// controlOf renders the form of a kind with one input, and returns its elements with the name of the input.
func controlOf(t *testing.T, input app.Input, form templates.KindForm) []*html.Node {
	t.Helper()
	input.Name = "x"
	form.Kind = app.Kind{Name: "k", Inputs: []app.Input{input}}
	rendered := parsePage(t, must(t)(newTemplates(t).KindForm(form)))
	return elements(rendered, func(node *html.Node) bool { return attribute(node, "name") == "input.x" })
}

func choices(n int) (all []app.Choice) {
	for i := range n {
		all = append(all, app.Choice{Value: strconv.Itoa(i)})
	}
	return all
}

func TestControl_IsNative(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		input app.Input
		want  string // elements and their types
	}{
		{app.Input{Type: app.TextInput}, "input text"},
		{app.Input{Type: app.LinesInput}, "textarea"},
		{app.Input{Type: app.NumberInput}, "input number"},
		{app.Input{Type: app.DateInput}, "input date"},
		{app.Input{Type: app.SecretInput}, "input password"},
		{app.Input{Type: app.FlagInput}, "input hidden, input checkbox"},
		{app.Input{Type: app.ChoiceInput, Choices: choices(2)}, "input radio, input radio, input radio"},
		{app.Input{Type: app.ChoiceInput, Required: true, Choices: choices(2)}, "input radio, input radio"},
		{app.Input{Type: app.ChoiceInput, Default: []string{"0"}, Choices: choices(2)},
			"input radio, input radio"},
		{app.Input{Type: app.ChoiceInput, Default: []string{"0"}, Choices: choices(5)},
			strings.Repeat("input radio, ", 4) + "input radio"},
		{app.Input{Type: app.ChoiceInput, Choices: choices(6)}, "select"},
		{app.Input{Type: app.ChoicesInput, Choices: choices(2)},
			"input hidden, input checkbox, input checkbox"},
		{app.Input{Type: app.ChoicesInput, Choices: choices(13)}, "input hidden, select multiple"},
	} {
		var found []string
		for _, node := range controlOf(t, test.input, templates.KindForm{}) {
			text := node.Data
			if kind := attribute(node, "type"); kind != "" {
				text += " " + kind
			}
			if hasAttribute(node, "multiple") {
				text += " multiple"
			}
			found = append(found, text)
		}
		if got := strings.Join(found, ", "); got != test.want {
			t.Errorf("%+v is %s, want %s", test.input, got, test.want)
		}
	}
}

func hasAttribute(node *html.Node, key string) bool {
	for _, a := range node.Attr {
		if a.Key == key {
			return true
		}
	}
	return false
}

func TestControl_ChecksWhatTheServerChecks(t *testing.T) {
	t.Parallel()
	pattern, err := app.AnchoredPattern("[a-z]+")
	if err != nil {
		t.Fatal(err)
	}
	rules := app.Rules{Min: "2", Max: "9", Step: "0.5", Pattern: pattern}
	for kind, want := range map[app.InputType]map[string]string{
		app.TextInput: {"pattern": "[a-z]+", "minlength": "2", "maxlength": "9", "required": "true",
			"step": ""},
		app.NumberInput: {"min": "2", "max": "9", "step": "0.5", "pattern": "", "minlength": "",
			"required": "true"},
		app.SecretInput: {"pattern": "[a-z]+", "maxlength": "", "autocomplete": "off", "required": "true"},
		app.LinesInput:  {"maxlength": "", "required": "true"}, // browsers would cut pasted lines
	} {
		node := controlOf(t, app.Input{Type: kind, Required: true, Rules: rules}, templates.KindForm{})[0]
		for name, value := range want {
			got := attribute(node, name)
			if name == "required" {
				got = strconv.FormatBool(hasAttribute(node, name))
			}
			if got != value {
				t.Errorf("%s of %s is %q, want %q", name, kind, got, value)
			}
		}
	}
}

// A number or date element would drop a text.
func TestControl_KeepsTextsOfOtherTypes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"1.10": "number", "": "number", "1e3": "text", "many": "text"} {
		form := templates.KindForm{Given: map[string][]string{"x": {text}}}
		if got := attribute(controlOf(t, app.Input{Type: app.NumberInput}, form)[0], "type"); got != want {
			t.Errorf("%q is in an element of type %q, want %q", text, got, want)
		}
	}
}

// Without a minimum, browsers count steps from the value in the page.
func TestControl_StepsFromAValidValue(t *testing.T) {
	t.Parallel()
	input := app.Input{Type: app.NumberInput, Default: []string{"10"}, Rules: app.Rules{Step: "5"}}
	step := func(form templates.KindForm) string { return attribute(controlOf(t, input, form)[0], "step") }
	if got := step(templates.KindForm{}); got != "5" {
		t.Errorf("the step is %q", got)
	}
	wrong := templates.KindForm{
		Given: map[string][]string{"x": {"7"}}, Faults: app.InputErrors{"x": "is wrong"},
	}
	if got := step(wrong); got != "any" {
		t.Errorf("the step from a wrong value is %q", got)
	}
	input.Min = "0"
	if got := step(wrong); got != "5" {
		t.Errorf("the step from a minimum is %q", got)
	}
}

func TestControl_KeepsWhatWasTyped(t *testing.T) {
	t.Parallel()
	typed := func(texts ...string) templates.KindForm {
		return templates.KindForm{Given: map[string][]string{"x": texts}}
	}
	for _, test := range []struct {
		input app.Input
		form  templates.KindForm
		want  string
	}{
		{app.Input{Type: app.TextInput, Default: []string{"d"}}, templates.KindForm{}, "d"},
		{app.Input{Type: app.TextInput, Default: []string{"d"}}, typed(""), ""},
		{app.Input{Type: app.TextInput}, typed(`<"'>`), `<"'>`},
		{app.Input{Type: app.NumberInput}, typed("1.10"), "1.10"},
		{app.Input{Type: app.NumberInput}, typed("many"), "many"},
		{app.Input{Type: app.SecretInput}, typed("hunter2"), ""},
		{app.Input{Type: app.LinesInput}, typed("\n\n a\nb\n"), "\n\n a\nb\n"},
		{app.Input{Type: app.FlagInput}, typed("false", "true"), "false, [true]"},
		{app.Input{Type: app.FlagInput, Default: []string{"true"}}, typed("false"), "false, true"},
		{app.Input{Type: app.FlagInput, Default: []string{"true"}}, templates.KindForm{}, "false, [true]"},
		{app.Input{Type: app.ChoiceInput, Choices: choices(2)}, typed("1"), ", 0, [1]"},
		{app.Input{Type: app.ChoiceInput, Choices: choices(2)}, typed("9"), ", 0, 1"},
		{app.Input{Type: app.ChoicesInput, Choices: choices(3), Default: []string{"0"}}, typed("", "1", "2"),
			", 0, [1], [2]"},
		{app.Input{Type: app.ChoicesInput, Choices: choices(3), Default: []string{"0"}}, typed(""),
			", 0, 1, 2"},
	} {
		var values []string
		for _, node := range controlOf(t, test.input, test.form) {
			value := attribute(node, "value")
			if node.Data == "textarea" {
				value = textOf(node)
			}
			if hasAttribute(node, "checked") {
				value = "[" + value + "]"
			}
			values = append(values, value)
		}
		if got := strings.Join(values, ", "); got != test.want {
			t.Errorf("%+v with %v shows %q, want %q", test.input, test.form.Given, got, test.want)
		}
	}
}

func TestControl_FocusesTheFirstWrongOne(t *testing.T) {
	t.Parallel()
	faults := app.InputErrors{"day": "is wrong", "database": "is wrong"}
	form := templates.KindForm{Kind: backup(), Faults: faults}
	rendered := parsePage(t, must(t)(newTemplates(t).KindForm(form)))
	focused := elements(rendered, func(node *html.Node) bool { return hasAttribute(node, "autofocus") })
	if len(focused) != 1 || attribute(focused[0], "name") != "input.database" {
		t.Errorf("%d elements have the focus", len(focused))
	}
	isWrong := func(node *html.Node) bool { return attribute(node, "aria-invalid") == "true" }
	wrong := elements(rendered, isWrong)
	if len(wrong) != 3 { // two radio buttons and the date
		t.Errorf("%d elements are marked as wrong", len(wrong))
	}
	for _, node := range wrong {
		fault := byID(t, rendered, attribute(node, "aria-describedby"))
		if !strings.HasSuffix(textOf(fault), " is wrong.") {
			t.Errorf("%s is described by %q", attribute(node, "name"), textOf(fault))
		}
	}
}

func TestControl_LabelsBelongToControls(t *testing.T) {
	t.Parallel()
	rendered := parsePage(t, must(t)(newTemplates(t).KindForm(templates.KindForm{Kind: backup()})))
	for _, label := range elements(rendered, named("label")) {
		if target := attribute(label, "for"); target != "" {
			byID(t, rendered, target)
		} else if len(elements(label, named("input"))) != 1 {
			t.Errorf("the label %q has no control", textOf(label))
		}
	}
}

// A browser applies the pattern in its own syntax, with the flag v, in which more has to be escaped.
func TestControl_PatternsAreThoseOfBrowsers(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{
		`[a-z]+`:             `[a-z]+`,
		`v[0-9]+\.[0-9]+`:    `v[0-9]+\.[0-9]+`,
		`[a-z0-9-]{2,}`:      `[\u{2d}0-9a-z]{2,}`,
		`(?:ab|c)*d?`:        `(?:ab|c)*d?`,
		`(foo|bar){3}`:       `(?:(?:foo|bar)){3}`,
		`a{1,2}`:             `a{1,2}`,
		`\d-\w`:              `[0-9]\u{2d}[0-9A-Z_a-z]`,
		`.`:                  `[^\n]`,
		`(?s).`:              `[^]`,
		`é/|&&`:              `(?:\u{e9}\/|\u{26}\u{26})`,
		`(?i)abc`:            ``,
		`^a$`:                ``,
		`a\b`:                ``,
		`\p{L}`:              ``, // too long
		``:                   ``,
		`[^\x00-\x{10FFFF}]`: ``,
	} {
		compiled, err := app.AnchoredPattern(pattern)
		if err != nil {
			t.Fatal(err)
		}
		input := app.Input{Type: app.TextInput, Rules: app.Rules{Pattern: compiled}}
		if got := attribute(controlOf(t, input, templates.KindForm{})[0], "pattern"); got != want {
			t.Errorf("%q becomes %q, want %q", pattern, got, want)
		}
	}
}

func TestKindForm_ShowsFaultsOfNoInput(t *testing.T) {
	t.Parallel()
	form := templates.KindForm{Kind: app.Kind{Name: "k"}, Fault: "Too many runs are waiting.",
		Faults: app.InputErrors{"colour": "is not an input of this kind"}}
	rendered := parsePage(t, must(t)(newTemplates(t).KindForm(form)))
	alert := elements(rendered, func(node *html.Node) bool { return attribute(node, "role") == "alert" })
	const want = "Too many runs are waiting.colour is not an input of this kind."
	if len(alert) != 1 || textOf(alert[0]) != want {
		t.Errorf("the form says %q", textOf(rendered))
	}
}
