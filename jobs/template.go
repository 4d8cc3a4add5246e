package jobs

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"runboard/app"
)

// Template is a command with places for inputs. No value can become more or less than whole words of the
// command, because a place is a whole word or all of it after --flag=.
type Template struct {
	words  []templateWord
	inputs []app.Input
}

// templateWord is a word of a command: fixed text, which precedes the value of an input if there is one.
type templateWord struct {
	text  string
	input string
}

var (
	// placeholder matches {{name}}, which stands for the text {name}, and {name}, which stands for a value.
	placeholder = regexp.MustCompile(`\{\{([a-z][a-z0-9_]*)\}\}|\{([a-z][a-z0-9_]*)\}`)
	longOption  = regexp.MustCompile(`^--[A-Za-z0-9][A-Za-z0-9_.-]*=$`)
)

// ParseTemplate parses the words of a command with {name} where the value of an input belongs. It refuses
// places where a value could be more than data: the program, text that an interpreter reads, and parts of
// words.
func ParseTemplate(run []string, inputs []app.Input) (Template, error) {
	t := Template{inputs: slices.Clone(inputs)}
	var guard interpreterGuard
	for n, text := range run {
		word, err := parseWord(text)
		if err != nil {
			return t, err
		}
		guard.next(word)
		t.words = append(t.words, word)
		if word.input == "" {
			continue
		}
		if n == 0 {
			return t, fmt.Errorf("{%s} cannot be the program", word.input)
		}
		if guard.refuses != "" {
			return t, fmt.Errorf("{%s} cannot be a word here: %s", word.input, guard.refuses)
		}
		if err := t.place(word); err != nil {
			return t, err
		}
	}
	return t, nil
}

// fixedTemplate returns a template of these words, without places for inputs.
func fixedTemplate(words []string) Template {
	var t Template
	for _, text := range words {
		t.words = append(t.words, templateWord{text: text})
	}
	return t
}

// place checks the input of a word and records that the command has it as a word of its own.
func (t *Template) place(word templateWord) error {
	n := slices.IndexFunc(t.inputs, func(i app.Input) bool { return i.Name == word.input })
	if n < 0 {
		return fmt.Errorf("{%s} is not one of its inputs; {{%[1]s}} writes the text {%[1]s}", word.input)
	}
	switch t.inputs[n].Type {
	case app.SecretInput, app.LinesInput:
		return fmt.Errorf("{%s} is of the type %s, which is never a word of a command: read the variable %s",
			word.input, t.inputs[n].Type, inputVariable(word.input))
	}
	if word.text == "" {
		t.inputs[n].Word = true
	}
	return nil
}

// Inputs returns the inputs that the template was parsed with. Those that stand alone as a word have Word
// set.
func (t Template) Inputs() []app.Input { return t.inputs }

// Words returns the words of the command with these values. An input without a value gives no word.
func (t Template) Words(values app.InputValues) []string {
	var words []string
	for _, word := range t.words {
		if word.input == "" {
			words = append(words, word.text)
			continue
		}
		for _, text := range t.wordsOf(word.input, values) {
			words = append(words, word.text+text)
		}
	}
	return words
}

// wordsOf returns the words that stand for an input: a flag that is set has the text of its declaration.
func (t Template) wordsOf(name string, values app.InputValues) []string {
	texts := values.Texts(name)
	n := slices.IndexFunc(t.inputs, func(i app.Input) bool { return i.Name == name })
	if t.inputs[n].Type != app.FlagInput {
		return texts
	}
	flag := t.inputs[n].Flag
	if flag == "" || !slices.Equal(texts, []string{"true"}) {
		return nil
	}
	return []string{flag}
}

// parseWord parses a word of a template.
func parseWord(text string) (templateWord, error) {
	var word templateWord
	end := 0
	for _, at := range placeholder.FindAllStringSubmatchIndex(text, -1) {
		word.text += text[end:at[0]]
		end = at[1]
		if at[2] >= 0 { // {{name}}
			word.text += "{" + text[at[2]:at[3]] + "}"
			continue
		}
		name, before := text[at[4]:at[5]], text[:at[0]]
		alone := before == "" || longOption.MatchString(before)
		if !alone || end != len(text) {
			const rule = "{%s} must be a whole word or all that follows --flag=, not part of %q"
			return word, fmt.Errorf(rule, name, text)
		}
		word.input = name
	}
	word.text += text[end:]
	return word, nil
}

// interpreterGuard follows the words of a command and knows where a value would be read as a program.
type interpreterGuard struct {
	interpreter string // the last interpreter, or ""
	program     bool   // it has been given its script or program
	argument    bool   // the next word is the argument of an option
	refuses     string // why the current word cannot be a value; "" if it can
}

// evalOptions are the long options of interpreters that are followed by code.
var evalOptions = regexp.MustCompile(`^--(eval|command|print)(=|$)`)

// splitOption matches the option of env that splits its argument into words, which may name an interpreter.
var splitOption = regexp.MustCompile(`^(-[A-Za-z0]*S|--split-string)`)

// interpreters match the base names of programs that read a program from their words.
var interpreters = regexp.MustCompile(`^((sh|bash|dash|ash|zsh|ksh|fish|busybox|env|nice|nohup|sudo|xargs|` +
	`awk|gawk|perl|ruby|node|deno|bun|php|lua)[0-9.]*|python.*)$`)

// optionsWithArgument are the short options of programs that start other programs, and take an argument.
var optionsWithArgument = map[string]string{"nice": "n", "sudo": "ughpCrtTUDR", "env": "uC"}

// next takes the next word.
func (g *interpreterGuard) next(word templateWord) {
	if g.refuses != "" && g.program {
		return // code may follow anywhere
	}
	g.refuses = ""
	isArgument := g.argument
	g.argument = false
	base := path.Base(word.text)
	switch {
	case word.input == "" && interpreters.MatchString(base):
		*g = interpreterGuard{interpreter: base}
	case g.interpreter == "":
		return
	case g.interpreter == "env" && splitOption.MatchString(word.text):
		g.program = true
		g.refuses = "env splits text into words there"
	case evalOptions.MatchString(word.text),
		isShortOption(word.text) && strings.ContainsAny(word.text, "ceErp"):
		g.program = true
		g.refuses = fmt.Sprintf("%s may read code there", g.interpreter)
	case isArgument:
		return
	case word.input != "" && !g.program:
		g.refuses = fmt.Sprintf("%s would run it", g.interpreter)
	case strings.HasPrefix(word.text, "-"):
		options := optionsWithArgument[g.interpreter]
		g.argument = isShortOption(word.text) && strings.ContainsAny(word.text[len(word.text)-1:], options)
	case g.interpreter != "env" || !strings.Contains(word.text, "="):
		g.program = true
	}
	if strings.HasSuffix(g.interpreter, "awk") || g.interpreter == "xargs" {
		g.program = true
		g.refuses = fmt.Sprintf("%s reads code", g.interpreter)
	}
}

func isShortOption(text string) bool {
	return len(text) > 1 && text[0] == '-' && text[1] != '-'
}
