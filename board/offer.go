package board

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"runboard/app"
	"runboard/board/kindsfile"
	"runboard/jobs"
	"runboard/jobs/command"
)

// offer is what a board offers: its kinds, and the key of their secrets. Only the kinds of the kinds file,
// and whether there is a key, can change while the board runs.
type offer struct {
	config   Config
	own      []Kind        // of the program
	user     *command.User // that the commands of the file run as
	commands []Kind        // of --command and --commands
	kinds    []Kind        // of the start
	registry *jobs.Registry
	secrets  atomic.Pointer[app.SecretBox] // nil until a kind has a secret input

	mu       sync.Mutex         // held while the file is read again; guards warnings
	warnings []*kindsfile.Fault // of the last time that the file was read
}

// newOffer reads the kinds of the configuration, which come after own: those of the kinds file, then those of
// --command and --commands, then the simulated kind if it is offered.
func newOffer(config Config, own []Kind) (*offer, error) {
	commands, err := jobs.CommandKinds(config.Command, config.Commands, config.CommandDir, config.CommandUser)
	if err != nil {
		return nil, err
	}
	user, err := jobs.CommandUser(config.CommandUser)
	if err != nil {
		return nil, fmt.Errorf("--command-user: %w", err)
	}
	o := &offer{config: config, own: own, user: user, commands: commands}
	if o.kinds, err = o.read(); err != nil {
		return nil, err
	}
	o.registry, err = jobs.NewRegistry(o.kinds...)
	return o, err
}

// read returns the kinds to offer, with those that the kinds file has now. It reads the key of secrets if
// one of them needs it.
func (o *offer) read() ([]Kind, error) {
	fromFile, warnings, err := o.readFile()
	if err != nil {
		return nil, err
	}
	kinds := slices.Concat(o.own, fromFile, o.commands)
	if len(fromFile)+len(o.commands) > 0 {
		if err := command.Prepared(); err != nil {
			return nil, err
		}
	}
	if len(kinds) == 0 || o.config.Demo {
		kinds = append(kinds, jobs.Simulated(o.config.DelayMin, o.config.DelayMax, o.config.FailureRate))
	}
	if err := checkNames(fromFile, o.commands); err != nil {
		return nil, err
	}
	o.warnings = warnings
	return kinds, o.readSecrets(kinds)
}

// hasCommands reports whether the configuration names commands.
func (o *offer) hasCommands() bool { return o.config.Kinds != "" || len(o.commands) > 0 }

// readFile returns the kinds of the kinds file.
func (o *offer) readFile() (kinds []Kind, warnings []*kindsfile.Fault, err error) {
	if o.config.Kinds == "" {
		return nil, nil, nil
	}
	file, err := kindsfile.Read(o.config.Kinds)
	if _, isFault := err.(*kindsfile.Fault); isFault {
		return nil, nil, err // it names the file
	}
	if err != nil {
		return nil, nil, fmt.Errorf("--kinds: %w", err)
	}
	for _, kind := range file.Kinds {
		c := kind.Command
		command := jobs.Command{
			Name: kind.Name, Path: c.Path, Template: c.Template, Env: c.Env, Dir: c.Dir, User: o.user,
		}
		kinds = append(kinds, command.Kind(kind.Kind))
	}
	return kinds, file.Warnings, nil
}

// checkNames checks the names that the operator has given. The registry checks them, too, but does not know
// where they come from.
func checkNames(fromFile, commands []Kind) error {
	for _, kind := range commands {
		if kind.Name == app.SimulatedKind {
			return fmt.Errorf("--command: the name %s is taken by the demonstration", kind.Name)
		}
		if slices.ContainsFunc(fromFile, func(k Kind) bool { return k.Name == kind.Name }) {
			return fmt.Errorf("--command: two kinds are named %s, one of them in the kinds file", kind.Name)
		}
	}
	return nil
}

// logWarnings logs what is missing for runs of the kinds file. A web node runs none.
func (o *offer) logWarnings(config Config) {
	if config.Role == roleWeb {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, warning := range o.warnings {
		config.Logger.Warn("runs of a kind may fail", "reason", warning)
	}
}

// changes says how kinds differ from earlier ones.
type changes struct{ added, removed, changed []string }

// compare returns how the kinds differ from those before.
func compare(before, now []app.Kind) (c changes) {
	earlier := map[string]string{}
	for _, kind := range before {
		earlier[kind.Name] = app.DefinitionOf(kind)
	}
	for _, kind := range now {
		definition, existed := earlier[kind.Name]
		switch {
		case !existed:
			c.added = append(c.added, kind.Name)
		case definition != app.DefinitionOf(kind):
			c.changed = append(c.changed, kind.Name)
		}
		delete(earlier, kind.Name)
	}
	for _, kind := range before {
		if _, left := earlier[kind.Name]; left {
			c.removed = append(c.removed, kind.Name)
		}
	}
	return c
}
