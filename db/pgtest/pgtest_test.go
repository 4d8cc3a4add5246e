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

// startInstead makes the test binary start a server instead of running tests, print its URL, and wait to be
// killed.
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

// number returns the result of a query for one number.
func number(t *testing.T, address, sql string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if err := conn.QueryRow(ctx, sql).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func mustExecute(t *testing.T, address, sql string) {
	t.Helper()
	if err := execute(address, sql); err != nil {
		t.Fatal(err)
	}
}

// exists reports whether the server of address has a database.
func exists(t *testing.T, address, name string) bool {
	t.Helper()
	return number(t, address, "SELECT count(*) FROM pg_database WHERE datname = '"+name+"'") == 1
}

func TestURL_DatabaseIsDroppedAfterTest(t *testing.T) {
	t.Parallel()
	var address string
	for range 2 {
		t.Run("a database", func(t *testing.T) {
			address = URL(t)
			mustExecute(t, address, "CREATE TABLE numbers (n int)") // fails if the database is not empty
		})
	}
	if exists(t, URL(t), Name(address)) {
		t.Errorf("the database %s still exists", Name(address))
	}
}

func TestServer_SurvivesGarbageCollection(t *testing.T) {
	t.Parallel()
	address := URL(t)
	for range 3 { // an unreachable object is gone after the second time
		runtime.GC()
	}
	mustExecute(t, address, "CREATE TABLE numbers (n int)")
	mustExecute(t, address, "DROP TABLE numbers")
}

// numbers returns a template with one table.
func numbers() *Template {
	return NewTemplate(func(address string) error {
		return execute(address,
			"CREATE TABLE numbers (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n int)")
	})
}

func TestTemplate_CopyIsEmptiedAndReused(t *testing.T) {
	t.Parallel()
	if givenURL != "" {
		t.Skip("copies are not reused on a server that outlives the tests")
	}
	template, copies := numbers(), map[string]bool{}
	for _, rows := range []int{1, 5, 100_000, 0} {
		t.Run(fmt.Sprint(rows), func(t *testing.T) {
			address := template.Copy(t)
			copies[address] = true
			if bytes := number(t, address, "SELECT pg_relation_size('numbers')"); bytes != 0 {
				t.Errorf("the table has %d bytes of the last test", bytes)
			}
			mustExecute(t, address,
				fmt.Sprintf("INSERT INTO numbers (n) SELECT 7 FROM generate_series(1, %d)", rows))
			if n := number(t, address, "SELECT count(*) FROM numbers"); n != rows {
				t.Errorf("the copy has %d rows and should have %d", n, rows)
			}
			if first := number(t, address, "SELECT coalesce(min(id), 1) FROM numbers"); first != 1 {
				t.Errorf("the first id is %d", first)
			}
		})
	}
	if len(copies) != 1 {
		t.Errorf("there are %d copies", len(copies))
	}
}

func TestTemplate_CopyWithChangedSchemaIsDropped(t *testing.T) {
	t.Parallel()
	template := numbers()
	for _, change := range []string{
		"CREATE TABLE more (n int)", "DROP TABLE numbers", "ALTER TABLE numbers ADD m int",
		"CREATE INDEX ON numbers (n)", "ALTER TABLE numbers SET (autovacuum_enabled = false)",
		"CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'",
		"CREATE TRIGGER same BEFORE UPDATE ON numbers FOR EACH ROW EXECUTE FUNCTION " +
			"suppress_redundant_updates_trigger()",
		"DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = 1000', current_database()); END $$",
	} {
		t.Run(change, func(t *testing.T) {
			var address string
			t.Run("copy", func(t *testing.T) {
				address = template.Copy(t)
				mustExecute(t, address, change)
			})
			if exists(t, URL(t), Name(address)) {
				t.Error("the copy still exists")
			}
		})
	}
}

func TestCluster_KeepsCommitsOverRestart(t *testing.T) {
	t.Parallel()
	cluster := Start(t)
	address := cluster.URL()
	mustExecute(t, address, "CREATE TABLE numbers AS SELECT 7 AS n")
	cluster.Stop()
	if conn, err := pgx.Connect(ctx, address); err == nil {
		_ = conn.Close(ctx)
		t.Error("the stopped server accepts connections")
	}
	cluster.Restart()
	if n := number(t, address, "SELECT n FROM numbers"); n != 7 {
		t.Errorf("the number is %d", n)
	}
}

func TestServer_EndsWithKilledProcess(t *testing.T) {
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
				t.Fatalf("%s still exists", gone)
			}
		}
	}
}
