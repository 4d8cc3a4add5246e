package river

import (
	"context"
	"slices"
	"sync/atomic"

	"runboard/app"
	"runboard/jobs"
)

// runKinds are the kinds of runs that a node works on now.
type runKinds struct {
	store    app.ClusterStore
	registry *jobs.Registry
	current  atomic.Pointer[[]runKind]
}

// runKind is a kind of run with the kind of its jobs.
type runKind struct{ name, job string }

func newRunKinds(store app.ClusterStore, registry *jobs.Registry) *runKinds {
	k := &runKinds{store: store, registry: registry}
	k.read()
	return k
}

// read reads the kinds of the registry.
func (k *runKinds) read() {
	names := k.registry.Names()
	kinds := make([]runKind, len(names))
	for i, name := range names {
		kinds[i] = runKind{name: name, job: app.Job{RunKind: name}.Kind()}
	}
	k.current.Store(&kinds)
}

// fetched returns the kinds of jobs to fetch: all but those of paused kinds. It is never nil, which would
// mean all kinds to River.
func (k *runKinds) fetched() []string {
	fetched := []string{}
	for _, kind := range k.unpaused() {
		fetched = append(fetched, kind.job)
	}
	return fetched
}

// names returns the kinds of runs that are not paused.
func (k *runKinds) names() (names []string) {
	for _, kind := range k.unpaused() {
		names = append(names, kind.name)
	}
	return names
}

// unpaused returns the kinds that are not paused.
func (k *runKinds) unpaused() (kinds []runKind) {
	paused := k.store.PausedKinds()
	for _, kind := range *k.current.Load() {
		if !slices.Contains(paused, kind.name) {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// followRegistry applies changes of the kinds until ctx ends.
func (n *node) followRegistry(ctx context.Context) {
	replaced, unsubscribe := n.Runs.Registry.Changed().Subscribe()
	defer unsubscribe()
	for {
		n.kinds.read() // also when it begins: the kinds may have been replaced before it subscribed
		n.Store.ApplyDefinitions()
		select {
		case <-ctx.Done():
			return
		case <-replaced:
		}
		n.announceNow()
	}
}
