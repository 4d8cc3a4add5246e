package chaos

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"runboard/e2e/harness"
)

// markKind is a kind whose run number N creates the file N, and fails if it exists.
const markKind = `
  %s:
    run: [sh, -c, 'set -C; : > %%DIR%%/$RUNBOARD_RUN_ID']
    inputs: [{name: text, type: text, default: %s}]
`

// TestReload_UnderLoadLosesNoRun reads files with other kinds, and files with faults, while runs of all kinds
// are started. Each accepted run is executed once, even if its kind is gone for a while.
func TestReload_UnderLoadLosesNoRun(t *testing.T) {
	t.Parallel()
	one, two := fmt.Sprintf(markKind, "one", "a"), fmt.Sprintf(markKind, "two", "b")
	both := "kinds:" + one + two
	d := harness.NewDumper(t, both)
	b := d.NewProcess("--post-rate", "0", "--workers", "4")
	b.AllowErrors = true // the faults of the file
	b.Start("127.0.0.1:0")
	var created, refused atomic.Int64
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for _, kind := range []string{"one", "two"} {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				err := b.Do(http.MethodPost, "/process_runs", "count=2&kind="+kind, nil)
				switch {
				case err == nil:
					created.Add(2)
				case strings.Contains(err.Error(), "422"): // its kind is gone
					refused.Add(1)
				default:
					t.Error(err)
					return
				}
			}
		})
	}
	files := []string{"kinds:" + one, both, "kinds:" + one + "    timout: 1\n", "kinds:" + two,
		"kinds: [", both}
	for n := range 24 {
		reread(t, d, b, files[n%len(files)])
	}
	close(stop)
	clients.Wait()
	reread(t, d, b, both)
	b.WaitUntilDone(created.Load())
	if counts := b.List("/process_runs").Counts; counts["completed"] != created.Load() {
		t.Errorf("of %d runs, the counts are %v", created.Load(), counts)
	}
	marks := len(d.Files())
	if int64(marks) != created.Load() || created.Load() == 0 || refused.Load() == 0 {
		t.Errorf("%d runs were accepted and %d requests refused, and %d runs worked", created.Load(),
			refused.Load(), marks)
	}
}

// reread replaces the kinds file, and returns when the program has read it.
func reread(t *testing.T, d harness.Dumper, b *harness.Process, kinds string) {
	t.Helper()
	read := func() int {
		text := b.Log.String()
		return strings.Count(text, "was read again") + strings.Count(text, "stay as they are")
	}
	before := read()
	d.WriteKinds(kinds)
	b.Signal(syscall.SIGHUP)
	harness.Eventually(t, "the file is read", func() error {
		if read() == before {
			return fmt.Errorf("it was read %d times", before)
		}
		return nil
	})
}
