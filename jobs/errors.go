package jobs

import (
	"errors"
	"time"

	"runboard/app"
)

// steering is an error with a wish for what comes next.
type steering struct {
	error
	never bool          // no other attempt
	after time.Duration // when the next one should be
}

func (s steering) Unwrap() error { return s.error }

// Permanent makes an error of work say that trying again is of no use: the run is failed, whatever
// attempts are left. It returns nil for nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return steering{error: err, never: true}
}

// RetryAfter makes an error of work say when the next attempt should be, if any are left. A wait below
// zero is none. It returns nil for nil.
func RetryAfter(wait time.Duration, err error) error {
	if err == nil {
		return nil
	}
	return steering{error: err, after: max(wait, time.Nanosecond)}
}

// verdict is what an attempt leads to that ended with an error: another one while any are left.
func (w *Worker) verdict(run app.ProcessRun, err error) app.Outcome {
	wish, _ := errors.AsType[steering](err)
	if run.Attempt >= w.MaxAttempts || wish.never {
		return app.Outcome{Status: app.Failed, Error: err.Error()}
	}
	wait := wish.after
	if wait == 0 {
		wait = backoff(run.Attempt)
	}
	return app.Outcome{Status: app.Created, Error: err.Error(), RetryIn: wait}
}
