package jobs

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

var errSimulated = errors.New("the simulated work failed")

// SimulatedName is the name of the kind that Simulated returns.
const SimulatedName = "simulated"

// Simulated is work that only takes time: it sleeps between shortest and longest before it is
// started, and again before it finishes, and then fails as often as failureRate says, from 0 to 1.
func Simulated(shortest, longest time.Duration, failureRate float64) Kind {
	return Kind{
		Name:     SimulatedName,
		DelayMin: shortest,
		DelayMax: longest,
		Work: func(ctx context.Context, _ *Run) error {
			if err := sleep(ctx, between(shortest, longest)); err != nil {
				return err
			}
			if rand.Float64() < failureRate {
				return errSimulated
			}
			return nil
		},
	}
}

// between is a random time in a range.
func between(shortest, longest time.Duration) time.Duration {
	return shortest + rand.N(longest-shortest+1)
}

// sleep returns after d, or when ctx ends with the reason for that.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return context.Cause(ctx)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
