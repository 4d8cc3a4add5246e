package limitstest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"runboard/app"
)

// Test runs all tests of this package on clusters that newCluster returns.
func Test(t *testing.T, newCluster func(testing.TB) Cluster) {
	for name, test := range map[string]func(*testing.T, Cluster){
		"starts the oldest first":             testOrder,
		"starts other kinds and keys":         testStarvation,
		"leaves the runs of paused kinds":     testPause,
		"follows changed limits":              testChangedLimits,
		"counts runs that wait for a retry":   testRetries,
		"keeps limits in any order of events": testRandomEvents,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newCluster(t))
		})
	}
}

// expect waits until exactly these runs are worked on.
func (w *world) expect(want ...int64) {
	w.Helper()
	want = slices.Sorted(slices.Values(want))
	w.waitUntil(func() string {
		if got := w.workedOn(); !slices.Equal(got, want) {
			return fmt.Sprintf("the runs %v are worked on, not %v", got, want)
		}
		return ""
	})
	w.check()
}

// finish ends the work of a run and waits until that is saved.
func (w *world) finish(id int64) {
	w.Helper()
	w.end(id, nil)
	w.waitUntil(func() string {
		page, err := w.store().Run(context.Background(), id)
		if err != nil {
			w.Fatal(err)
		}
		if !page.Run.Status.Final() {
			return fmt.Sprintf("run %d is %s", id, page.Run.Status)
		}
		return ""
	})
}

func testOrder(t *testing.T, cluster Cluster) {
	w := newWorld(t, cluster)
	w.setLimit(whole, 1)
	first := w.create(whole, "", 5)
	w.expect(first)
	if _, err := w.store().Cancel(t.Context(), first+1); err != nil {
		t.Fatal(err)
	}
	w.finish(first)
	w.expect(first + 2)
	if _, err := w.store().Retry(t.Context(), first+1); err != nil {
		t.Fatal(err)
	}
	w.finish(first + 2)
	w.expect(first + 1) // it was created before the others
	w.finish(first + 1)
	w.expect(first + 3)
	w.finish(first + 3)
	w.expect(first + 4)
}

// However many runs wait for a limit, other kinds and other keys start.
func testStarvation(t *testing.T, cluster Cluster) {
	w := newWorld(t, cluster)
	busy := []int64{w.create(whole, "", 1000), w.create(keyed, "shop", 1000)}
	busy = append(busy, busy[0]+1)
	w.expect(busy...)
	w.pause(free, true)
	w.create(free, "", 1000)
	other := w.create(keyed, "crm", 2)
	w.expect(append(busy, other)...)
	w.finish(other)
	w.expect(append(busy, other+1)...)
	w.finish(busy[0])
	w.expect(busy[1], busy[2], busy[2]+1, other+1)
}

func testPause(t *testing.T, cluster Cluster) {
	w := newWorld(t, cluster)
	going, limited := w.create(free, "", 1), w.create(whole, "", 2)
	w.expect(going, limited, limited+1)
	for _, kind := range []string{free, whole, keyed} {
		w.pause(kind, true)
		w.pause(kind, true)
	}
	waiting, keyed1 := w.create(free, "", 20), w.create(keyed, "shop", 2)
	w.create(whole, "", 1)
	w.finish(going) // what is started goes on
	w.finish(limited)
	time.Sleep(100 * time.Millisecond) // a chance to start something
	w.expect(limited + 1)
	w.waitsFor(waiting, app.Waiting{Paused: true})
	w.nodes[0].Kill() // the pause outlives it, and what was started waits as well
	w.nodes[0] = w.cluster.Start(t, w.registry)
	w.pause(keyed, false)
	w.waitUntil(func() string {
		if !slices.Contains(w.workedOn(), keyed1) {
			return "no run of the resumed kind is worked on"
		}
		return ""
	})
	w.pause(free, false)
	w.pause(whole, false)
	w.settle()
	w.waitsFor(keyed1+1, app.Waiting{Limit: 1, By: keyed1})
}

// waitsFor checks what a run waits for.
func (w *world) waitsFor(id int64, want app.Waiting) {
	w.Helper()
	for _, node := range w.nodes {
		page, err := node.Store().Run(context.Background(), id)
		if err != nil {
			w.Fatal(err)
		}
		if page.Run.Waiting != want {
			w.Errorf("run %d waits for %+v, want %+v", id, page.Run.Waiting, want)
		}
	}
}

// The runs that wait start without a further event.
func testChangedLimits(t *testing.T, cluster Cluster) {
	w := newWorld(t, cluster)
	first := w.create(whole, "", 6)
	w.expect(first, first+1)
	w.setLimit(whole, 4)
	w.expect(first, first+1, first+2, first+3)
	w.setLimit(whole, 1)
	for i := range int64(3) { // what was started goes on
		w.finish(first + i)
	}
	w.expect(first + 3)
	w.allow()
	w.finish(first + 3)
	w.expect(first + 4)
	w.create(whole, "", 5)
	w.setLimit(whole, 0)
	w.settle()
	if n := len(w.workedOn()); n != 7 {
		t.Errorf("without a limit, %d runs are worked on", n)
	}
	w.setLimit(whole, 2)
	last := w.create(whole, "", 1)
	w.settle()
	w.waitsFor(last, app.Waiting{Limit: 2, By: first + 4})
}

// A run that waits for its next attempt leaves its place to others, and takes the next free one.
func testRetries(t *testing.T, cluster Cluster) {
	w := newWorld(t, cluster)
	w.setLimit(whole, 1)
	first := w.create(whole, "", 3)
	w.expect(first)
	w.end(first, errLater)
	w.expect(first + 1)
	w.waitUntil(func() string {
		page, err := w.store().Run(context.Background(), first)
		if err != nil || page.Run.Waiting.By != first+1 {
			return fmt.Sprintf("the run waits for %+v: %v", page.Run.Waiting, err)
		}
		return ""
	})
	w.finish(first + 1)
	w.expect(first)
	w.finish(first)
	w.expect(first + 2)
}

// testRandomEvents compares what runs with what may run after random events.
func testRandomEvents(t *testing.T, cluster Cluster) {
	seed := rand.Uint64()
	t.Logf("the seed is %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(t, cluster)
	for range 150 {
		w.randomEvent(r)
		if r.IntN(4) == 0 {
			w.settle()
		}
	}
	for kind := range w.paused {
		w.pause(kind, false)
	}
	w.waitUntil(func() string { // every run ends, with no other event than ends
		for _, run := range w.workedOn() {
			w.end(run, nil)
		}
		for _, run := range w.all() {
			if !run.Status.Final() {
				return fmt.Sprintf("run %d is %s", run.ID, run.Status)
			}
		}
		return ""
	})
	w.check()
}
