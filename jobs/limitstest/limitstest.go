// Package limitstest holds the tests of concurrency limits and pauses that every engine passes. They run
// nodes with work that the tests control, and compare what runs with what may run.
package limitstest

import (
	"context"
	"errors"
	"testing"
	"time"

	"runboard/app"
	"runboard/jobs"
)

// patience is how long a test waits for an event that must happen.
const patience = 90 * time.Second

// Cluster is an engine under test.
type Cluster interface {
	// Start starts a node for the kinds of the registry. All nodes share a database.
	Start(t testing.TB, registry *jobs.Registry) Node
	// Nodes is how many nodes may run at a time.
	Nodes() int
}

// Node is a process with an engine.
type Node interface {
	// Store returns the store of the node.
	Store() app.Store
	// Kill ends the node as a crash does: what runs is not saved. The context of its work ends with
	// jobs.ErrShutdown before another node can learn of it.
	Kill()
}

// The kinds of these tests.
const (
	free  = "free"   // without a limit
	whole = "whole"  // with a limit for all its runs
	keyed = "by-key" // with a limit for each database
)

var databases = []string{"shop", "crm", "wiki"}

// Errors of attempts.
var (
	errBroken = jobs.Permanent(errors.New("broken"))
	errSoon   = jobs.RetryAfter(time.Millisecond, errors.New("broken, try again"))
	errLater  = jobs.RetryAfter(5*time.Second, errors.New("broken, try again later"))
)

// world is a cluster with runs whose work the test controls.
type world struct {
	testing.TB
	*witness
	cluster  Cluster
	registry *jobs.Registry
	nodes    []Node
	limits   map[string]int       // of each kind; 0: none
	paused   map[string]time.Time // paused kinds, and since when
}

func newWorld(t testing.TB, cluster Cluster) *world {
	t.Helper()
	w := &world{
		TB: t, witness: newWitness(), cluster: cluster,
		limits: map[string]int{free: 0, whole: 2, keyed: 1}, paused: map[string]time.Time{},
	}
	registry, err := jobs.NewRegistry(w.kinds()...)
	if err != nil {
		t.Fatal(err)
	}
	w.registry = registry
	w.allow()
	for range cluster.Nodes() {
		w.nodes = append(w.nodes, cluster.Start(t, registry))
	}
	return w
}

// kinds returns the kinds with the limits of now.
func (w *world) kinds() (kinds []jobs.Kind) {
	for _, name := range []string{free, whole, keyed} {
		kind := jobs.Kind{Name: name, Work: w.work}
		kind.Info.Concurrency = w.limits[name]
		if name == keyed {
			if kind.Info.Concurrency > 0 {
				kind.Info.ConcurrencyKey = []string{"database"}
			}
			kind.Info.Inputs = []app.Input{{Name: "database", Type: app.TextInput}}
		}
		kinds = append(kinds, kind)
	}
	return kinds
}

// store returns the store of one of the nodes.
func (w *world) store() app.Store { return w.nodes[0].Store() }

// allow has the witness forget earlier limits.
func (w *world) allow() { w.allowOnly(w.limits) }

// setLimit changes the limit of a kind, as a new version of the kinds file does. When it returns, no node
// of a cluster starts a run by the earlier limit.
func (w *world) setLimit(kind string, limit int) {
	w.limits[kind] = limit
	w.allowAlso(kind, limit)
	if err := w.registry.Replace(w.kinds()...); err != nil {
		w.Fatal(err)
	}
	for _, node := range w.nodes {
		if store, shared := node.Store().(app.ClusterStore); shared {
			store.ApplyDefinitions()
		}
	}
}

// create creates runs of a kind, with a database if the kind counts by it.
func (w *world) create(kind, database string, count int) (first int64) {
	w.Helper()
	request := app.CreateRequest{Kind: kind, Count: count}
	if kind == keyed {
		request.Inputs = app.InputValues{{Name: "database", Type: app.TextInput, Texts: []string{database}}}
	}
	batch, err := w.store().Create(context.Background(), request)
	if err != nil {
		w.Fatal(err)
	}
	return batch.First
}

// all returns all runs, newest first.
func (w *world) all() []app.ProcessRun {
	w.Helper()
	runs, _, err := w.store().Runs(context.Background(), app.Filter{}, 1<<62, 10_000)
	if err != nil {
		w.Fatal(err)
	}
	return runs
}

func (w *world) pause(kind string, paused bool) {
	w.Helper()
	if err := w.store().PauseKind(context.Background(), kind, paused); err != nil {
		w.Fatal(err)
	}
	_, before := w.paused[kind]
	switch {
	case !paused:
		delete(w.paused, kind)
	case !before:
		w.paused[kind] = time.Now()
	}
}

// waitUntil waits until there reports an empty text, which else says what is missing.
func (w *world) waitUntil(there func() (missing string)) {
	w.Helper()
	deadline := time.Now().Add(patience)
	for {
		missing := there()
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			w.Fatalf("waited too long: %s", missing)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// check fails the test if the witness has seen a breach.
func (w *world) check() {
	w.Helper()
	if breach := w.firstBreach(); breach != "" {
		w.Fatal(breach)
	}
}
