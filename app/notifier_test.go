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

func received(notifications <-chan struct{}) bool {
	select {
	case <-notifications:
		return true
	default:
		return false
	}
}

func TestNotifier_BuffersANotification(t *testing.T) {
	t.Parallel()
	var notifier app.Notifier
	notifications, stop := notifier.Subscribe()
	defer stop()
	if received(notifications) {
		t.Fatal("there is a notification before Notify")
	}
	notifier.Notify()
	if !received(notifications) {
		t.Error("the notification is lost")
	}
}

// The loop ends only if Notify does not wait for a subscriber that does not receive.
func TestNotifier_MergesNotifications(t *testing.T) {
	t.Parallel()
	var notifier app.Notifier
	notifications, stop := notifier.Subscribe()
	defer stop()
	for range 10_000 {
		notifier.Notify()
	}
	if !received(notifications) {
		t.Error("no notification is left of many")
	}
	if received(notifications) {
		t.Error("more than one notification is left")
	}
	notifier.Notify()
	if !received(notifications) {
		t.Error("a notification after the merged ones is lost")
	}
}

func TestNotifier_ReachesEverySubscriber(t *testing.T) {
	t.Parallel()
	var notifier app.Notifier
	first, stopFirst := notifier.Subscribe()
	defer stopFirst()
	second, stopSecond := notifier.Subscribe()
	defer stopSecond()
	notifier.Notify()
	if !received(first) || !received(second) {
		t.Error("a subscriber is not notified")
	}
}

func TestNotifier_UnsubscribeAffectsOneSubscriber(t *testing.T) {
	t.Parallel()
	var notifier app.Notifier
	gone, stop := notifier.Subscribe()
	stays, stopStays := notifier.Subscribe()
	defer stopStays()
	stop()
	stop() // may be called more than once
	notifier.Notify()
	if received(gone) {
		t.Error("it notifications for one who has stopped")
	}
	if !received(stays) {
		t.Error("another subscriber is not notified")
	}
}

func TestNotifier_NeedsNoSubscriber(t *testing.T) {
	t.Parallel()
	var notifier app.Notifier
	notifier.Notify()
	notifications, stop := notifier.Subscribe()
	defer stop()
	if received(notifications) {
		t.Error("an earlier notification arrives")
	}
}

// Each goroutine makes a change and then notifies. A subscriber that looks after each notification must see
// all changes in the end, however notifications merge.
func TestNotifier_MissesNoChange(t *testing.T) {
	t.Parallel()
	const notifiers, changesEach, subscribers = 8, 2_000, 4
	var notifier app.Notifier
	var changes atomic.Int64
	var all sync.WaitGroup
	for range subscribers {
		notifications, stop := notifier.Subscribe()
		all.Go(func() {
			defer stop()
			deadline := time.After(patience)
			for changes.Load() < notifiers*changesEach {
				select {
				case <-notifications:
				case <-deadline:
					t.Error("the notification of the last change is lost")
					return
				}
			}
		})
	}
	for range notifiers {
		all.Go(func() {
			for range changesEach {
				changes.Add(1)
				notifier.Notify()
			}
		})
	}
	all.Wait()
}

func TestNotifier_IsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	var notifier app.Notifier
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 1_000 {
				notifications, stop := notifier.Subscribe()
				notifier.Notify()
				if !received(notifications) {
					t.Error("a subscriber misses its own notification")
				}
				stop()
			}
		})
	}
	all.Wait()
}
