package pgtest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// Cluster is a PostgreSQL server for one test.
type Cluster struct {
	t        TB
	url      string               // of its database postgres
	as       *syscall.SysProcAttr // of the server's processes
	commands io.Writer
	done     *bufio.Reader
}

// Start starts a server that t may stop and restart. It is removed when t ends.
func Start(t TB) *Cluster {
	t.Helper()
	c, err := start()
	if err != nil {
		t.Fatalf("%v", err)
	}
	c.t = t
	t.Cleanup(func() { _ = c.send("end") })
	return c
}

// URL returns the address of a new, empty database.
func (c *Cluster) URL() string {
	c.t.Helper()
	address, err := create(c.url, "template0")
	if err != nil {
		c.t.Fatalf("cannot create a database: %v", err)
	}
	return address
}

// Stop ends the server as a crash would, and returns when all of its processes have exited.
func (c *Cluster) Stop() {
	c.t.Helper()
	if err := c.send("stop"); err != nil {
		c.t.Fatalf("cannot stop the server: %v", err)
	}
}

// Restart starts the server after Stop, and returns when it takes connections.
func (c *Cluster) Restart() {
	c.t.Helper()
	if err := c.up(); err != nil {
		c.t.Fatalf("cannot restart the server: %v", err)
	}
}

// keeper is a script that starts and stops a server as told by its standard input. At the end of input, when
// the test process has exited for whatever reason, it stops the server and removes its directory. QUIT is
// PostgreSQL's immediate shutdown.
const keeper = `
stop() { [ -z "$server" ] || { kill -QUIT "$server"; wait "$server"; server=; } 2>/dev/null; }
trap '' INT TERM HUP
while read -r command; do
  case $command in
  start) "$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c max_connections=300 \
    -c fsync=off -c full_page_writes=off -c shared_buffers=128MB >>"$2/log" 2>&1 & server=$! ;;
  stop) stop ;;
  end) break ;;
  esac
  echo done
done
stop
rm -rf "$2"
echo done`

// start initializes and starts a server in a directory of its own. fsync is off: the data survives a crash of
// the server without it.
func start() (*Cluster, error) {
	programs, err := find()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "runboard-pg")
	if err != nil {
		return nil, err
	}
	as, err := chownToServerUser(dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	initialize := exec.Command(filepath.Join(programs, "initdb"), "-D", filepath.Join(dir, "data"),
		"--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync")
	initialize.SysProcAttr, initialize.Dir = as, dir
	if output, err := initialize.CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("initdb: %w: %s", err, output), os.RemoveAll(dir))
	}
	c := &Cluster{url: "postgres://postgres@/postgres?host=" + dir}
	if err := c.keep(programs, dir, as); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return c, c.up()
}

// keep starts the keeper. It shares only pipes with this process and outlives it, so it is not waited for.
func (c *Cluster) keep(programs, dir string, as *syscall.SysProcAttr) (err error) {
	c.as = as
	keep := exec.Command("sh", "-c", keeper, "keeper", programs, dir)
	attributes := *as
	attributes.Setpgid = true // it must survive an interrupt from the terminal
	keep.SysProcAttr, keep.Dir = &attributes, dir
	if c.commands, err = keep.StdinPipe(); err != nil {
		return err
	}
	answers, err := keep.StdoutPipe()
	if err != nil {
		return err
	}
	c.done = bufio.NewReader(answers)
	return keep.Start()
}

// send sends the keeper a command and returns when it is done.
func (c *Cluster) send(command string) error {
	if _, err := fmt.Fprintln(c.commands, command); err != nil {
		return err
	}
	_, err := c.done.ReadString('\n')
	return err
}

// up starts the server and returns when it takes connections.
func (c *Cluster) up() error {
	if err := c.send("start"); err != nil {
		return err
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		err := execute(c.url, "SELECT 1")
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

// find returns the directory of PostgreSQL's programs: from PATH, or Debian's directory of the newest
// version.
func find() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errors.New("PostgreSQL is missing, which the tests need: apt-get install postgresql")
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		return n
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })), nil
}

// chownToServerUser gives a directory to an unprivileged user, because PostgreSQL refuses to run as root.
func chownToServerUser(dir string) (*syscall.SysProcAttr, error) {
	if os.Getuid() != 0 {
		return &syscall.SysProcAttr{}, nil
	}
	who, err := user.Lookup("postgres")
	if err != nil {
		if who, err = user.Lookup("nobody"); err != nil {
			return nil, err
		}
	}
	uid, err := strconv.Atoi(who.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(who.Gid)
	if err != nil {
		return nil, err
	}
	as := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return as, os.Chown(dir, uid, gid)
}
