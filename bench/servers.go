package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// servers are the PostgreSQL and the Redis that the peers need. Both run on loopback, with their files in
// dir.
type servers struct {
	dir       string
	at        addresses
	processes []*exec.Cmd
}

// addresses are the addresses and processes of the servers.
type addresses struct {
	Postgres, Redis string // a URL; a host and port
	Processes       [2]int // pids of PostgreSQL and Redis
}

func (a addresses) postgresPID() int { return a.Processes[0] }
func (a addresses) redisPID() int    { return a.Processes[1] }

// start starts the servers on the first call, and returns their addresses. It installs them with apt-get if
// they are missing.
func (s *servers) start() (addresses, error) {
	if s.at.Redis != "" {
		return s.at, nil
	}
	programs, err := installed()
	if err != nil {
		return s.at, err
	}
	if err := s.startPostgres(programs); err != nil {
		return s.at, fmt.Errorf("PostgreSQL: %w", err)
	}
	return s.at, s.startRedis()
}

// stop interrupts all servers and waits until they have exited.
func (s *servers) stop() {
	for _, process := range s.processes {
		_ = process.Process.Signal(syscall.SIGINT)
		_ = process.Wait()
	}
}

// end interrupts one server that run has started, and waits until it has exited.
func (s *servers) end(process *exec.Cmd) {
	s.processes = slices.DeleteFunc(s.processes, func(one *exec.Cmd) bool { return one == process })
	_ = process.Process.Signal(syscall.SIGINT)
	_ = process.Wait()
}

// installed returns the directory of PostgreSQL's programs. It installs PostgreSQL and Redis if one is
// missing.
func installed() (string, error) {
	find := func() string {
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
		if _, err := exec.LookPath("redis-server"); err != nil || len(found) == 0 {
			return ""
		}
		return filepath.Dir(found[len(found)-1])
	}
	if dir := find(); dir != "" {
		return dir, nil
	}
	install := exec.Command("sh", "-c",
		"apt-get update -q && apt-get install -y -q --no-install-recommends postgresql redis-server")
	install.Stdout, install.Stderr = os.Stderr, os.Stderr
	if err := install.Run(); err != nil {
		return "",
			fmt.Errorf("the peers need PostgreSQL and Redis: apt-get install postgresql redis-server (%w)",
				err)
	}
	if dir := find(); dir != "" {
		return dir, nil
	}
	return "", errors.New("PostgreSQL and Redis were installed and are not there")
}

// unprivileged makes a command of root run as a user without rights, which becomes the owner of dir:
// PostgreSQL refuses to run as root.
func unprivileged(cmd *exec.Cmd, dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	const overflow = 65534 // the user of this number owns nothing
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: overflow, Gid: overflow}}
	cmd.Dir = dir
	return os.Chown(dir, overflow, overflow)
}

func (s *servers) startPostgres(programs string) error {
	dir := filepath.Join(s.dir, "postgres")
	if err := errors.Join(os.Chmod(s.dir, 0o755), os.Mkdir(dir, 0o700)); err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	data := filepath.Join(dir, "data")
	initdb := exec.Command(programs+"/initdb", "-D", data, "-U", "bench", "--auth=trust", "--no-locale", "-E",
		"UTF8")
	if err := unprivileged(initdb, dir); err != nil {
		return err
	}
	if output, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, output)
	}
	server := exec.Command(programs+"/postgres", "-D", data, "-h", "127.0.0.1", "-p", strconv.Itoa(port),
		"-k", dir,
		"-c", "shared_buffers=256MB", "-c", "max_wal_size=2GB", "-c", "logging_collector=off", "-c",
		"log_min_messages=fatal")
	if err := unprivileged(server, dir); err != nil {
		return err
	}
	s.at.Postgres = fmt.Sprintf("postgres://bench@127.0.0.1:%d/postgres", port)
	s.at.Processes[0], err = s.run(server, port)
	return err
}

func (s *servers) startRedis() error {
	port, err := freePort()
	if err != nil {
		return err
	}
	server := exec.Command("redis-server", "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir",
		s.dir,
		"--appendonly", "yes", "--save", "", "--loglevel", "warning")
	s.at.Redis = fmt.Sprintf("127.0.0.1:%d", port)
	s.at.Processes[1], err = s.run(server, port)
	return err
}

// run starts a server and waits up to 30 seconds until it accepts connections on the port of loopback.
func (s *servers) run(server *exec.Cmd, port int) (pid int, err error) {
	if err := server.Start(); err != nil {
		return 0, err
	}
	s.processes = append(s.processes, server)
	deadline := time.Now().Add(30 * time.Second)
	for ; time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			time.Sleep(200 * time.Millisecond) // PostgreSQL listens shortly before it serves
			return server.Process.Pid, conn.Close()
		}
	}
	return 0, errors.New("it does not listen: " + strings.Join(server.Args, " "))
}

// freePort returns a port of loopback that is free now.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
