package jobs

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"runboard/app"
)

// Registry holds the kinds that are offered now. Its methods may be called from any goroutine.
type Registry struct {
	current atomic.Pointer[kindSet]
	changes app.Notifier
}

var _ app.KindSource = (*Registry)(nil)

// kindSet is an immutable set of kinds.
type kindSet struct {
	kinds map[string]Kind
	names []string
	infos []app.Kind
}

// NewRegistry returns a registry of these kinds. It fails if there is no kind, if a kind has an error, no
// work, no name, or a name that cannot be used or is reserved (app.BulkKinds), if two kinds have the same
// name, and if the declaration of a kind is not valid.
func NewRegistry(kinds ...Kind) (*Registry, error) {
	r := &Registry{}
	return r, r.Replace(kinds...)
}

// Replace replaces all kinds. Attempts that are under way go on with the kind that they began with. After an
// error, which is one of NewRegistry, the kinds are as before.
func (r *Registry) Replace(kinds ...Kind) error {
	set := &kindSet{kinds: make(map[string]Kind, len(kinds))}
	if len(kinds) == 0 {
		return errors.New("a registry needs at least one kind")
	}
	for _, kind := range kinds {
		if err := set.add(kind); err != nil {
			return err
		}
	}
	r.current.Store(set)
	r.changes.Notify()
	return nil
}

// Changed notifies after the kinds were replaced.
func (r *Registry) Changed() *app.Notifier { return &r.changes }

func (s *kindSet) add(kind Kind) error {
	if kind.Err != nil {
		return kind.Err
	}
	if kind.Name == "" || kind.Work == nil {
		return fmt.Errorf("the kind %q needs a name and a work function", kind.Name)
	}
	if _, err := app.ParseKind(kind.Name); err != nil || kind.Name == "." || kind.Name == ".." {
		// It is a part of addresses, a filter, and a column of the database.
		return fmt.Errorf("a kind cannot be named %.40q: a name is text of at most %d bytes, and no path",
			kind.Name, app.MaxKind)
	}
	if slices.Contains(app.BulkKinds(), kind.Name) {
		return fmt.Errorf("the name %q is reserved for bulk actions", kind.Name)
	}
	if _, known := s.kinds[kind.Name]; known {
		return fmt.Errorf("two kinds are named %s", kind.Name)
	}
	for _, input := range kind.Info.Inputs {
		if _, err := input.Validate(); err != nil {
			return fmt.Errorf("the input %s of %s: %w", input.Name, kind.Name, err)
		}
	}
	if _, err := kind.Info.Validate(); err != nil {
		return fmt.Errorf("the kind %s: %w", kind.Name, err)
	}
	kind.Info.Name = kind.Name
	kind.Info.Definition = cmp.Or(kind.Info.Definition, app.DefinitionOf(kind.Info.Inputs, kind.Info.Confirm))
	s.kinds[kind.Name] = kind
	s.names = append(s.names, kind.Name)
	s.infos = append(s.infos, kind.Info)
	return nil
}

// Names returns the names of the kinds, in their order.
func (r *Registry) Names() []string { return slices.Clone(r.current.Load().names) }

// Kinds implements app.KindSource.
func (r *Registry) Kinds() []app.Kind { return r.current.Load().infos }

// Kind implements app.KindSource.
func (r *Registry) Kind(name string) (app.Kind, bool) {
	kind, known := r.find(name)
	return kind.Info, known
}

// Describe returns what a run of a kind would execute with these values, and false if that is no command.
func (r *Registry) Describe(name string, values app.InputValues) (app.CommandPreview, bool) {
	kind, known := r.find(name)
	if !known || kind.Command == nil {
		return app.CommandPreview{}, false
	}
	return kind.Command.Describe(values), true
}

// find returns the kind with this name, and false if none is offered.
func (r *Registry) find(name string) (Kind, bool) {
	kind, known := r.current.Load().kinds[name]
	return kind, known
}
