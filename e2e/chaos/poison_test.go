package chaos

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"runboard/app"
	"runboard/db/sqlite"
	"runboard/e2e/harness"
)

// fillPoisoned creates a database with a poisonous run among innocent ones.
func fillPoisoned(t *testing.T, path string) {
	t.Helper()
	store, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for _, request := range []app.CreateRequest{
		{Kind: "innocent", Count: 5}, {Kind: "poison", Count: 1}, {Kind: "innocent", Count: 30},
	} {
		if _, err := store.Create(t.Context(), request); err != nil {
			t.Fatal(err)
		}
	}
}

// The program restarts each time the poisonous run ends it. The runs that it interrupted twice are
// quarantined, so that the third time it is alone with runs that have crashes left.
func TestQuarantine_PoisonousRunFailsAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "poison.db")
	fillPoisoned(t, path)
	deaths := 0
	for done := false; !done && deaths < 20; {
		child := exec.CommandContext(t.Context(), os.Args[0])
		child.Env = []string{harness.PoisonVariable + "=1", "ADDR=127.0.0.1:0", "DATABASE_URL=sqlite:" + path,
			"MAX_CRASHES=3"}
		out, _ := child.CombinedOutput()
		switch status := child.ProcessState.ExitCode(); status {
		case 0:
			done = true
		case harness.PoisonStatus:
			deaths++
		default:
			t.Fatalf("the program ended with %d: %s", status, out)
		}
	}
	store, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for id := range int64(36) {
		page, err := store.Run(t.Context(), id+1)
		if err != nil {
			t.Fatal(err)
		}
		run := page.Run
		poisonous := run.Kind == "poison" && run.Status == app.Failed && run.Crashes == 3 &&
			strings.HasPrefix(run.Error, "crashed")
		if innocent := run.Kind == "innocent" && run.Status == app.Completed; !poisonous && !innocent {
			t.Errorf("after %d deaths this is %+v", deaths, run)
		}
	}
	if deaths != 3 {
		t.Errorf("the process died %d times, want 3", deaths)
	}
}
