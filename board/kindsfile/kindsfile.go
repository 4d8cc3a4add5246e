// Package kindsfile reads the kinds file: a strict YAML file in which an operator declares commands, their
// inputs and their policies.
package kindsfile

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"runboard/app"
	"runboard/jobs"
)

// Highest values of policies.
const (
	maxAttempts = 1000
	maxTimeout  = 30 * 24 * time.Hour
)

// Kind is a kind of the file: its description and its command.
type Kind struct {
	app.Kind
	Command Command
}

// Command is what a run of a kind executes.
type Command struct {
	Path     string // of the program, absolute
	Template jobs.Template
	Dir      string // working directory, absolute; "": an empty one for each run
	Env      []jobs.EnvVar
}

// Read reads the kinds of a file, in its order. The error is a Fault, or says why the file cannot be read.
func Read(path string) ([]Kind, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, content)
}

// Parse parses the content of a kinds file. Relative paths in it are relative to the directory of path. The
// error is a Fault.
func Parse(path string, content []byte) ([]Kind, error) {
	root, kindAt, err := parseYAML(content)
	if err != nil {
		return nil, locate(err, path, kindAt)
	}
	var parsed file
	if err := decodeInto(root, &parsed); err != nil {
		return nil, locate(err, path, kindAt)
	}
	if len(parsed.Kinds) == 0 {
		return nil, locate(&Fault{Line: parsed.lineOf("kinds"), Text: "there are no kinds"}, path, kindAt)
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	var kinds []Kind
	for _, entry := range parsed.Kinds {
		b := builder{name: entry.Name, line: entry.Line, from: entry.Value, defaults: parsed.Defaults, dir: dir}
		kind, err := b.build()
		if err != nil {
			return nil, locate(err, path, kindAt)
		}
		kinds = append(kinds, kind)
	}
	return kinds, nil
}

// locate completes a Fault with the file and the kind of its line.
func locate(err error, path string, kindAt func(int) string) error {
	fault, ok := errors.AsType[*Fault](err)
	if !ok {
		return &Fault{File: path, Text: err.Error()}
	}
	fault.File = path
	if fault.Line > 0 {
		fault.Kind = kindAt(fault.Line)
	}
	return fault
}

var (
	kindName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)
	envName  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	inputRef = regexp.MustCompile(`\{\{[a-z][a-z0-9_]*\}\}|\{([a-z][a-z0-9_]*)\}`)
)

// builder checks a kind of the file and makes a Kind of it.
type builder struct {
	name     string
	line     int
	from     kind
	defaults defaults
	dir      string // of the file
}

func (b builder) build() (kind Kind, err error) {
	if !kindName.MatchString(b.name) {
		return kind, b.fault(b.line, "%q is not a name of a kind: a letter, then at most 62 of a-z, 0-9 and -", b.name)
	}
	if b.name == app.SimulatedKind {
		return kind, b.fault(b.line, "the name simulated is taken by the demonstration")
	}
	kind.Kind = app.Kind{
		Name: b.name, Title: b.from.Title, Description: b.from.Description, Group: b.from.Group, Confirm: b.from.Confirm,
	}
	inputs, err := b.inputs()
	if err != nil {
		return kind, err
	}
	if kind.Command, err = b.command(inputs); err != nil {
		return kind, err
	}
	kind.Inputs = kind.Command.Template.Inputs()
	if err := b.checkDefaults(kind.Inputs); err != nil {
		return kind, err
	}
	if kind.Policy, err = b.policy(inputs); err != nil {
		return kind, err
	}
	return kind, b.checkConfirm(inputs)
}

func (b builder) fault(line int, format string, args ...any) error {
	return &Fault{Line: line, Text: fmt.Sprintf(format, args...)}
}

// inputs returns the declared inputs.
func (b builder) inputs() (inputs []app.Input, err error) {
	if len(b.from.Inputs) > app.MaxInputs {
		return nil, b.fault(b.from.lineOf("inputs"), "there are %d inputs, more than %d", len(b.from.Inputs), app.MaxInputs)
	}
	for _, from := range b.from.Inputs {
		input, err := b.input(from)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(inputs, func(i app.Input) bool { return i.Name == input.Name }) {
			return nil, b.fault(from.lineOf("name"), "two inputs are named %s", input.Name)
		}
		inputs = append(inputs, input)
	}
	return inputs, nil
}

func (b builder) input(from input) (app.Input, error) {
	input := app.Input{
		Name: from.Name, Type: app.InputType(from.Type), Title: from.Title, Help: from.Help, Required: from.Required,
		Flag: from.Flag, Default: from.Default.list,
		Rules: app.Rules{Min: string(from.Min), Max: string(from.Max), Step: string(from.Step), Dash: from.Dash},
	}
	for _, c := range from.Choices {
		input.Choices = append(input.Choices, app.Choice{Value: c.value, Title: c.title})
	}
	for _, key := range []string{"name", "type"} {
		if _, given := from.keys[key]; !given {
			return input, b.fault(from.line, "an input needs a %s", key)
		}
	}
	if from.Pattern != "" {
		pattern, err := app.AnchoredPattern(from.Pattern)
		if err != nil {
			return input, b.fault(from.lineOf("pattern"), "input %s: %v", from.Name, err)
		}
		input.Pattern = pattern
	}
	isList := input.Type == app.ChoicesInput
	if _, given := from.keys["default"]; given && from.Default.isList != isList {
		return input, b.fault(from.lineOf("default"), "input %s: the default of the type choices is a list, and no other is",
			from.Name)
	}
	if key, err := input.Validate(); err != nil {
		return input, b.fault(from.lineOf(key), "input %s: %v", from.Name, err)
	}
	return input, nil
}

// checkDefaults checks the defaults again, now that it is known which inputs are words of the command.
func (b builder) checkDefaults(inputs []app.Input) error {
	for n, input := range inputs {
		if key, err := input.Validate(); err != nil {
			return b.fault(b.from.Inputs[n].lineOf(key), "input %s: %v", input.Name, err)
		}
	}
	return nil
}

func (b builder) command(inputs []app.Input) (c Command, err error) {
	if len(b.from.Run) == 0 {
		return c, b.fault(b.lineOf("run"), "run, the words of the command, is missing")
	}
	var words []string
	for _, word := range b.from.Run {
		if strings.Contains(word.text, "\x00") {
			return c, b.fault(word.line, "a word of run contains a zero byte")
		}
		words = append(words, word.text)
		if c.Template, err = jobs.ParseTemplate(words, inputs); err != nil {
			return c, b.fault(word.line, "%v", err)
		}
	}
	if c.Path, err = b.program(words[0]); err != nil {
		return c, b.fault(b.from.Run[0].line, "the program cannot be found: %v", err)
	}
	if c.Dir, err = b.workingDir(); err != nil {
		return c, err
	}
	c.Env, err = b.env()
	return c, err
}

// lineOf returns the line of a key of the kind, or else that of its name.
func (b builder) lineOf(key string) int {
	if line, given := b.from.keys[key]; given {
		return line
	}
	return b.line
}

// program returns the absolute path of a program. With a slash it is relative to the file.
func (b builder) program(name string) (string, error) {
	if strings.Contains(name, "/") {
		name = b.absolute(name)
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", err
	}
	return filepath.Abs(path)
}

func (b builder) absolute(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(b.dir, path)
}

func (b builder) workingDir() (string, error) {
	dir, line := b.from.Dir, b.from.lineOf("dir")
	if dir == "" {
		dir, line = b.defaults.Dir, b.defaults.lineOf("dir")
	}
	if dir == "" {
		return "", nil
	}
	dir = b.absolute(dir)
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is not a directory", dir)
	}
	if err != nil {
		return "", b.fault(line, "dir: %v", err)
	}
	return dir, nil
}

// env returns the variables of the defaults and of the kind, which override them.
func (b builder) env() ([]jobs.EnvVar, error) {
	var vars []jobs.EnvVar
	for _, entry := range slices.Concat(b.defaults.Env, b.from.Env) {
		if !envName.MatchString(entry.Name) {
			return nil, b.fault(entry.Line, "env: %q is not a name of a variable", entry.Name)
		}
		if strings.HasPrefix(entry.Name, "INPUT_") || strings.HasPrefix(entry.Name, "RUNBOARD_") {
			return nil, b.fault(entry.Line, "env: names that begin with INPUT_ or RUNBOARD_ are taken")
		}
		if strings.Contains(entry.Value.text, "\x00") {
			return nil, b.fault(entry.Line, "env: %s contains a zero byte", entry.Name)
		}
		variable := jobs.EnvVar{Name: entry.Name, Text: entry.Value.text, Env: entry.Value.reference.Env}
		if path := entry.Value.File; path != "" {
			variable.File = b.absolute(path)
		}
		vars = slices.DeleteFunc(vars, func(v jobs.EnvVar) bool { return v.Name == entry.Name })
		vars = append(vars, variable)
	}
	return vars, nil
}

// policy returns the policies of the kind; those that it does not set are the defaults.
func (b builder) policy(inputs []app.Input) (policy app.Policy, err error) {
	own, line := b.from.defaults, b.line
	if _, given := own.keys["timeout"]; !given {
		own.Timeout = b.defaults.Timeout
	}
	if _, given := own.keys["attempts"]; !given {
		own.Attempts, line = b.defaults.Attempts, b.defaults.lineOf("attempts")
	} else {
		line = own.lineOf("attempts")
	}
	_, limited := own.keys["attempts"]
	_, limitedByDefault := b.defaults.keys["attempts"]
	if (limited || limitedByDefault) && (own.Attempts < 1 || own.Attempts > maxAttempts) {
		return policy, b.fault(line, "attempts must be between 1 and %d", maxAttempts)
	}
	if _, given := own.keys["concurrency"]; !given {
		own.Concurrency = b.defaults.Concurrency
	}
	if time.Duration(own.Timeout) > maxTimeout {
		return policy, b.fault(b.lineOf("timeout"), "timeout must be at most 30 days")
	}
	policy = app.Policy{
		Timeout: time.Duration(own.Timeout), Attempts: own.Attempts, Concurrency: own.Concurrency,
		ConcurrencyKey: b.from.ConcurrencyKey,
	}
	return policy, b.checkConcurrencyKey(policy, inputs)
}

func (b builder) checkConcurrencyKey(policy app.Policy, inputs []app.Input) error {
	line := b.lineOf("concurrency_key")
	if len(policy.ConcurrencyKey) > 0 && policy.Concurrency == 0 {
		return b.fault(line, "concurrency_key needs concurrency")
	}
	for n, name := range policy.ConcurrencyKey {
		if slices.Contains(policy.ConcurrencyKey[:n], name) {
			return b.fault(line, "concurrency_key lists %s twice", name)
		}
		if err := checkReference(name, inputs); err != nil {
			return b.fault(line, "concurrency_key: %v", err)
		}
	}
	return nil
}

// checkConfirm checks the inputs that the question before a start shows.
func (b builder) checkConfirm(inputs []app.Input) error {
	for _, match := range inputRef.FindAllStringSubmatch(b.from.Confirm, -1) {
		if match[1] == "" {
			continue // {{name}}
		}
		if err := checkReference(match[1], inputs); err != nil {
			return b.fault(b.lineOf("confirm"), "confirm: %v", err)
		}
	}
	return nil
}

// checkReference fails unless name is an input that may be shown.
func checkReference(name string, inputs []app.Input) error {
	n := slices.IndexFunc(inputs, func(i app.Input) bool { return i.Name == name })
	if n < 0 {
		return fmt.Errorf("{%s} is not one of its inputs", name)
	}
	if inputs[n].Type == app.SecretInput {
		return fmt.Errorf("{%s} is a secret", name)
	}
	return nil
}
