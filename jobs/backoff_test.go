package jobs

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// The bounds are literals, so that the test does not repeat the computation of the code.
func TestBackoff_DoublesAtFirst(t *testing.T) {
	t.Parallel()
	for attempt, seconds := range map[int]int{1: 1, 2: 2, 3: 4, 4: 8, 5: 16, 9: 256, 10: 512, 11: 600,
		12: 600, 64: 600, 1000: 600} {
		rough := time.Duration(seconds) * time.Second
		for range 1000 {
			if wait := backoff(attempt); wait < rough*3/4 || wait >= rough*5/4 {
				t.Fatalf("after attempt %d it waits %s, want %s give or take a quarter", attempt, wait, rough)
			}
		}
	}
}

func TestBackoff_StaysInItsRange(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		attempt := rapid.IntRange(0, math.MaxInt).Draw(t, "attempt")
		if wait := backoff(attempt); wait < minBackoff*3/4 || wait > maxBackoff*5/4 {
			t.Fatalf("after attempt %d it waits %s", attempt, wait)
		}
	})
}

// Runs that failed together must not be retried together.
func TestBackoff_HasJitter(t *testing.T) {
	t.Parallel()
	waits := map[time.Duration]bool{}
	for range 1000 {
		waits[backoff(3)] = true
	}
	if len(waits) < 900 {
		t.Errorf("a thousand runs come back at only %d different times", len(waits))
	}
}

func TestSleep_EndsAfterItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, d := range []time.Duration{-time.Hour, 0, 1, time.Second, 24 * time.Hour} {
			began := time.Now()
			if err := Sleep(t.Context(), d); err != nil {
				t.Errorf("it returns %v", err)
			}
			if slept := time.Since(began); slept != max(d, 0) {
				t.Errorf("it sleeps for %s, want %s", slept, d)
			}
		}
	})
}

func TestSleep_ReturnsTheCause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reason := errors.New("enough")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, reason)
		defer cancel()
		began := time.Now()
		if err := Sleep(ctx, time.Hour); !errors.Is(err, reason) || time.Since(began) != time.Second {
			t.Errorf("after %s it returns %v", time.Since(began), err)
		}
	})
}

// However many runs are queued, the channel holds no more than there are workers.
func TestDispatcher_ChannelHoldsOneRunEach(t *testing.T) {
	t.Parallel()
	d := newDispatcher(&Queue{Workers: 7, Executor: &Executor{Registry: &Registry{}}})
	if cap(d.runs) != 7 {
		t.Errorf("there is room for %d runs", cap(d.runs))
	}
}
