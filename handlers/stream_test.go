package handlers

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"runboard/app"
)

// busy is a store with three runs that is too busy for some reads of runs after the first.
type busy struct {
	app.Store // nil, so methods that are not overridden panic
	err       error
	failures  int32
	reads     *atomic.Int32
}

func (b busy) Runs(
	_ context.Context, _ app.Filter, before int64, _ int,
) (_ []app.ProcessRun, next int64, _ error) {
	if n := b.reads.Add(1) - 1; n > 0 && n <= b.failures {
		return nil, 0, b.err
	}
	id := min(before-1, 3)
	next = id
	if id == 1 { // the last one
		next = 0
	}
	return []app.ProcessRun{{ID: id, Kind: "test"}}, next, nil
}

func TestExport_ReadsAgainWhileTheDatabaseIsBusy(t *testing.T) {
	t.Parallel()
	unavailable := app.Errorf(app.CodeUnavailable, "Too busy.")
	for name, test := range map[string]struct {
		err      error
		failures int32
		reads    int32
		whole    bool
	}{
		"busy twice":    {unavailable, streamTries - 1, 3 + streamTries - 1, true},
		"always busy":   {unavailable, 1000, 1 + streamTries, false},
		"another fault": {errors.New("a fault"), 1000, 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := busy{err: test.err, failures: test.failures, reads: &atomic.Int32{}}
			s, _ := newServer(t, store)
			body, err := getBody(s.url + "/process_runs.ndjson")
			if test.whole != (err == nil && strings.Count(body, "\n") == 3) {
				t.Errorf("the client gets %v and %s", err, body)
			}
			if n := store.reads.Load(); n != test.reads {
				t.Errorf("there were %d reads, want %d", n, test.reads)
			}
		})
	}
}

func getBody(url string) (string, error) {
	answer, err := http.Get(url)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return string(body), err
}
