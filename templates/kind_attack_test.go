package templates_test

import (
	"runboard/app"
	"runboard/templates"
)

// attack would run a script wherever it was not escaped.
const attack = `"></textarea></select><script>alert(1)</script><img src=x onerror=alert(1)> autofocus`

// hostileKinds returns kinds whose texts are attacks, so many that the list has all its parts.
func hostileKinds() (kinds []app.Kind, overviews []app.KindOverview) {
	kind := app.Kind{Name: "hostile", Title: attack, Description: attack, Group: attack, Confirm: attack}
	for _, one := range app.InputTypes() {
		kind.Inputs = append(kind.Inputs, app.Input{
			Name: string(one), Type: one, Title: attack, Help: attack, Flag: attack,
			Default: []string{attack},
			Choices: []app.Choice{{Value: attack, Title: attack}, {Value: "b"}},
			Rules:   app.Rules{Min: attack, Max: attack, Step: attack},
		})
	}
	for range 13 {
		kinds, overviews = append(kinds, kind), append(overviews, backupOverview)
	}
	return kinds, overviews
}

func hostileForm(kind app.Kind) templates.KindForm {
	form := templates.KindForm{Kind: kind, Key: attack, Count: attack, Fault: attack,
		Given: map[string][]string{}, Faults: app.InputErrors{attack: attack},
		Preview: &templates.StartPreview{Missing: kind.Inputs,
			Command: &app.CommandPreview{Words: []string{attack}, Dir: attack, Variables: []string{attack}}},
	}
	for _, input := range kind.Inputs {
		form.Given[input.Name], form.Faults[input.Name] = []string{attack}, attack
	}
	return form
}

func hostileConfirmation(kind app.Kind) templates.StartConfirmation {
	confirmation := templates.StartConfirmation{
		Kind: kind, Count: 2, Token: attack, Key: attack, Problem: attack,
	}
	for _, input := range kind.Inputs {
		confirmation.Values = append(confirmation.Values,
			app.InputValue{Name: input.Name, Type: input.Type, Texts: []string{attack}})
	}
	return confirmation
}
