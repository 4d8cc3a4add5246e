package limitstest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"runboard/app"
)

// mostWaiting is how many runs that have not finished the random events create: fewer than there are workers.
const mostWaiting = 25

// randomEvent lets something happen.
func (w *world) randomEvent(r *rand.Rand) {
	w.Helper()
	kinds := []string{free, whole, keyed}
	kind := kinds[r.IntN(len(kinds))]
	switch r.IntN(12) {
	case 0, 1, 2:
		w.createSome(kind, r)
	case 3, 4, 5, 6:
		w.endSome(r)
	case 7:
		w.commandSome(r, w.store().Cancel, app.Created, app.Started)
	case 8:
		w.commandSome(r, w.store().Retry, app.Failed, app.Cancelled)
	case 9:
		w.pause(kind, r.IntN(2) == 0)
	case 10:
		if kind != free {
			w.setLimit(kind, r.IntN(4)) // 0: none
		}
	case 11:
		if r.IntN(3) == 0 {
			i := r.IntN(len(w.nodes))
			w.nodes[i].Kill()
			w.nodes[i] = w.cluster.Start(w, w.registry)
		}
	}
	w.check()
}

func (w *world) createSome(kind string, r *rand.Rand) {
	unfinished := 0
	for _, run := range w.all() {
		if !run.Status.Final() {
			unfinished++
		}
	}
	if unfinished < mostWaiting {
		w.create(kind, databases[r.IntN(len(databases))], 1+r.IntN(4))
	}
}

// endSome ends some of the runs that are worked on.
func (w *world) endSome(r *rand.Rand) {
	outcomes := []error{nil, nil, errBroken, errSoon}
	for _, run := range w.workedOn() {
		if r.IntN(2) == 0 {
			w.end(run, outcomes[r.IntN(len(outcomes))])
		}
	}
}

// commandSome applies a command to a random run in one of the statuses. The run may leave it before.
func (w *world) commandSome(
	r *rand.Rand, command func(context.Context, int64) (app.ProcessRun, error), from ...app.Status,
) {
	runs := slices.DeleteFunc(w.all(), func(run app.ProcessRun) bool {
		return !slices.Contains(from, run.Status)
	})
	if len(runs) == 0 {
		return
	}
	_, err := command(context.Background(), runs[r.IntN(len(runs))].ID)
	if err != nil && app.CodeOf(err) != app.CodeConflict {
		w.Fatal(err)
	}
}

// settle waits until everything that may run is worked on. From then on, only the limits of now are allowed.
func (w *world) settle() {
	w.Helper()
	w.waitUntil(w.missing)
	w.check()
	w.allow()
}

// clockError is how far the clock of a store may be from that of the test: a store in a cluster estimates the
// clock of the database server.
const clockError = time.Second

// missing says what keeps the runs from being settled, or nothing if they are.
func (w *world) missing() string {
	started, waiting := map[group]int{}, map[group]int{}
	var going []int64
	for _, run := range w.all() {
		g := groupOf(run)
		switch {
		case run.CancelRequested():
			return fmt.Sprintf("run %d is to be cancelled", run.ID)
		case run.Status == app.Started:
			started[g]++
			going = append(going, run.ID)
			since, paused := w.paused[run.Kind]
			if paused && run.StartedAt.Add(-clockError).After(since) {
				w.Fatalf("run %d was started at %v, but its kind is paused since %v",
					run.ID, run.StartedAt, since)
			}
		case run.Status == app.Created:
			waiting[g]++
		}
	}
	slices.Sort(going)
	if worked := w.workedOn(); !slices.Equal(worked, going) {
		return fmt.Sprintf("the runs %v are started and %v are worked on", going, worked)
	}
	for g, n := range waiting {
		_, paused := w.paused[g.kind]
		limit := w.limits[g.kind]
		if !paused && (limit == 0 || started[g] < limit) {
			return fmt.Sprintf("%d runs of %v wait and %d are started; the limit is %d",
				n, g, started[g], limit)
		}
	}
	return ""
}
