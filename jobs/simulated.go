package jobs

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"runboard/app"
)

var errSimulated = errors.New("the simulated work failed")

// simulatedDescription is read by operators who have not configured any work yet.
const simulatedDescription = "Sleeps for some seconds, and sometimes fails. " +
	"The option --kinds of the server offers work of your own."

// Simulated returns a kind whose work sleeps for a random time from shortest to longest and then fails
// with probability failureRate, from 0 to 1. SimulatedDelay delays the start of its runs.
func Simulated(shortest, longest time.Duration, failureRate float64) Kind {
	return Kind{
		Name: app.SimulatedKind,
		Info: app.Kind{Description: simulatedDescription},
		Work: func(ctx context.Context, _ *Run) error {
			if err := Sleep(ctx, between(shortest, longest)); err != nil {
				return err
			}
			if rand.Float64() < failureRate {
				return errSimulated
			}
			return nil
		},
	}
}

// SimulatedDelay returns a value for the StartDelay option of stores. Runs of the simulated kind start a
// random time from shortest to longest after they were created or retried. Other runs start at once.
func SimulatedDelay(shortest, longest time.Duration) func(kind string) time.Duration {
	return func(kind string) time.Duration {
		if kind != app.SimulatedKind {
			return 0
		}
		return between(shortest, longest)
	}
}

// between returns a random duration from shortest to longest.
func between(shortest, longest time.Duration) time.Duration {
	return shortest + rand.N(longest-shortest+1)
}
