package kindsfile

import (
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"runboard/app"
	"runboard/jobs"
)

// Highest values of policies.
const (
	maxAttempts = 1000
	maxTimeout  = 30 * 24 * time.Hour
)

var (
	kindName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)
	envName  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	inputRef = regexp.MustCompile(`\{\{[a-z][a-z0-9_]*\}\}|\{([a-z][a-z0-9_]*)\}`)
)

// build checks the content of a file and makes kinds of it. dir is the directory of the file.
func build(from syntax, dir string) (file File, err error) {
	if len(from.Kinds) == 0 {
		return file, from.at("kinds").fault("there are no kinds")
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return file, err
	}
	if err := from.Defaults.checkPolicy(); err != nil {
		return file, err
	}
	shared := shared{defaults: from.Defaults, fileDir: dir, paths: map[string]string{}}
	shared.dir = shared.workingDir(from.Defaults)
	if shared.env, err = shared.addEnv(nil, from.Defaults.Env); err != nil {
		return file, err
	}
	for _, entry := range from.Kinds {
		b := builder{shared: &shared, place: entry.place, from: entry.value}
		kind, err := b.build(entry.name)
		if err != nil {
			return file, err
		}
		file.Kinds = append(file.Kinds, kind)
	}
	file.Warnings = shared.warnings
	return file, nil
}

// shared is what the kinds of a file have in common.
type shared struct {
	fileDir  string // directory of the file
	defaults defaults
	dir      string            // of the defaults
	env      []jobs.EnvVar     // of the defaults
	paths    map[string]string // of the programs that were found, by name
	warnings []*Fault
}

func (s *shared) warn(at place, format string, args ...any) {
	s.warnings = append(s.warnings, at.fault(format, args...).(*Fault))
}

// absolute returns a path of the file, which is relative to the file.
func (s *shared) absolute(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(s.fileDir, path)
}

// builder checks a kind of the file and makes a Kind of it.
type builder struct {
	*shared
	place // of the name
	from  kind
}

func (b *builder) build(name string) (kind Kind, err error) {
	switch {
	case !kindName.MatchString(name):
		return kind, b.fault("%s is not a name of a kind: a letter, then at most 62 of a-z, 0-9 and -", quote(name))
	case name == app.SimulatedKind:
		return kind, b.fault("the name simulated is taken by the demonstration")
	}
	kind.Kind = app.Kind{
		Name: name, Title: b.from.Title, Description: b.from.Description, Group: b.from.Group, Confirm: b.from.Confirm,
	}
	declared, err := b.inputs()
	if err != nil {
		return kind, err
	}
	if kind.Command, err = b.command(declared); err != nil {
		return kind, err
	}
	kind.Inputs = kind.Command.Template.Inputs()
	if err := b.checkDefaults(kind.Inputs); err != nil {
		return kind, err
	}
	if kind.Policy, err = b.policy(kind.Inputs); err != nil {
		return kind, err
	}
	c := kind.Command
	kind.Definition = app.DefinitionOf(kind.Inputs, kind.Confirm, b.words(), c.Path, c.Dir, c.Env)
	return kind, b.checkConfirm(kind.Inputs)
}

// key returns the place of a key of the kind, or else that of its name.
func (b *builder) key(name string) place {
	if b.from.has(name) {
		return b.from.at(name)
	}
	return b.place
}

// checkPolicy checks the policies, of a kind or of all.
func (d defaults) checkPolicy() error {
	if d.has("attempts") && (d.Attempts < 1 || d.Attempts > maxAttempts) {
		return d.at("attempts").fault("attempts must be between 1 and %d", maxAttempts)
	}
	if time.Duration(d.Timeout) > maxTimeout {
		return d.at("timeout").fault("timeout must be at most 30 days")
	}
	return nil
}

// policy returns the policies of the kind; those that it does not set are the defaults.
func (b *builder) policy(inputs []app.Input) (policy app.Policy, err error) {
	own := b.from.defaults
	if err := own.checkPolicy(); err != nil {
		return policy, err
	}
	if !own.has("timeout") {
		own.Timeout = b.defaults.Timeout
	}
	if !own.has("attempts") {
		own.Attempts = b.defaults.Attempts
	}
	if !own.has("concurrency") {
		own.Concurrency = b.defaults.Concurrency
	}
	policy = app.Policy{
		Timeout: time.Duration(own.Timeout), Attempts: own.Attempts, Concurrency: own.Concurrency,
		ConcurrencyKey: b.from.ConcurrencyKey,
	}
	return policy, b.checkConcurrencyKey(policy, inputs)
}

func (b *builder) checkConcurrencyKey(policy app.Policy, inputs []app.Input) error {
	at := b.key("concurrency_key")
	if len(policy.ConcurrencyKey) > 0 && policy.Concurrency == 0 {
		return at.fault("concurrency_key needs concurrency")
	}
	for n, name := range policy.ConcurrencyKey {
		if slices.Contains(policy.ConcurrencyKey[:n], name) {
			return at.fault("concurrency_key lists %s twice", quote(name))
		}
		if err := at.checkInput("concurrency_key", name, inputs); err != nil {
			return err
		}
	}
	return nil
}

// checkConfirm checks the inputs that the question before a start shows.
func (b *builder) checkConfirm(inputs []app.Input) error {
	for _, match := range inputRef.FindAllStringSubmatch(b.from.Confirm, -1) {
		if match[1] == "" {
			continue // {{name}}
		}
		if err := b.key("confirm").checkInput("confirm", match[1], inputs); err != nil {
			return err
		}
	}
	return nil
}

// checkInput fails unless name, which a key of the kind names, is an input that may be shown.
func (p place) checkInput(key, name string, inputs []app.Input) error {
	n := slices.IndexFunc(inputs, func(i app.Input) bool { return i.Name == name })
	switch {
	case n < 0:
		return p.fault("%s: {%s} is not one of its inputs", key, shorten(name))
	case inputs[n].Type == app.SecretInput:
		return p.fault("%s: {%s} is a secret", key, name)
	}
	return nil
}
