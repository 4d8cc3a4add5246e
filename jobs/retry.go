package jobs

import (
	"errors"
	"math/rand/v2"
	"time"

	"runboard/app"
)

// Delays between attempts: about a second after the first, then twice as long each time.
const (
	minBackoff = time.Second
	maxBackoff = 10 * time.Minute
)

// retryError is an error that overrides the retry policy.
type retryError struct {
	error
	permanent bool          // no further attempt
	delay     time.Duration // until the next attempt; 0 for the usual backoff
}

func (e retryError) Unwrap() error { return e.error }

// Permanent wraps an error of work so that the run fails without further attempts. It returns nil for nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return retryError{error: err, permanent: true}
}

// RetryAfter wraps an error of work so that the next attempt, if one is left, starts after delay. A
// negative delay counts as none. It returns nil for nil.
func RetryAfter(delay time.Duration, err error) error {
	if err == nil {
		return nil
	}
	return retryError{error: err, delay: max(delay, time.Nanosecond)}
}

// outcome returns the outcome of the attempt that ended with err: another attempt if one is left, else
// failure.
func (r *Run) outcome(err error) app.Outcome {
	text := r.shown(err.Error())
	retry, _ := errors.AsType[retryError](err)
	if r.Attempt >= r.policy.Attempts || retry.permanent {
		return app.Outcome{Status: app.Failed, Error: text}
	}
	delay := retry.delay
	if delay == 0 {
		delay = backoff(r.Attempt)
	}
	return app.Outcome{Status: app.Created, Error: text, RetryIn: delay}
}

// backoff returns the delay after an attempt, with a jitter of a quarter, so that runs that failed together
// do not retry together.
func backoff(attempt int) time.Duration {
	delay := maxBackoff
	if attempt < 11 { // 2^10 seconds exceed maxBackoff
		delay = min(maxBackoff, minBackoff<<max(0, attempt-1))
	}
	return delay*3/4 + rand.N(delay/2)
}
