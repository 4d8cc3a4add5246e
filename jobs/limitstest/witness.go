package limitstest

import (
	"context"
	"errors"
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
	working  map[int64]*work
	breaches []string
}

// work is the work of an attempt that goes on.
type work struct {
	ctx   context.Context
	group group
	end   chan error
}

// isDead reports whether the process that does the work was killed. A process takes its work along when it
// dies, but here the goroutine may need a moment to return, and other nodes may start the run before.
func (w *work) isDead() bool { return errors.Is(context.Cause(w.ctx), jobs.ErrShutdown) }

// group are the runs that are counted together.
type group struct{ kind, key string }

func newWitness() *witness {
	return &witness{allowed: map[string]int{}, working: map[int64]*work{}}
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
	entered := &work{ctx: ctx, group: groupOf(run.Row()), end: make(chan error, 1)}
	w.enter(run.ID, entered)
	defer w.leave(run.ID, entered)
	select {
	case err := <-entered.end:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (w *witness) enter(run int64, entered *work) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if other := w.working[run]; other != nil && !other.isDead() {
		w.breaches = append(w.breaches, fmt.Sprintf("run %d is worked on twice", run))
	}
	w.working[run] = entered
	going := 0
	for _, other := range w.working {
		if other.group == entered.group && !other.isDead() {
			going++
		}
	}
	if limit := w.allowed[entered.group.kind]; limit > 0 && going > limit {
		w.breaches = append(w.breaches, fmt.Sprintf("%d runs of %v go on, with run %d; the limit is %d",
			going, entered.group, run, limit))
	}
}

func (w *witness) leave(run int64, left *work) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.working[run] == left {
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
	if work := w.working[run]; work != nil {
		select {
		case work.end <- err:
		default: // it has been told before
		}
	}
}

// workedOn returns the runs that are worked on, in order.
func (w *witness) workedOn() []int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	var runs []int64
	for run, work := range w.working {
		if !work.isDead() {
			runs = append(runs, run)
		}
	}
	slices.Sort(runs)
	return runs
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
