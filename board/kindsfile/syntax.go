package kindsfile

import (
	"time"

	"runboard/app"
)

// The types of the file. Their tags are the keys and what the JSON Schema says about them.

type syntax struct {
	position
	Defaults defaults    `key:"defaults" doc:"policies of all kinds that do not set their own"`
	Kinds    named[kind] `key:"kinds" required:"true" limits:"minProperties=1" names:"^[a-z][a-z0-9-]{0,62}$" doc:"kinds by name, in the order of the page"`
}

type defaults struct {
	position
	Timeout     duration      `key:"timeout" doc:"limit of an attempt, such as 30m"`
	Attempts    int           `key:"attempts" limits:"minimum=1,maximum=1000" doc:"how often a run is attempted at most"`
	Concurrency int           `key:"concurrency" limits:"maximum=1000000" doc:"how many runs of a kind are started at once at most; 0: any number"`
	Dir         string        `key:"dir" doc:"working directory; default: an empty directory for each run"`
	Env         named[envVar] `key:"env" names:"^[A-Za-z_][A-Za-z0-9_]*$" doc:"variables of the command"`
}

type kind struct {
	defaults
	Title          string   `key:"title" doc:"what people read; default: the name"`
	Description    string   `key:"description" doc:"what it does, for people who start it"`
	Group          string   `key:"group" doc:"heading on the page"`
	Run            []word   `key:"run" required:"true" limits:"minItems=1" doc:"words of the command; {name} is the value of an input"`
	ConcurrencyKey []string `key:"concurrency_key" doc:"inputs whose values are counted separately for concurrency"`
	Confirm        string   `key:"confirm" doc:"question before a start; {name} is the value of an input"`
	Inputs         []input  `key:"inputs" limits:"maxItems=32" doc:"what a request may say"`
}

type input struct {
	position
	Name     string    `key:"name" required:"true" pattern:"^[a-z][a-z0-9_]{0,31}$" doc:"a letter, then letters, digits and _"`
	Type     inputType `key:"type" required:"true" doc:"type of the value"`
	Title    string    `key:"title" doc:"what people read; default: the name"`
	Help     string    `key:"help" doc:"a sentence below the field"`
	Required bool      `key:"required" doc:"whether a value must be given"`
	Default  texts     `key:"default" doc:"value if none is given"`
	Min      scalar    `key:"min" doc:"least number, first date, or fewest characters"`
	Max      scalar    `key:"max" doc:"greatest number, last date, or most characters"`
	Step     scalar    `key:"step" doc:"numbers are a multiple of it, counted from min or 0"`
	Pattern  string    `key:"pattern" doc:"regular expression (RE2) that the whole text matches"`
	Dash     bool      `key:"dash" doc:"whether a text that is a word of the command may begin with -"`
	Flag     string    `key:"flag" doc:"word of the command that stands for true"`
	Choices  []choice  `key:"choices" limits:"minItems=1" doc:"values to choose from"`
}

// scalar is a text or a number, as it was written.
type scalar string

// inputType is the type of an input.
type inputType string

// duration is a duration with a unit, above 0.
type duration time.Duration

func (d *duration) decode(from node) error {
	if !from.scalar {
		return wrongType(from, "a duration such as 30m")
	}
	parsed, err := app.ParseDuration(from.text)
	if err != nil || parsed <= 0 || from.text[len(from.text)-1] <= '9' {
		return wrongType(from, "a duration above 0 such as 90s, 30m or 2h")
	}
	*d = duration(parsed)
	return nil
}

// word is a word of a command with the place where it stands.
type word struct {
	place
	text string
}

func (w *word) decode(from node) error {
	if !from.scalar {
		return wrongType(from, "a list of words")
	}
	w.place, w.text = from.place, from.text
	return nil
}

// texts is a value, or a list of values.
type texts struct {
	list   []string
	isList bool
}

func (t *texts) decode(from node) error {
	t.isList = from.isList
	if from.scalar {
		t.list = []string{from.text}
		return nil
	}
	if !from.isList {
		return wrongType(from, "a value or a list of values")
	}
	for _, element := range from.list {
		if !element.scalar {
			return wrongType(element, "a value or a list of values")
		}
		t.list = append(t.list, element.text)
	}
	return nil
}

// choice is a value, or a value with a title.
type choice struct {
	value, title string
}

func (c *choice) decode(from node) error {
	if from.scalar {
		c.value = from.text
		return nil
	}
	var full titledChoice
	if err := decodeInto(from, &full); err != nil {
		return err
	}
	if full.Value == "" {
		return from.fault("a choice needs a value")
	}
	c.value, c.title = full.Value, full.Title
	return nil
}

type titledChoice struct {
	Value string `key:"value" required:"true" limits:"minLength=1" doc:"the value"`
	Title string `key:"title" doc:"what people read"`
}

// envVar is a text, or a reference to a file or a variable of the server.
type envVar struct {
	text string
	reference
}

type reference struct {
	File string `key:"file" doc:"file that contains the value"`
	Env  string `key:"env" doc:"variable of the server that has the value"`
}

func (v *envVar) decode(from node) error {
	if from.scalar {
		v.text = from.text
		return nil
	}
	if err := decodeInto(from, &v.reference); err != nil {
		return err
	}
	if (v.File == "") == (v.Env == "") {
		return from.fault("a reference is either {file: PATH} or {env: NAME}")
	}
	return nil
}
