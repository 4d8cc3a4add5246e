package jobstest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"runboard/app"
	"runboard/jobs"
	"runboard/jobs/jobstest"
)

var errBusy = errors.New("the warehouse is busy")

// restock is work as a program would have it.
func restock(ctx context.Context, run *jobs.Run) error {
	run.Progress(50, "counting")
	run.Logf("run #%d, attempt %d", run.ID, run.Attempt)
	_, _ = fmt.Fprint(run.ErrorOutput(), "one shelf is empty\n")
	if run.Attempt == 1 {
		return jobs.RetryAfter(time.Minute, errBusy)
	}
	return ctx.Err()
}

func TestNewRun_IsAcceptedByWork(t *testing.T) {
	t.Parallel()
	if err := restock(t.Context(), jobstest.NewRun(t)); !errors.Is(err, errBusy) {
		t.Errorf("the work returns %v", err)
	}
}

func TestRecorder_ReturnsTheReports(t *testing.T) {
	t.Parallel()
	run, recorder := jobstest.NewRecordedRun(t, app.ProcessRun{ID: 7, Attempt: 2})
	if err := restock(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	if percent, message := recorder.Progress(); percent != 50 || message != "counting" {
		t.Errorf("the progress is %d, %q", percent, message)
	}
	if log := recorder.Log(); log != "run #7, attempt 2\none shelf is empty\n" {
		t.Errorf("the log is %q", log)
	}
	run.Log("late") // is dropped
	if log := recorder.Log(); log != "run #7, attempt 2\none shelf is empty\n" {
		t.Errorf("after the end the log is %q", log)
	}
}

// login is work that has inputs.
func login(_ context.Context, run *jobs.Run) error {
	run.Progress(10, "as "+run.Inputs().Text("user"))
	run.Logf("the password is %s", run.Inputs().Text("password"))
	return nil
}

func TestNewRecordedRun_HasInputs(t *testing.T) {
	t.Parallel()
	run, recorder := jobstest.NewRecordedRun(t, app.ProcessRun{ID: 7, Attempt: 1},
		app.InputValue{Name: "user", Type: app.TextInput, Texts: []string{"ann"}},
		app.InputValue{Name: "password", Type: app.SecretInput, Texts: []string{"correct horse"}})
	if err := login(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	if _, message := recorder.Progress(); message != "as ann" {
		t.Errorf("the message is %q", message)
	}
	if log := recorder.Log(); log != "the password is •••\n" {
		t.Errorf("the log is %q", log)
	}
}

func ExampleNewRun() {
	t := &testing.T{} // the one of your test
	err := restock(context.Background(), jobstest.NewRun(t))
	fmt.Println(err)
	// Output: the warehouse is busy
}

func ExampleNewRecordedRun() {
	t := &testing.T{} // the one of your test
	run, recorder := jobstest.NewRecordedRun(t, app.ProcessRun{ID: 7, Attempt: 2})
	err := restock(context.Background(), run)
	fmt.Println(err)
	percent, message := recorder.Progress()
	fmt.Println(percent, message)
	fmt.Print(recorder.Log())
	// Output:
	// <nil>
	// 50 counting
	// run #7, attempt 2
	// one shelf is empty
}
