package command

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// socketFD is the descriptor of a supervisor's socket to the server: the first one after the
// three standard files.
const socketFD = 3

// prepared says that the program has called Main.
var prepared atomic.Bool

// ErrNotPrepared says that the program has not called Main. A supervisor would then be the whole program,
// started once more.
var ErrNotPrepared = errors.New("a program that runs commands must call command.Main, " +
	"of runboard/jobs/command, before anything else")

// Prepared returns ErrNotPrepared unless the program has called Main.
func Prepared() error {
	if !prepared.Load() {
		return ErrNotPrepared
	}
	return nil
}

// Main runs the supervisor and does not return if this process was started as one. Otherwise it returns
// at once. Programs call it first of all.
func Main() {
	if len(os.Args) != 2 || os.Args[1] != supervisorArgument {
		prepared.Store(true)
		return
	}
	runtime.LockOSThread() // the parent-death signal of start is bound to this thread
	// The server signals the command through the supervisor. Catch signals rather than ignore them: the
	// command would inherit ignored ones.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT)
	protected := protect()
	socket := os.NewFile(socketFD, "server")
	requests := json.NewDecoder(socket)
	var spec Spec
	if err := requests.Decode(&spec); err != nil {
		os.Exit(1) // the server died first, or a user started this by hand
	}
	var result Result
	if protected != nil {
		result.Problem = protected.Error()
	} else {
		result = supervise(spec, requests)
	}
	for _, dir := range spec.Remove {
		if result.Left == "" {
			_ = RemoveTree(dir) // on failure the server tries again and reports the error
		}
	}
	removeCgroup(spec.Cgroup)
	_ = json.NewEncoder(socket).Encode(result)
	os.Exit(0)
}

// supervise runs the command. It returns when no process of the command is left, or when the remaining
// ones cannot be killed.
func supervise(spec Spec, requests *json.Decoder) Result {
	if err := adoptOrphans(); err != nil {
		return Result{Problem: err.Error()}
	}
	for _, dir := range spec.Remove {
		lock, err := LockDir(dir) // held until this process exits
		if IsScarce(err) {
			return Result{Problem: err.Error(), Scarce: true}
		}
		defer lock.Close()
	}
	pid, err := start(spec)
	if err == nil { // otherwise the server would never read the end of the output
		err = errors.Join(os.Stdout.Close(), os.Stderr.Close())
	}
	if err != nil {
		return Result{Problem: err.Error(), Scarce: IsScarce(err)}
	}
	s := &supervision{
		pid: pid, cgroup: spec.Cgroup, exited: make(chan syscall.WaitStatus, 1),
		allExited: make(chan struct{}),
	}
	s.renew(spec.Lease)
	go s.reap()
	return s.run(listen(requests))
}

// start starts the command as the leader of a new process group. The command dies with this process, even
// if that is killed by SIGKILL.
func start(spec Spec) (pid int, err error) {
	if _, err := os.Stat(spec.Dir); err != nil { // otherwise the error would blame the program
		return 0, fmt.Errorf("the directory cannot be used: %w", err)
	}
	cgroup := openCgroup(spec.Cgroup)
	if cgroup != nil {
		defer cgroup.Close()
	}
	cmd, err := startIn(spec, cgroup)
	// In some containers a cgroup can be created, but no process may be started in it.
	if err != nil && cgroup != nil && !isForged(err) {
		cmd, err = startIn(spec, nil)
	}
	if err != nil {
		return 0, explain(err, spec)
	}
	return cmd.Process.Pid, nil
}

// startIn starts the command in the given cgroup, or in the supervisor's own if cgroup is nil.
func startIn(spec Spec, cgroup *os.File) (cmd *exec.Cmd, err error) {
	cmd = &exec.Cmd{
		Path: spec.Path, Args: spec.Args, Dir: spec.Dir, Env: spec.Env, Stdout: os.Stdout, Stderr: os.Stderr,
	}
	if cmd.SysProcAttr, err = attributes(spec.User, cgroup); err != nil {
		return nil, err
	}
	return cmd, cmd.Start()
}

// maxErrno is the highest errno that Linux returns.
const maxErrno = 4095

// isForged reports whether the command forged the error of its own start. The pipe that reports start
// errors stays open for a moment after the command has begun, and root can write to it through /proc.
// Such a command has already run and must not be started again.
func isForged(err error) bool {
	var errno syscall.Errno
	return errors.As(err, &errno) && errno > maxErrno
}

// explain replaces start errors whose text from the system misleads. For example, ENOENT names the script
// when its interpreter is missing.
func explain(err error, spec Spec) error {
	switch {
	case isForged(err):
		return errors.New("it wrote to the open files of its supervisor")
	case errors.Is(err, syscall.ENOENT):
		if _, missing := os.Stat(spec.Path); missing == nil {
			return explainInterpreter(spec.Path)
		}
	case errors.Is(err, syscall.EACCES) && spec.User != nil:
		return fmt.Errorf("%s may not run %s in %s", spec.User.Name, spec.Path, spec.Dir)
	case errors.Is(err, syscall.ENOEXEC):
		return fmt.Errorf("%w: it is no program, and has no first line like #!/bin/sh", err)
	}
	return err
}

// IsScarce reports whether err means that descriptors, processes or memory are used up for now. A
// caller can retry later.
func IsScarce(err error) bool {
	number, ok := errors.AsType[syscall.Errno](err)
	scarce := []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.EAGAIN, syscall.ENOMEM, syscall.ENOBUFS}
	return ok && slices.Contains(scarce, number)
}

// listen returns the server's requests as a channel. It closes the channel when the server has died.
func listen(requests *json.Decoder) <-chan request {
	received := make(chan request)
	go func() {
		defer close(received)
		for {
			var next request
			if err := requests.Decode(&next); err != nil {
				return
			}
			received <- next
		}
	}()
	return received
}

// leftoverGrace is how long processes may take to stop after the command itself has exited
// and left them running.
const leftoverGrace = 2 * time.Second

// Timing of the attempts to kill a command. Each attempt scans all processes, so the pause doubles from
// minPause to maxPause.
const (
	minPause = 10 * time.Millisecond
	maxPause = 500 * time.Millisecond
	// foreignKillTimeout limits the attempts if all remaining processes belong to another user, for instance
	// after sudo. This process may not signal them.
	foreignKillTimeout = time.Second
	// killTimeout limits the attempts to kill processes that received the signal but do not exit,
	// because they wait for a disk.
	killTimeout = 10 * time.Second
)

// supervision is the state of one supervised command.
type supervision struct {
	pid       int
	cgroup    string
	exited    chan syscall.WaitStatus // buffered; receives the command's own exit status
	allExited chan struct{}           // closed when no process of the command is left

	result   Result
	deadline <-chan time.Time
	lease    <-chan time.Time // fires when the lease ends; nil: no limit
	killing  time.Time        // when killing began; zero: not yet
	pause    time.Duration    // before the next attempt to kill
}

// reap waits for all children, including adopted ones, until none is left.
func (s *supervision) reap() {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil: // no child is left
			close(s.allExited)
			return
		case pid == s.pid:
			s.exited <- status
		}
	}
}

// run returns the command's result when no killable process of it is left. If the server dies, run kills
// the command at once, without grace: it must not overlap with the next attempt.
func (s *supervision) run(requests <-chan request) Result {
	running := true
	for {
		select {
		case status := <-s.exited:
			running = false
			s.recordExit(status)
			s.stop(leftoverGrace)
		case next, open := <-requests:
			switch {
			case !open:
				requests = nil
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
		case <-s.allExited:
			return s.finish()
		}
		if s.result.Left != "" {
			return s.finish()
		}
	}
}

// recordExit records the command's own exit status.
func (s *supervision) recordExit(status syscall.WaitStatus) {
	s.result.Code = status.ExitStatus()
	if status.Signaled() {
		s.result.Signal = status.Signal()
	}
}

// finish returns the result. It first records the exit status, in case that arrived together with the
// end of all processes.
func (s *supervision) finish() Result {
	select {
	case status := <-s.exited:
		s.recordExit(status)
	default:
	}
	return s.result
}

// renew replaces the remaining lease: the command is killed when the new one ends.
func (s *supervision) renew(lease time.Duration) {
	if lease > 0 {
		s.lease = time.After(lease)
	}
}

// stop sends SIGTERM and sets the deadline for SIGKILL. A second call does not extend the deadline.
func (s *supervision) stop(grace time.Duration) {
	s.signal(syscall.SIGTERM)
	if s.deadline == nil {
		s.deadline = time.After(grace)
	}
}

// kill kills all processes of the command and schedules another attempt, because a process that is just
// being forked may be missed. After foreignKillTimeout or killTimeout it sets Result.Left and stops trying.
func (s *supervision) kill() {
	now := time.Now()
	if s.killing.IsZero() {
		s.killing, s.pause = now, minPause
	}
	killCgroup(s.cgroup)
	left, foreign := s.signal(syscall.SIGKILL)
	tried := now.Sub(s.killing)
	allForeign := foreign > 0 && foreign == len(left)
	if tried > killTimeout && len(left) > 0 || tried > foreignKillTimeout && allForeign {
		s.result.Left = describe(left)
		return
	}
	s.deadline = time.After(s.pause)
	s.pause = min(2*s.pause, maxPause)
}

// signal sends a signal to the command's process group and to descendants that have left the group. It
// returns the living descendants, and how many of them it lacks the permission to signal.
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

// explainInterpreter explains why a script that exists cannot be started.
func explainInterpreter(script string) error {
	text := fmt.Sprintf("the interpreter that the first line of %s names does not exist", script)
	file, err := os.Open(script)
	if err != nil {
		return errors.New(text)
	}
	defer file.Close()
	line, _ := bufio.NewReader(io.LimitReader(file, maxFirstLine)).ReadString('\n')
	if strings.HasSuffix(line, "\r\n") {
		text += ": lines must end with LF, not with CRLF as on Windows"
	}
	return errors.New(text)
}

// maxFirstLine is how many bytes of the first line of a script Linux reads.
const maxFirstLine = 256
