// Package jobs executes runs. A queue fetches due runs from its store, oldest first, hands them to
// workers over a channel, and saves the result of each attempt.
//
// The rows are the queue; the channel holds only runs that idle workers can start at once. So a million
// queued runs cost no memory, and a crash loses only the work in progress.
package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"runboard/app"
)

// Work does the work of a run. It returns nil when the run has completed, or an error whose text users
// read on the page; see also Permanent and RetryAfter. It is called again after an error while attempts
// are left, and after a crash or a shutdown, so it must be safe to repeat. It should return soon after
// ctx ends: because the run was cancelled (context.Cause is ErrCancelled), took too long (ErrTimeout), or
// because the server stops (ErrShutdown).
type Work func(ctx context.Context, run *Run) error

// Kind is a named kind of run and the work that it does.
type Kind struct {
	Name string
	Work Work
}

// Registry holds kinds by name. It is immutable.
type Registry struct {
	kinds map[string]Kind
	names []string
}

// NewRegistry returns a registry of these kinds; the first is the default. It fails if there is no kind,
// if a kind has no work, no name or a reserved name (app.BulkKinds), and if two kinds have the same name.
func NewRegistry(kinds ...Kind) (*Registry, error) {
	r := &Registry{kinds: make(map[string]Kind)}
	if len(kinds) == 0 {
		return nil, errors.New("a registry needs at least one kind")
	}
	for _, kind := range kinds {
		if kind.Name == "" || kind.Work == nil {
			return nil, fmt.Errorf("the kind %q needs a name and a work function", kind.Name)
		}
		if slices.Contains(app.BulkKinds(), kind.Name) {
			return nil, fmt.Errorf("the name %q is reserved for bulk actions", kind.Name)
		}
		if _, known := r.kinds[kind.Name]; known {
			return nil, fmt.Errorf("two kinds are named %s", kind.Name)
		}
		r.kinds[kind.Name] = kind
		r.names = append(r.names, kind.Name)
	}
	return r, nil
}

// Names returns the names of the kinds, the default first.
func (r *Registry) Names() []string { return slices.Clone(r.names) }
