package app_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"runboard/app"
)

// patience is how long a test waits for a condition.
const patience = 20 * time.Second

func heard(rings <-chan struct{}) bool {
	select {
	case <-rings:
		return true
	default:
		return false
	}
}

func TestNotifier_BuffersANotification(t *testing.T) {
	t.Parallel()
	var bell app.Notifier
	rings, stop := bell.Subscribe()
	defer stop()
	if heard(rings) {
		t.Fatal("there is a ring before anybody rang")
	}
	bell.Notify()
	if !heard(rings) {
		t.Error("the ring is lost")
	}
}

// The loop ends only if Notify does not wait for a subscriber that does not receive.
func TestNotifier_MergesNotifications(t *testing.T) {
	t.Parallel()
	var bell app.Notifier
	rings, stop := bell.Subscribe()
	defer stop()
	for range 10_000 {
		bell.Notify()
	}
	if !heard(rings) {
		t.Error("no ring is left of many")
	}
	if heard(rings) {
		t.Error("more than one ring is left")
	}
	bell.Notify()
	if !heard(rings) {
		t.Error("a ring after the merged ones is lost")
	}
}

func TestNotifier_ReachesEverySubscriber(t *testing.T) {
	t.Parallel()
	var bell app.Notifier
	first, stopFirst := bell.Subscribe()
	defer stopFirst()
	second, stopSecond := bell.Subscribe()
	defer stopSecond()
	bell.Notify()
	if !heard(first) || !heard(second) {
		t.Error("a listener has not heard the bell")
	}
}

func TestNotifier_UnsubscribeAffectsOneSubscriber(t *testing.T) {
	t.Parallel()
	var bell app.Notifier
	gone, stop := bell.Subscribe()
	stays, stopStays := bell.Subscribe()
	defer stopStays()
	stop()
	stop() // may be called more than once
	bell.Notify()
	if heard(gone) {
		t.Error("it rings for one who has stopped")
	}
	if !heard(stays) {
		t.Error("one who has not stopped hears nothing")
	}
}

func TestNotifier_NeedsNoSubscriber(t *testing.T) {
	t.Parallel()
	var bell app.Notifier
	bell.Notify()
	rings, stop := bell.Subscribe()
	defer stop()
	if heard(rings) {
		t.Error("a ring from before the listening is heard")
	}
}

// Each goroutine makes a change and then notifies. A subscriber that looks after each notification must see
// all changes in the end, however notifications merge.
func TestNotifier_MissesNoChange(t *testing.T) {
	t.Parallel()
	const ringers, changesEach, listeners = 8, 2_000, 4
	var bell app.Notifier
	var changes atomic.Int64
	var all sync.WaitGroup
	for range listeners {
		rings, stop := bell.Subscribe()
		all.Go(func() {
			defer stop()
			deadline := time.After(patience)
			for changes.Load() < ringers*changesEach {
				select {
				case <-rings:
				case <-deadline:
					t.Error("the ring of the last change is lost")
					return
				}
			}
		})
	}
	for range ringers {
		all.Go(func() {
			for range changesEach {
				changes.Add(1)
				bell.Notify()
			}
		})
	}
	all.Wait()
}

func TestNotifier_IsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	var bell app.Notifier
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 1_000 {
				rings, stop := bell.Subscribe()
				bell.Notify()
				if !heard(rings) {
					t.Error("a listener has not heard its own ring")
				}
				stop()
			}
		})
	}
	all.Wait()
}
