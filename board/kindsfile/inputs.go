package kindsfile

import (
	"slices"
	"strings"

	"runboard/app"
)

// inputs returns the declared inputs.
func (b *builder) inputs() (inputs []app.Input, err error) {
	if len(b.from.Inputs) > app.MaxInputs {
		const text = "there are %d inputs, more than %d"
		return nil, b.key("inputs").fault(text, len(b.from.Inputs), app.MaxInputs)
	}
	for _, from := range b.from.Inputs {
		input, err := from.build()
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(inputs, func(i app.Input) bool { return i.Name == input.Name }) {
			return nil, from.at("name").fault("two inputs are named %s", input.Name)
		}
		inputs = append(inputs, input)
	}
	return inputs, nil
}

// build returns the input that the file declares.
func (i input) build() (app.Input, error) {
	declared := app.Input{
		Name: i.Name, Type: app.InputType(i.Type), Title: i.Title, Help: i.Help, Required: i.Required,
		Flag: i.Flag, Default: i.Default.list,
		Rules: app.Rules{Min: string(i.Min), Max: string(i.Max), Step: string(i.Step), Dash: i.Dash},
	}
	for _, key := range []string{"name", "type"} {
		if !i.has(key) {
			return declared, i.fault("an input needs a %s", key)
		}
	}
	if strings.ContainsRune(i.Flag, 0) {
		return declared, i.at("flag").fault("input %s: flag contains a zero byte", shorten(i.Name))
	}
	for _, c := range i.Choices {
		declared.Choices = append(declared.Choices, app.Choice{Value: c.value, Title: c.title})
	}
	if i.Pattern != "" {
		pattern, err := app.AnchoredPattern(i.Pattern)
		if err != nil {
			return declared, i.at("pattern").fault("input %s: %v", shorten(i.Name), err)
		}
		declared.Pattern = pattern
	}
	isList := declared.Type == app.ChoicesInput
	if i.has("default") && i.Default.isList != isList {
		const text = "input %s: the default of the type choices is a list, and no other is"
		return declared, i.at("default").fault(text, shorten(i.Name))
	}
	return declared, i.check(declared)
}

// check returns what is wrong with an input that the file declares.
func (i input) check(declared app.Input) error {
	if key, err := declared.Validate(); err != nil {
		return i.at(key).fault("input %s: %v", shorten(i.Name), err)
	}
	return nil
}

// checkDefaults checks the inputs again, now that it is known which are words of the command.
func (b *builder) checkDefaults(inputs []app.Input) error {
	for n, input := range inputs {
		if !input.Word || input.Default == nil {
			continue
		}
		if err := b.from.Inputs[n].check(input); err != nil {
			return err
		}
	}
	return nil
}
