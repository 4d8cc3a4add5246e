package chaos

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"runboard/e2e/harness"
)

func TestLogs_OldestAreDroppedFirst(t *testing.T) {
	t.Parallel()
	b := harness.StartProcess(t, "--command", `noisy=/bin/sh -c "/usr/bin/yes | /usr/bin/head -c 40000"`,
		"--max-log-bytes", "100KiB")
	logOf := func(run int) (body string) {
		response, err := harness.Client.Get(fmt.Sprintf("%s/process_runs/%d/log", b.URL, run))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for run := 1; run <= 4; run++ { // one at a time
		if err := b.Do(http.MethodPost, "/process_runs", "count=1&kind=noisy", nil); err != nil {
			t.Fatal(err)
		}
		b.WaitUntilDone(int64(run))
	}
	for _, run := range []int{1, 2} {
		harness.Eventually(t, "the log is dropped", func() error {
			if log := logOf(run); !strings.Contains(log, "dropped to make room") ||
				strings.Contains(log, "y\ny\n") {
				return fmt.Errorf("the log of run %d has %d bytes", run, len(log))
			}
			return nil
		})
	}
	for _, run := range []int{3, 4} {
		if log := logOf(run); strings.Count(log, "y\n") != 20000 {
			t.Errorf("the log of run %d has %d bytes", run, len(log))
		}
	}
	harness.Eventually(t, "the server says so", func() error {
		if !strings.Contains(b.Log.String(), "dropped the oldest logs") {
			return errors.New("its log says nothing")
		}
		return nil
	})
}
