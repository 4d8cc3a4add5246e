package harness

import (
	"context"
	"errors"

	"runboard/jobs"
)

// WorkThat returns a kind whose runs fail with the error fails, or complete if it is empty.
func WorkThat(name, fails string) jobs.Kind {
	return jobs.Kind{Name: name, Work: func(_ context.Context, run *jobs.Run) error {
		run.Logf("this is run %d", run.ID)
		if fails == "" {
			return nil
		}
		return errors.New(fails)
	}}
}
