package supervisor

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

// messagesFD is where a supervisor finds its pipe to the server: the first after the three standard files.
const messagesFD = 3

// Main makes a supervisor of this process and does not return, when it was started as one. Otherwise it does
// nothing.
func Main() {
	if len(os.Args) != 2 || os.Args[1] != argument {
		return
	}
	runtime.LockOSThread() // the command is to die with this thread, see start
	// Signals are for the command, from its server. Caught rather than ignored: that would be inherited.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT)
	syscall.CloseOnExec(messagesFD)
	server := json.NewEncoder(os.NewFile(messagesFD, "messages"))
	orders := json.NewDecoder(os.Stdin)
	var spec Spec
	if err := orders.Decode(&spec); err != nil {
		os.Exit(1) // the server died first, or this was started by hand
	}
	result := supervise(spec, orders, server)
	if spec.RemoveDir {
		_ = os.RemoveAll(spec.Dir)
	}
	_ = server.Encode(message{Ended: &result})
	os.Exit(0)
}

// supervise runs the command and returns when nothing of it is left.
func supervise(spec Spec, orders *json.Decoder, server *json.Encoder) Result {
	if err := adoptOrphans(); err != nil {
		return Result{Problem: err.Error()}
	}
	pid, err := start(spec)
	if err != nil {
		return Result{Problem: err.Error()}
	}
	_ = server.Encode(message{Started: pid})
	s := &supervision{pid: pid, ended: make(chan syscall.WaitStatus, 1), alone: make(chan struct{})}
	s.renew(spec.Lease)
	go s.reap()
	return s.run(listen(orders))
}

// start starts the command as the leader of a process group of its own. Should this process die by SIGKILL,
// the command does, too.
func start(spec Spec) (pid int, err error) {
	cmd := &exec.Cmd{
		Path: spec.Path, Args: spec.Args, Dir: spec.Dir, Env: spec.Env, Stdout: os.Stdout, Stderr: os.Stderr,
		SysProcAttr: attributes(),
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	// Else the output would not end with those who write it.
	return cmd.Process.Pid, errors.Join(os.Stdout.Close(), os.Stderr.Close())
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

// supervision is the life of one command.
type supervision struct {
	pid   int
	ended chan syscall.WaitStatus // holds one: how the command itself ended
	alone chan struct{}           // closed when nothing of it is left

	result   Result
	deadline <-chan time.Time
	lease    <-chan time.Time // nil: it may run for ever
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

// run returns how the command ended when nothing of it is left. When the server dies, nobody wants it any more,
// and it must not meet the next attempt: it gets no grace.
func (s *supervision) run(orders <-chan order) Result {
	running := true
	for {
		select {
		case status := <-s.ended:
			running = false
			s.result.Code, s.result.Signal = status.ExitStatus(), 0
			if status.Signaled() {
				s.result.Signal = status.Signal()
			}
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
	}
}

// finish takes in the end of the command when that came at the same moment as the end of all.
func (s *supervision) finish() Result {
	select {
	case status := <-s.ended:
		s.result.Code = status.ExitStatus()
		if status.Signaled() {
			s.result.Signal = status.Signal()
		}
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

// kill ends everything. It is done again soon: what is being started just now may have been missed.
func (s *supervision) kill() {
	s.signal(syscall.SIGKILL)
	s.deadline = time.After(10 * time.Millisecond)
}

// signal reaches the command's group, and those of its descendants who have left it.
func (s *supervision) signal(signal syscall.Signal) {
	_ = syscall.Kill(-s.pid, signal)
	for _, pid := range descendants(os.Getpid()) {
		_ = syscall.Kill(pid, signal)
	}
}
