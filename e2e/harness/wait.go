package harness

import (
	"errors"
	"testing"
	"time"
)

// Patience is how long a test waits for a condition. It is a deadline, not a measure: it only has to be
// longer than the slowest machine needs.
const Patience = 90 * time.Second

// RescuePatience is how long a test waits for another node to rescue the runs of a lost one. Only a failing
// test waits that long.
const RescuePatience = 4 * time.Minute

// Eventually waits until check returns nil. It fails the test after Patience or, with -postgres, after
// RescuePatience, because another node may have to rescue runs. what completes the sentence "timed out before
// …".
func Eventually(t testing.TB, what string, check func() error) {
	t.Helper()
	limit := Patience
	if *onPostgres {
		limit = RescuePatience
	}
	eventuallyWithin(t, limit, what, check)
}

func eventuallyWithin(t testing.TB, limit time.Duration, what string, check func() error) {
	t.Helper()
	err := errors.New("it was never checked")
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	t.Fatalf("timed out before %s: %v", what, err)
}

// IsOver reports whether stop is closed.
func IsOver(stop <-chan struct{}) bool {
	select {
	case <-stop:
		return true
	default:
		return false
	}
}
