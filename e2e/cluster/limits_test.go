package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"runboard/db/pgtest"
	"runboard/e2e/harness"
)

// exclusive is a kinds file with a command that fails if it runs twice at once, in whatever process.
const exclusive = `kinds:
  exclusive:
    run: [/bin/bash, -c, 'exec 9>>"$LOCK"; flock -n 9 || { echo "another one runs"; exit 1; }; sleep 0.1']
    env: {LOCK: %s}
    concurrency: 1
`

// At most one run of a limited kind goes on, on whatever node, also when the node of one is killed.
func TestNodes_KeepTheLimitOfAKind(t *testing.T) {
	t.Parallel()
	const runs = 60
	dir, server := t.TempDir(), pgtest.URL(t)
	kinds := filepath.Join(dir, "kinds.yaml")
	if err := os.WriteFile(kinds, fmt.Appendf(nil, exclusive, filepath.Join(dir, "lock")),
		0o600); err != nil {
		t.Fatal(err)
	}
	killed := harness.StartNode(t, server, "--kinds", kinds)
	killed.AllowErrors = true
	other := harness.StartNode(t, server, "--kinds", kinds)
	if err := other.Do("POST", "/process_runs", fmt.Sprintf("count=%d", runs), nil); err != nil {
		t.Fatal(err)
	}
	database := connect(t, server)
	count := func(status int) int64 {
		return harness.NumberIn(t, database,
			fmt.Sprintf("SELECT count(*) FROM process_runs WHERE status = %d", status))
	}
	harness.Eventually(t, "some runs complete", func() error {
		if n := count(2); n < 5 {
			return fmt.Errorf("%d runs have completed", n)
		}
		return nil
	})
	killed.Signal(syscall.SIGKILL)
	for deadline := time.Now().Add(2 * harness.RescuePatience); count(2) < runs; {
		if failed := count(3); failed > 0 || time.Now().After(deadline) {
			t.Fatalf("%d runs have completed and %d failed: %+v", count(2), failed,
				other.List("/process_runs"))
		}
		time.Sleep(20 * time.Millisecond)
	}
}
