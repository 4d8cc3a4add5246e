package pgtest

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"
)

// startInstead has the test binary start a server instead of running tests, say where, and wait to be killed.
const startInstead = "RUNBOARD_TEST_START"

func TestMain(m *testing.M) {
	if os.Getenv(startInstead) != "" {
		cluster, err := start()
		fmt.Println(cluster.url, err)
		_, _ = io.Copy(io.Discard, os.Stdin)
		return
	}
	goleak.VerifyTestMain(m)
}

var ctx = context.Background()

// ask returns the number that a database answers with.
func ask(t *testing.T, address, text string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if err := conn.QueryRow(ctx, text).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func do(t *testing.T, address, text string) {
	t.Helper()
	if err := execute(address, text); err != nil {
		t.Fatal(err)
	}
}

func TestEveryDatabaseIsNewAndEmptyAndGoesAway(t *testing.T) {
	t.Parallel()
	var address string
	for range 2 {
		t.Run("a database", func(t *testing.T) {
			address = URL(t)
			do(t, address, "CREATE TABLE here (n int)")
		})
	}
	const exist = "SELECT count(*) FROM pg_database WHERE datname = '%s'"
	if n := ask(t, URL(t), fmt.Sprintf(exist, Name(address))); n != 0 {
		t.Errorf("%s is still there", Name(address))
	}
}

func TestTheServerStaysAlthoughNobodySpeaksToIt(t *testing.T) {
	t.Parallel()
	address := URL(t)
	for range 3 { // what is not in use is gone after the second time
		runtime.GC()
	}
	do(t, address, "CREATE TABLE here (n int)")
	do(t, address, "DROP TABLE here")
}

func TestACopyHasWhatItsTemplateHas(t *testing.T) {
	t.Parallel()
	name, err := Template(func(address string) error { return execute(address, "CREATE TABLE here AS SELECT 7 AS n") })()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		address := Copy(t, name)
		do(t, address, "UPDATE here SET n = n + 1")
		if n := ask(t, address, "SELECT n FROM here"); n != 8 {
			t.Errorf("it has %d", n)
		}
	}
}

func TestAServerThatIsStoppedKeepsWhatWasCommitted(t *testing.T) {
	t.Parallel()
	cluster := Start(t)
	address := cluster.URL()
	do(t, address, "CREATE TABLE here AS SELECT 7 AS n")
	cluster.Stop()
	if conn, err := pgx.Connect(ctx, address); err == nil {
		_ = conn.Close(ctx)
		t.Error("it can be reached although it is stopped")
	}
	cluster.Restart()
	if n := ask(t, address, "SELECT n FROM here"); n != 7 {
		t.Errorf("it has %d", n)
	}
}

func TestNothingIsLeftOfATestThatIsKilled(t *testing.T) {
	t.Parallel()
	killed := exec.Command(os.Args[0])
	killed.Env = append(os.Environ(), startInstead+"=1")
	input, err := killed.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer input.Close()
	output, err := killed.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := killed.Start(); err != nil {
		t.Fatal(err)
	}
	var address, fault string
	if _, err := fmt.Fscan(output, &address, &fault); err != nil || fault != "<nil>" {
		t.Fatal(address, fault, err)
	}
	parsed, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	dir := parsed.Query().Get("host")
	process, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, _, _ := strings.Cut(string(process), "\n")
	_ = killed.Process.Kill()
	_ = killed.Wait()
	for _, gone := range []string{dir, "/proc/" + pid} {
		for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
			if _, err := os.Stat(gone); os.IsNotExist(err) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s is still there", gone)
			}
		}
	}
}
