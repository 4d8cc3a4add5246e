package kindsfile

import (
	"path/filepath"
	"regexp"
	"time"

	"runboard/app"
	"runboard/jobs"
)

var (
	kindName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)
	envName  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
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
	shared := shared{fileDir: dir, paths: map[string]string{}}
	if shared.policies, err = from.Defaults.policy(); err != nil {
		return file, err
	}
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
	fileDir  string     // directory of the file
	policies app.Policy // of the defaults, as are dir and env
	dir      string
	env      []jobs.EnvVar
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
		const text = "%s is not a name of a kind: a letter, then at most 62 of a-z, 0-9 and -"
		return kind, b.fault(text, quote(name))
	case name == app.SimulatedKind:
		return kind, b.fault("the name simulated is taken by the demonstration")
	}
	kind.Kind = app.Kind{
		Name: name, Title: b.from.Title, Description: b.from.Description, Group: b.from.Group,
		Confirm: b.from.Confirm,
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
	if kind.Policy, err = b.policy(); err != nil {
		return kind, err
	}
	c := kind.Command
	kind.Definition = app.DefinitionOf(kind.Inputs, kind.Confirm, b.words(), c.Path, c.Dir, c.Env)
	if key, err := kind.Validate(); err != nil {
		return kind, b.key(key).fault("%v", err)
	}
	return kind, nil
}

// key returns the place of a key of the kind, or else that of its name.
func (b *builder) key(name string) place {
	if b.from.has(name) {
		return b.from.at(name)
	}
	return b.place
}

// policy returns the policies that the mapping has, of a kind or of all.
func (d defaults) policy() (app.Policy, error) {
	policy := app.Policy{Timeout: time.Duration(d.Timeout), Attempts: d.Attempts, Concurrency: d.Concurrency}
	if d.has("attempts") && d.Attempts == 0 {
		policy.Attempts = -1 // 0 means that it has none
	}
	if key, err := policy.Validate(); err != nil {
		return policy, d.at(key).fault("%v", err)
	}
	return policy, nil
}

// policy returns the policies of the kind; those that it does not set are the defaults.
func (b *builder) policy() (app.Policy, error) {
	policy, err := b.from.policy()
	policy = policy.WithDefaults(b.policies.Timeout, b.policies.Attempts)
	if !b.from.has("concurrency") {
		policy.Concurrency = b.policies.Concurrency
	}
	policy.ConcurrencyKey = b.from.ConcurrencyKey
	return policy, err
}
