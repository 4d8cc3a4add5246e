package pgtest

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
)

// Socket returns the address at which the server listens.
func (c *Cluster) Socket() net.Addr {
	c.t.Helper()
	parsed, err := url.Parse(c.url)
	if err != nil {
		c.t.Fatalf("%v", err)
	}
	return &net.UnixAddr{Net: "unix", Name: filepath.Join(parsed.Query().Get("host"), ".s.PGSQL.5432")}
}

// StartStandby starts a server that replicates this one: from now on, no commit is acknowledged before the
// standby has it. The standby is removed when the test ends.
func (c *Cluster) StartStandby() *Cluster {
	c.t.Helper()
	standby, err := c.startStandby()
	if err != nil {
		c.t.Fatalf("cannot start a standby: %v", err)
	}
	standby.t = c.t
	c.t.Cleanup(func() { _ = standby.send("end") })
	for _, statement := range []string{
		"ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()",
	} {
		if err := execute(c.url, statement); err != nil {
			c.t.Fatalf("cannot replicate synchronously: %v", err)
		}
	}
	return standby
}

func (c *Cluster) startStandby() (*Cluster, error) {
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
	backup := exec.Command(filepath.Join(programs, "pg_basebackup"), "--pgdata="+filepath.Join(dir, "data"),
		"--dbname="+c.url, "--write-recovery-conf", "--checkpoint=fast", "--no-sync")
	backup.SysProcAttr, backup.Dir = as, dir
	if output, err := backup.CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("pg_basebackup: %w: %s", err, output), os.RemoveAll(dir))
	}
	standby := &Cluster{url: "postgres://postgres@/postgres?host=" + dir}
	if err := standby.keep(programs, dir, as); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return standby, standby.up()
}

// Promote makes a standby the primary server, and returns when it takes writes.
func (c *Cluster) Promote() {
	c.t.Helper()
	if err := execute(c.url, "SELECT pg_promote()"); err != nil {
		c.t.Fatalf("cannot promote the standby: %v", err)
	}
}
