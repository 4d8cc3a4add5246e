package limitstest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"runboard/app"
	"runboard/jobs"
)

// witness is the work of all runs. It knows what is going on, whatever the database says.
type witness struct {
	mu       sync.Mutex
	allowed  map[string]int // the highest limit of each kind since the last settle; 0: none
	going    map[group]int  // runs that are worked on
	working  map[int64]chan error
	breaches []string
}

// group are the runs that are counted together.
type group struct{ kind, key string }

func newWitness() *witness {
	return &witness{
		allowed: map[string]int{}, going: map[group]int{},
		working: map[int64]chan error{},
	}
}

// groupOf returns the group of a run.
func groupOf(run app.ProcessRun) group {
	g := group{kind: run.Kind}
	if run.Kind == keyed {
		g.key = run.ConcurrencyKey
	}
	return g
}

// work goes on until the test ends it or its context ends.
func (w *witness) work(ctx context.Context, run *jobs.Run) error {
	g, end := groupOf(run.Row()), make(chan error, 1)
	w.enter(g, run.ID, end)
	defer w.leave(g, run.ID, end)
	select {
	case err := <-end:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (w *witness) enter(g group, run int64, end chan error) {
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

func (w *witness) leave(g group, run int64, end chan error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.going[g]--
	if w.working[run] == end {
		delete(w.working, run)
	}
}

// allowOnly sets the limits that hold from now on.
func (w *witness) allowOnly(limits map[string]int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	maps.Copy(w.allowed, limits)
}

// allowAlso allows a new limit beside the present one, until all nodes know it.
func (w *witness) allowAlso(kind string, limit int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if limit == 0 || w.allowed[kind] == 0 {
		w.allowed[kind] = 0
		return
	}
	w.allowed[kind] = max(w.allowed[kind], limit)
}

// end ends the work of a run, if it goes on.
func (w *witness) end(run int64, err error) {
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
func (w *witness) workedOn() []int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Keys(w.working))
}

// firstBreach returns what has gone wrong first, or nothing.
func (w *witness) firstBreach() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.breaches) == 0 {
		return ""
	}
	return w.breaches[0]
}
