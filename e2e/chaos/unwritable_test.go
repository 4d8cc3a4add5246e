package chaos

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"runboard/e2e/harness"
)

func TestDatabase_DeletedUnderTheServerIsNoticed(t *testing.T) {
	t.Parallel()
	b := harness.StartProcess(t)
	b.AllowErrors = true
	if err := os.Rename(b.File(), b.File()+".away"); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "/up answers 503",
		func() error { return b.Answers(http.MethodGet, "/up", http.StatusServiceUnavailable) })
	if err := b.Answers(http.MethodPost, "/process_runs", http.StatusServiceUnavailable); err != nil {
		t.Error(err)
	}
	if err := b.Answers(http.MethodGet, "/process_runs", http.StatusOK); err != nil {
		t.Error(err)
	}
	if text := b.Log.String(); !strings.Contains(text, "the database has been deleted") ||
		!strings.Contains(text, b.File()) {
		t.Errorf("the log is %s", text)
	}
	if err := os.Rename(b.File()+".away", b.File()); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "/up answers 200",
		func() error { return b.Answers(http.MethodGet, "/up", http.StatusOK) })
	b.Post(1)
}

// The database is locked for longer than the run timeout, and the run writes more output than a pipe buffers.
func TestDatabase_LongLockLosesNoResult(t *testing.T) {
	t.Parallel()
	const timeout = 10 * time.Second
	b := harness.StartProcess(t, "--command",
		`noisy=/bin/sh -c "/bin/sleep 1; /usr/bin/yes | /usr/bin/head -c 5000000"`, "--run-timeout",
		timeout.String())
	b.AllowErrors = true
	if err := b.Do(http.MethodPost, "/process_runs", "count=1&kind=noisy", nil); err != nil {
		t.Fatal(err)
	}
	b.UntilStarted(1)
	unlock := harness.LockDatabase(t, b.File())
	time.Sleep(timeout + 2*time.Second)
	unlock()
	b.WaitUntilDone(1)
	if done := b.List("/process_runs?status=completed").ProcessRuns; len(done) != 1 {
		t.Errorf("the run ended as %+v", b.List("/process_runs").ProcessRuns)
	}
	if text := b.Log.String(); !strings.Contains(text, "cannot be written") {
		t.Errorf("the log of the server is %s", text)
	}
}
