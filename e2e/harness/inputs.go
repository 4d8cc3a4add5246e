package harness

import (
	"regexp"

	"runboard/app"
	"runboard/jobs"
)

// describedCommand describes a command without running one.
type describedCommand struct{ jobs.Template }

// Describe implements jobs.CommandDescriber.
func (c describedCommand) Describe(values app.InputValues) app.CommandPreview {
	return app.CommandPreview{Words: c.Words(values), Dir: "/srv/ops", Variables: []string{"PGHOST"}}
}

// WithInputs makes a kind one with inputs of each type, which describes a command.
func WithInputs(kind jobs.Kind) jobs.Kind {
	kind.Info = app.Kind{
		Title: "Back up a database", Description: "Dumps one database.", Group: "Databases",
		Inputs: []app.Input{
			{Name: "database", Type: app.ChoiceInput, Title: "Database", Default: []string{"shop"},
				Choices: []app.Choice{{Value: "shop"}, {Value: "crm", Title: "Customers"}}},
			{Name: "level", Type: app.NumberInput, Title: "Level", Default: []string{"6"},
				Rules: app.Rules{Min: "1", Max: "9"}},
			{Name: "compress", Type: app.FlagInput, Title: "Compress", Flag: "--gzip",
				Default: []string{"true"}},
			{Name: "tables", Type: app.ChoicesInput, Title: "Tables", Help: "None means all.",
				Choices: []app.Choice{{Value: "a"}, {Value: "b"}, {Value: "c"}}},
			{Name: "label", Type: app.TextInput, Title: "Label", Word: true,
				Rules: app.Rules{Pattern: regexp.MustCompile(`\A(?:[a-z -]+)\z`)}},
			{Name: "hosts", Type: app.LinesInput, Title: "Hosts"},
			{Name: "day", Type: app.DateInput, Title: "Day", Rules: app.Rules{Min: "2026-01-01"}},
			{Name: "token", Type: app.SecretInput, Title: "Token"},
		},
	}
	words := []string{"./backup.sh", "{database}", "--level={level}", "{compress}", "{label}"}
	template, err := jobs.ParseTemplate(words, kind.Info.Inputs)
	if err != nil {
		panic(err)
	}
	kind.Command = describedCommand{template}
	return kind
}
