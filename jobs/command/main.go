package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// socketFD is where a supervisor finds its socket to the server: the first after the three standard files.
const socketFD = 3

// Main makes a supervisor of this process and does not return, when it was started as one. Otherwise it does
// nothing.
func Main() {
	if len(os.Args) != 2 || os.Args[1] != argument {
		return
	}
	runtime.LockOSThread() // the command is to die with this thread, see start
	// Signals are for the command, from its server. Caught rather than ignored: that would be inherited.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT)
	protected := protect()
	socket := os.NewFile(socketFD, "server")
	server, orders := json.NewEncoder(socket), json.NewDecoder(socket)
	var spec Spec
	if err := orders.Decode(&spec); err != nil {
		os.Exit(1) // the server died first, or this was started by hand
	}
	var result Result
	if protected != nil {
		result.Problem = protected.Error()
	} else {
		result = supervise(spec, orders, server)
	}
	if spec.RemoveDir && result.Left == "" {
		_ = RemoveTree(spec.Dir) // the server tries again, and says why it fails
	}
	removeCgroup(spec.Cgroup)
	_ = server.Encode(message{Ended: &result})
	os.Exit(0)
}

// supervise runs the command and returns when nothing of it is left, or when what is left cannot be killed.
func supervise(spec Spec, orders *json.Decoder, server *json.Encoder) Result {
	if err := adoptOrphans(); err != nil {
		return Result{Problem: err.Error()}
	}
	if spec.RemoveDir {
		lock, err := LockDir(spec.Dir) // as long as this process lives
		if IsScarce(err) {
			return Result{Problem: err.Error(), Scarce: true}
		}
		defer lock.Close()
	}
	pid, err := start(spec)
	if err == nil { // else the output would not end with those who write it
		err = errors.Join(os.Stdout.Close(), os.Stderr.Close())
	}
	if err != nil {
		return Result{Problem: err.Error(), Scarce: IsScarce(err)}
	}
	_ = server.Encode(message{Started: pid})
	s := &supervision{
		pid: pid, cgroup: spec.Cgroup, ended: make(chan syscall.WaitStatus, 1), alone: make(chan struct{}),
	}
	s.renew(spec.Lease)
	go s.reap()
	return s.run(listen(orders))
}

// start starts the command as the leader of a process group of its own. Should this process die by SIGKILL,
// the command does, too.
func start(spec Spec) (pid int, err error) {
	if _, err := os.Stat(spec.Dir); err != nil { // else the error would blame the program
		return 0, fmt.Errorf("the directory cannot be used: %w", err)
	}
	cgroup := openCgroup(spec.Cgroup)
	if cgroup != nil {
		defer cgroup.Close()
	}
	cmd, err := startIn(spec, cgroup)
	if err != nil && cgroup != nil && !interfered(err) { // it can be made, but a process may not be allowed to begin there
		cmd, err = startIn(spec, nil)
	}
	if err != nil {
		return 0, explain(err, spec)
	}
	return cmd.Process.Pid, nil
}

// startIn starts the command in a cgroup, unless that is nil.
func startIn(spec Spec, cgroup *os.File) (cmd *exec.Cmd, err error) {
	cmd = &exec.Cmd{
		Path: spec.Path, Args: spec.Args, Dir: spec.Dir, Env: spec.Env, Stdout: os.Stdout, Stderr: os.Stderr,
	}
	if cmd.SysProcAttr, err = attributes(spec.User, cgroup); err != nil {
		return nil, err
	}
	return cmd, cmd.Start()
}

// maxErrno is the highest error number of Linux.
const maxErrno = 4095

// interfered reports whether an error of a start was made up by the command. The pipe by which the start hears of an
// error is open for a moment after the command has begun, and root can write to it by way of /proc. Such a command
// has run and must not be started again.
func interfered(err error) bool {
	var errno syscall.Errno
	return errors.As(err, &errno) && errno > maxErrno
}

// explain makes an error of starting a program say what is wrong, where the system's own words mislead.
func explain(err error, spec Spec) error {
	switch {
	case interfered(err):
		return errors.New("it wrote to the open files of its supervisor")
	case errors.Is(err, syscall.ENOENT):
		if _, missing := os.Stat(spec.Path); missing == nil {
			return fmt.Errorf("the interpreter that the first line of %s names does not exist", spec.Path)
		}
	case errors.Is(err, syscall.EACCES) && spec.User != nil:
		return fmt.Errorf("%s may not run %s in %s", spec.User.Name, spec.Path, spec.Dir)
	case errors.Is(err, syscall.ENOEXEC):
		return fmt.Errorf("%w: it is no program, and has no first line like #!/bin/sh", err)
	}
	return err
}

// IsScarce reports whether an error means that something is used up that there may be more of soon:
// descriptors, processes or memory.
func IsScarce(err error) bool {
	number, ok := errors.AsType[syscall.Errno](err)
	scarce := []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.EAGAIN, syscall.ENOMEM, syscall.ENOBUFS}
	return ok && slices.Contains(scarce, number)
}

// listen returns the orders of the server. The channel is closed when the server has died.
func listen(orders *json.Decoder) <-chan order {
	heard := make(chan order)
	go func() {
		defer close(heard)
		for {
			var next order
			if err := orders.Decode(&next); err != nil {
				return
			}
			heard <- next
		}
	}()
	return heard
}

// leftoverGrace is how long what the command leaves running may take to stop.
const leftoverGrace = 2 * time.Second

// How long a supervisor goes on killing. It looks at all processes each time, so it rests longer and longer.
const (
	firstRest = 10 * time.Millisecond
	longRest  = 500 * time.Millisecond
	// foreignBound is for processes that belong to another user by now, as those of sudo: no signal reaches
	// them.
	foreignBound = time.Second
	// stubbornBound is for those that a signal has reached and that do not end, because they wait for a disk.
	stubbornBound = 10 * time.Second
)

// supervision is the life of one command.
type supervision struct {
	pid    int
	cgroup string
	ended  chan syscall.WaitStatus // holds one: how the command itself ended
	alone  chan struct{}           // closed when nothing of it is left

	result   Result
	deadline <-chan time.Time
	lease    <-chan time.Time // nil: it may run for ever
	killing  time.Time        // since when; zero: not yet
	rest     time.Duration    // before the next try
}

// reap waits for all children, those that were adopted included.
func (s *supervision) reap() {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil: // no child is left
			close(s.alone)
			return
		case pid == s.pid:
			s.ended <- status
		}
	}
}

// run returns how the command ended when nothing of it is left that can be killed. When the server dies, the
// command gets no grace: it must not meet the next attempt.
func (s *supervision) run(orders <-chan order) Result {
	running := true
	for {
		select {
		case status := <-s.ended:
			running = false
			s.note(status)
			s.stop(leftoverGrace)
		case next, open := <-orders:
			switch {
			case !open:
				orders = nil
				s.kill()
			case next.Lease > 0:
				s.renew(next.Lease)
			case running:
				s.result.Stopped = true
				s.stop(next.StopWithin)
			}
		case <-s.lease:
			s.result.Stopped = s.result.Stopped || running
			s.kill()
		case <-s.deadline:
			s.result.Killed = s.result.Killed || running
			s.kill()
		case <-s.alone:
			return s.finish()
		}
		if s.result.Left != "" {
			return s.finish()
		}
	}
}

// note takes in how the command itself ended.
func (s *supervision) note(status syscall.WaitStatus) {
	s.result.Code = status.ExitStatus()
	if status.Signaled() {
		s.result.Signal = status.Signal()
	}
}

// finish takes in the end of the command when that came at the same moment as the end of all.
func (s *supervision) finish() Result {
	select {
	case status := <-s.ended:
		s.note(status)
	default:
	}
	return s.result
}

// renew has the command killed after this time, and not after the one before.
func (s *supervision) renew(lease time.Duration) {
	if lease > 0 {
		s.lease = time.After(lease)
	}
}

func (s *supervision) stop(grace time.Duration) {
	s.signal(syscall.SIGTERM)
	if s.deadline == nil {
		s.deadline = time.After(grace)
	}
}

// kill ends everything. It is done again soon: what is being started just now may have been missed. It gives
// up what it cannot kill.
func (s *supervision) kill() {
	now := time.Now()
	if s.killing.IsZero() {
		s.killing, s.rest = now, firstRest
	}
	killCgroup(s.cgroup)
	left, foreign := s.signal(syscall.SIGKILL)
	tried := now.Sub(s.killing)
	if tried > stubbornBound && len(left) > 0 || tried > foreignBound && foreign > 0 && foreign == len(left) {
		s.result.Left = describe(left)
		return
	}
	s.deadline = time.After(s.rest)
	s.rest = min(2*s.rest, longRest)
}

// signal reaches the command's group, and those of its descendants who have left it. It returns the
// descendants, and how many of them it may not send signals to.
func (s *supervision) signal(signal syscall.Signal) (all []process, foreign int) {
	_ = syscall.Kill(-s.pid, signal)
	for _, p := range descendants(os.Getpid()) {
		if p.state == zombie {
			continue
		}
		all = append(all, p)
		if err := syscall.Kill(p.pid, signal); errors.Is(err, syscall.EPERM) {
			foreign++
		}
	}
	return all, foreign
}
