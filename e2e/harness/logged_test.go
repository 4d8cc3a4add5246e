package harness

import (
	"fmt"
	"strings"
	"testing"
)

func TestLogged_SummaryBeginsWithFaults(t *testing.T) {
	t.Parallel()
	const (
		failure = `time=2026-01-01T12:00:00.000Z level=ERROR msg="a write failed" error="no space"`
		asJSON  = `{"time":"2026-01-01T12:00:00Z","level":"ERROR","msg":"a write failed"}`
		foreign = "fatal error: all goroutines are asleep - deadlock!"
	)
	log := &logged{}
	for i := range 3 * shownLast {
		log.add(fmt.Sprintf("time=2026-01-01T12:00:00.000Z level=INFO msg=change what=create run=%d", i))
		switch i {
		case 1:
			log.add(failure)
		case 2:
			log.add(asJSON)
		case 3:
			log.add(foreign)
		}
	}
	want := strings.Join([]string{"errors (3 of 3):", failure, asJSON, foreign}, "\n")
	got := log.summary()
	if !strings.HasPrefix(got, want) {
		t.Errorf("the summary begins with %.400s", got)
	}
	if n := strings.Count(got, "what=create"); n != shownLast {
		t.Errorf("the summary has %d of the last lines", n)
	}
	if !strings.HasSuffix(got, fmt.Sprintf("run=%d", 3*shownLast-1)) {
		t.Errorf("the summary does not end with the log: %s", got)
	}
}

func TestLogged_SummaryLimitsFaults(t *testing.T) {
	t.Parallel()
	log := &logged{}
	for i := range 2 * shownLast {
		log.add(fmt.Sprintf("goroutine %d [running]:", i))
	}
	got := log.summary()
	if !strings.HasPrefix(got, "errors (20 of 120):\ngoroutine 0 [running]:\n") {
		t.Errorf("the summary begins with %.200s", got)
	}
	if n := strings.Count(got, "goroutine"); n != shownFaults+shownLast {
		t.Errorf("the summary has %d lines", n)
	}
}

func TestLogged_ErrorsAndPanicsAreFound(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ errors, panics bool }{
		`time=2026-01-01T12:00:00.000Z level=INFO msg="shutting down"`:     {false, false},
		`time=2026-01-01T12:00:00.000Z level=WARN msg="a request failed"`:  {false, false},
		`time=2026-01-01T12:00:00.000Z level=ERROR msg="a request failed"`: {true, false},
		`{"time":"2026-01-01T12:00:00Z","level":"ERROR","msg":"stopped"}`:  {true, false},
		`time=2026-01-01T12:00:00.000Z level=ERROR msg="work panicked"`:    {true, true},
		`panic: runtime error: index out of range`:                         {false, true},
	}
	for line, want := range cases {
		log := &logged{}
		log.add(`time=2026-01-01T12:00:00.000Z level=INFO msg="listening on http://127.0.0.1:3000"`)
		log.add(line)
		if got := log.hasErrors(); got != want.errors {
			t.Errorf("errors in %s: %v", line, got)
		}
		if got := log.hasPanics(); got != want.panics {
			t.Errorf("panics in %s: %v", line, got)
		}
	}
}
