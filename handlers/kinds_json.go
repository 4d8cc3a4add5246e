package handlers

import (
	"cmp"
	"encoding/json"

	"runboard/app"
)

// kindJSON is a kind in JSON: what a program needs to start its runs, without what they execute.
type kindJSON struct {
	Name        string      `json:"name"`
	Title       string      `json:"title"`
	Description string      `json:"description"`
	Group       string      `json:"group"`
	Inputs      []inputJSON `json:"inputs"`
	Timeout     string      `json:"timeout"` // of an attempt
	Attempts    int         `json:"attempts"`
	Concurrency int         `json:"concurrency"` // 0: no limit
}

// inputJSON is an input of a kind in JSON.
type inputJSON struct {
	Name     string        `json:"name"`
	Type     app.InputType `json:"type"`
	Title    string        `json:"title"`
	Help     string        `json:"help,omitempty"`
	Required bool          `json:"required"`
	Default  any           `json:"default,omitempty"`
	rulesJSON
	Choices []choiceJSON `json:"choices,omitempty"`
}

// rulesJSON are the rules of an input in JSON. Bounds are numbers, or dates.
type rulesJSON struct {
	Min     any         `json:"min,omitempty"`
	Max     any         `json:"max,omitempty"`
	Step    json.Number `json:"step,omitempty"`
	Pattern string      `json:"pattern,omitempty"`
}

// choiceJSON is a choice of an input in JSON.
type choiceJSON struct {
	Value string `json:"value"`
	Title string `json:"title"`
}

// kindsJSON returns the kinds that are offered, in their order.
func (s *Server) kindsJSON() []kindJSON {
	kinds := []kindJSON{}
	for _, kind := range s.Kinds.Kinds() {
		kinds = append(kinds, s.kindJSON(kind))
	}
	return kinds
}

// kindJSON returns a kind with the policies that its runs have: its own, or else those of the board.
func (s *Server) kindJSON(kind app.Kind) kindJSON {
	answer := kindJSON{
		Name: kind.Name, Title: kind.Label(), Description: kind.Description, Group: kind.Group,
		Inputs:   []inputJSON{},
		Timeout:  cmp.Or(kind.Timeout, s.Policy.Timeout).String(),
		Attempts: cmp.Or(kind.Attempts, s.Policy.Attempts), Concurrency: kind.Concurrency,
	}
	for _, input := range kind.Inputs {
		answer.Inputs = append(answer.Inputs, newInputJSON(input))
	}
	return answer
}

func newInputJSON(input app.Input) inputJSON {
	answer := inputJSON{
		Name: input.Name, Type: input.Type, Title: input.Label(), Help: input.Help, Required: input.Required,
		Default: input.DefaultJSON(),
		rulesJSON: rulesJSON{
			Min: boundJSON(input.Type, input.Min), Max: boundJSON(input.Type, input.Max),
			Step: json.Number(input.Step), Pattern: input.PatternText(),
		},
	}
	for _, choice := range input.Choices {
		answer.Choices = append(answer.Choices, choiceJSON{choice.Value, choice.Label()})
	}
	return answer
}

// boundJSON returns the bound of an input: a number, or a text for dates; nil without a bound.
func boundJSON(t app.InputType, bound string) any {
	switch {
	case bound == "":
		return nil
	case t == app.DateInput:
		return bound
	}
	return json.Number(bound)
}
