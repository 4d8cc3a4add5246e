// Package limitstest holds the tests of concurrency limits and pauses that every engine passes. They run
// nodes with work that the tests control, and compare what runs with what may run.
package limitstest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
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
	// Kill ends the node as a crash does: what runs is not saved. It returns when no work goes on.
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
	errLater  = jobs.RetryAfter(time.Second, errors.New("broken, try again later"))
)

// world is a cluster with runs whose work the test controls. Its work functions are the witness: they know
// what is going on, whatever the database says.
type world struct {
	testing.TB
	cluster  Cluster
	registry *jobs.Registry
	nodes    []Node
	limits   map[string]int       // of each kind; 0: none
	paused   map[string]time.Time // paused kinds, and since when

	mu       sync.Mutex
	allowed  map[string]int // the highest limit of each kind since the last settle
	going    map[group]int  // runs that are worked on
	working  map[int64]chan error
	breaches []string
}

// group are the runs that are counted together.
type group struct{ kind, key string }

func newWorld(t testing.TB, cluster Cluster) *world {
	t.Helper()
	w := &world{
		TB: t, cluster: cluster, limits: map[string]int{free: 0, whole: 2, keyed: 1},
		paused: map[string]time.Time{}, allowed: map[string]int{}, going: map[group]int{},
		working: map[int64]chan error{},
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

// groupOf returns the group of a run by its inputs.
func (w *world) groupOf(run app.ProcessRun) group {
	g := group{kind: run.Kind}
	if run.Kind == keyed {
		g.key = run.ConcurrencyKey
	}
	return g
}

// work is the work of all kinds. It goes on until the test ends it or its context ends.
func (w *world) work(ctx context.Context, run *jobs.Run) error {
	g, end := w.groupOf(run.Row()), make(chan error, 1)
	w.enter(g, run.ID, end)
	defer w.leave(g, run.ID, end)
	select {
	case err := <-end:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (w *world) enter(g group, run int64, end chan error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.going[g]++
	if limit := w.allowed[g.kind]; limit > 0 && w.going[g] > limit {
		w.breaches = append(w.breaches, fmt.Sprintf("%d runs of %v go on, with run %d; the limit is %d",
			w.going[g], g, run, limit))
	}
	if _, twice := w.working[run]; twice {
		w.breaches = append(w.breaches, fmt.Sprintf("run %d is worked on twice", run))
	}
	w.working[run] = end
}

func (w *world) leave(g group, run int64, end chan error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.going[g]--
	if w.working[run] == end {
		delete(w.working, run)
	}
}

// allow has the witness forget earlier limits.
func (w *world) allow() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for kind, limit := range w.limits {
		w.allowed[kind] = limit
	}
}

// setLimit changes the limit of a kind, as a new version of the kinds file does.
func (w *world) setLimit(kind string, limit int) {
	w.mu.Lock()
	w.limits[kind] = limit
	if limit == 0 || w.allowed[kind] == 0 {
		w.allowed[kind] = 0
	} else {
		w.allowed[kind] = max(w.allowed[kind], limit)
	}
	w.mu.Unlock()
	if err := w.registry.Replace(w.kinds()...); err != nil {
		w.Fatal(err)
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

// end ends the work of a run, if it goes on.
func (w *world) end(run int64, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if end := w.working[run]; end != nil {
		select {
		case end <- err:
		default: // it has been told before
		}
	}
}

// workedOn returns the runs that are worked on, in order.
func (w *world) workedOn() (runs []int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for run := range w.working {
		runs = append(runs, run)
	}
	slices.Sort(runs)
	return runs
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
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.breaches) > 0 {
		w.Fatal(w.breaches[0])
	}
}
