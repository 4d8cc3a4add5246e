// Package jobstest helps to test work functions without a server.
package jobstest

import (
	"strings"
	"sync"
	"testing"

	"runboard/app"
	"runboard/jobs"
)

// NewRun returns a run to call a work function with: the first attempt of run #1 of the kind "test", with
// these values of inputs. What the work reports appears in the log of the test.
func NewRun(t testing.TB, inputs ...app.InputValue) *jobs.Run {
	t.Helper()
	run, _ := NewRecordedRun(t, app.ProcessRun{ID: 1, Kind: "test", Attempt: 1}, inputs...)
	return run
}

// NewRecordedRun returns the handle of an attempt of row with these values of inputs, and a recorder of what
// the work reports with it.
func NewRecordedRun(t testing.TB, row app.ProcessRun, inputs ...app.InputValue) (*jobs.Run, *Recorder) {
	t.Helper()
	recorder := &Recorder{}
	recorder.run = jobs.NewRun(row, recorder.save, inputs...)
	t.Cleanup(func() {
		if log := recorder.Log(); log != "" {
			t.Log(log)
		}
	})
	return recorder.run, recorder
}

// Recorder keeps what work reports. Its methods end the run: they are for after the work has returned.
type Recorder struct {
	run  *jobs.Run
	once sync.Once

	mu       sync.Mutex
	progress app.Progress
	log      strings.Builder
}

func (r *Recorder) save(update app.ProgressUpdate) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if update.Progress != nil {
		r.progress = *update.Progress
	}
	for _, line := range update.Lines {
		r.log.WriteString(line.Text)
	}
}

// Log returns all lines that the work wrote.
func (r *Recorder) Log() string {
	r.once.Do(r.run.Close)
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.String()
}

// Progress returns the percentage and the message that the work reported last, 0 and "" if none.
func (r *Recorder) Progress() (percent int, message string) {
	r.once.Do(r.run.Close)
	r.mu.Lock()
	defer r.mu.Unlock()
	return int(r.progress.Percent), r.progress.Message
}
