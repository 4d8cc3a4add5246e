package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"runboard/app"
	"runboard/jobs"
)

// A unit test can call a work function directly; see also the package jobstest.
func ExampleNewRun() {
	work := func(_ context.Context, run *jobs.Run) error {
		run.Progress(50, "half of it")
		return nil
	}
	row := app.ProcessRun{ID: 1, Kind: "backup", Attempt: 1}
	run := jobs.NewRun(row, func(update app.ProgressUpdate) { fmt.Println(update.Progress.Message) })
	err := work(context.Background(), run)
	run.Close() // waits until all reports are saved
	fmt.Println(err)
	// Output:
	// half of it
	// <nil>
}

// The next attempt starts in a minute, and the page shows the error.
func ExampleRetryAfter() {
	err := jobs.RetryAfter(time.Minute, errors.New("the printer is busy"))
	fmt.Println(err)
	// Output: the printer is busy
}

// No further attempt can help, so the run fails at once.
func ExamplePermanent() {
	broken := errors.New("the file is broken")
	err := jobs.Permanent(broken)
	fmt.Println(err, errors.Is(err, broken))
	// Output: the file is broken true
}
