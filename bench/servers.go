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

// servers are those that peers need: a PostgreSQL and a Redis of our own, on loopback, with files of their own.
type servers struct {
	dir       string
	at        addresses
	processes []*exec.Cmd
}

// addresses say where the servers are.
type addresses struct {
	Postgres, Redis string // URLs, or host and port
	Processes       [2]int // their ids
}

func (a addresses) postgresPID() int { return a.Processes[0] }
func (a addresses) redisPID() int    { return a.Processes[1] }

// start starts them once, and installs them where they are missing and that is possible.
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

func (s *servers) stop() {
	for _, process := range s.processes {
		_ = process.Process.Signal(syscall.SIGINT)
		_ = process.Wait()
	}
}

// end stops one of them.
func (s *servers) end(process *exec.Cmd) {
	s.processes = slices.DeleteFunc(s.processes, func(one *exec.Cmd) bool { return one == process })
	_ = process.Process.Signal(syscall.SIGINT)
	_ = process.Wait()
}

// installed is the directory with PostgreSQL's programs.
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
	install := exec.Command("sh", "-c", "apt-get update -q && apt-get install -y -q --no-install-recommends postgresql redis-server")
	install.Stdout, install.Stderr = os.Stderr, os.Stderr
	if err := install.Run(); err != nil {
		return "", fmt.Errorf("the peers need PostgreSQL and Redis: apt-get install postgresql redis-server (%w)", err)
	}
	if dir := find(); dir != "" {
		return dir, nil
	}
	return "", errors.New("PostgreSQL and Redis were installed and are not there")
}

// unprivileged lets a program run as somebody who is not root: PostgreSQL refuses to.
func unprivileged(cmd *exec.Cmd, dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	const nobody = 65534
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	cmd.Dir = dir
	return os.Chown(dir, nobody, nobody)
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
	initdb := exec.Command(programs+"/initdb", "-D", data, "-U", "bench", "--auth=trust", "--no-locale", "-E", "UTF8")
	if err := unprivileged(initdb, dir); err != nil {
		return err
	}
	if output, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, output)
	}
	server := exec.Command(programs+"/postgres", "-D", data, "-h", "127.0.0.1", "-p", strconv.Itoa(port), "-k", dir,
		"-c", "shared_buffers=256MB", "-c", "max_wal_size=2GB", "-c", "logging_collector=off", "-c", "log_min_messages=fatal")
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
	server := exec.Command("redis-server", "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", s.dir,
		"--appendonly", "yes", "--save", "", "--loglevel", "warning")
	s.at.Redis = fmt.Sprintf("127.0.0.1:%d", port)
	s.at.Processes[1], err = s.run(server, port)
	return err
}

// run starts a server and waits until it listens.
func (s *servers) run(server *exec.Cmd, port int) (pid int, err error) {
	if err := server.Start(); err != nil {
		return 0, err
	}
	s.processes = append(s.processes, server)
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			time.Sleep(200 * time.Millisecond) // PostgreSQL listens a moment before it serves
			return server.Process.Pid, conn.Close()
		}
	}
	return 0, errors.New("it does not listen: " + strings.Join(server.Args, " "))
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
