package pgtest

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
)

// poolerConfig is the configuration of PgBouncer, with the name of a database, its server's host and port,
// the user there, the directory of its own socket, and the mode.
const poolerConfig = `[databases]
%s = host=%s port=%d %s
[pgbouncer]
unix_socket_dir = %s
listen_addr =
auth_type = trust
auth_file = users
logfile = pgbouncer.log
pool_mode = %s
default_pool_size = 100
max_client_conn = 1000
`

// StartPooler starts a PgBouncer in a mode, session, transaction or statement, in front of the server of
// address. It returns the URL of the same database through it. PgBouncer ends with t, or the test process.
func StartPooler(t TB, address, mode string) (pooled string) {
	t.Helper()
	pooled, stop, err := startPooler(address, mode)
	if err != nil {
		t.Fatalf("cannot start PgBouncer: %v", err)
	}
	t.Cleanup(stop)
	return pooled
}

func startPooler(address, mode string) (pooled string, stop func(), err error) {
	program, err := findPooler()
	if err != nil {
		return "", nil, err
	}
	server, err := pgx.ParseConfig(address)
	if err != nil {
		return "", nil, err
	}
	parsed, err := url.Parse(address)
	if err != nil {
		return "", nil, err
	}
	dir, err := os.MkdirTemp("", "runboard-pgbouncer")
	if err != nil {
		return "", nil, err
	}
	login := "user=" + server.User
	if server.Password != "" { // PgBouncer refuses an empty one
		login += " password=" + server.Password
	}
	config := fmt.Sprintf(poolerConfig, server.Database, server.Host, server.Port, login, dir, mode)
	stop, err = runPooler(program, dir, config, fmt.Sprintf("%q %q\n", server.User, ""))
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	parsed.Host, parsed.User = "", url.User(server.User)
	parsed.RawQuery = url.Values{"host": {dir}, "port": {"6432"}}.Encode()
	return parsed.String(), stop, nil
}

// findPooler returns the path of PgBouncer, which Debian keeps out of the PATH of users.
func findPooler() (string, error) {
	for _, name := range []string{"pgbouncer", "/usr/sbin/pgbouncer"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("PgBouncer is missing, which the tests need: apt-get install pgbouncer")
}

// runPooler runs PgBouncer in dir, and returns when it accepts connections. stop ends it and removes dir.
func runPooler(program, dir, config, users string) (stop func(), err error) {
	as, err := chownToServerUser(dir) // PgBouncer refuses to run as root
	if err != nil {
		return nil, err
	}
	for name, content := range map[string]string{"pgbouncer.ini": config, "users": users} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return nil, err
		}
	}
	// The shell ends PgBouncer at the end of its input, which is that of the test process at the latest.
	const script = `trap '' INT TERM HUP; "$1" -q pgbouncer.ini & read -r _; kill -KILL $!; rm -rf "$2"`
	run := exec.Command("sh", "-c", script, "pooler", program, dir)
	run.SysProcAttr, run.Dir = as, dir
	input, err := run.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := run.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		_ = input.Close()
		_ = run.Wait() // the shell reports that PgBouncer was killed
		_ = os.RemoveAll(dir)
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(dir, ".s.PGSQL.6432")); err == nil {
			return stop, nil
		}
	}
	log, _ := os.ReadFile(filepath.Join(dir, "pgbouncer.log"))
	stop()
	return nil, fmt.Errorf("it does not listen: %s", log)
}
