// Package supervisor runs a command so that nothing of it is left behind, whatever happens. Each command gets a
// small process of its own above it, the supervisor, which is this very program started with another
// purpose. It holds a pipe whose other end only the server has: when the server dies, even by SIGKILL, the
// supervisor reads the end of the pipe and kills the command with all its descendants. A parent-death signal
// would reach the child only, and a process group not those who have left it.
//
// A program that uses the package must call Main first of all.
package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Spec is what to run and how.
type Spec struct {
	Path string   // of the program
	Args []string // with the name of the program as the first
	Dir  string   // where it runs
	Env  []string // all of its environment
	// RemoveDir has Dir removed, with all that is in it, when nothing of the command is left.
	RemoveDir bool
	// Lease is how long the command may run unless Renew says otherwise; 0 is without an end. After that it is killed,
	// also when the server is stopped.
	Lease time.Duration
}

// Result is how a command ended.
type Result struct {
	// Problem is why it could not be run, or followed to its end; then the rest means nothing.
	Problem string `json:"problem,omitempty"`
	// Code is the exit status, or -1 when Signal ended it.
	Code   int            `json:"code"`
	Signal syscall.Signal `json:"signal,omitempty"`
	// Stopped says that it was asked to stop before it ended, Killed that it had not by the end of the grace.
	Stopped bool `json:"stopped,omitempty"`
	Killed  bool `json:"killed,omitempty"`
}

// message is what a supervisor tells: first the process that it has started, then its end.
type message struct {
	Started int     `json:"started,omitempty"`
	Ended   *Result `json:"ended,omitempty"`
}

// order is what a supervisor is told after the Spec.
type order struct {
	StopWithin time.Duration `json:"stop_within,omitempty"`
	Lease      time.Duration `json:"lease,omitempty"` // instead of stopping it
}

// argument tells a process of this program that it is a supervisor.
const argument = "supervise-a-command"

// Process is a command that runs. Stop may be called by any goroutine, Wait once.
type Process struct {
	supervisor *exec.Cmd
	orders     *os.File // never closed before the end: that kills the command
	messages   *os.File
	group      int // the command's process group, 0 before it is known
}

// Start runs a command. Its output goes to the two files, which the caller may close when Start has returned.
func Start(spec Spec, stdout, stderr *os.File) (*Process, error) {
	ordersIn, orders, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer ordersIn.Close()
	messages, messagesOut, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, orders.Close())
	}
	defer messagesOut.Close()
	cmd := exec.Command("/proc/self/exe") // this program, also when its file has been replaced
	cmd.Args = []string{filepath.Base(os.Args[0]), argument}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = ordersIn, stdout, stderr
	cmd.ExtraFiles = []*os.File{messagesOut}
	cmd.Env = []string{"GOMAXPROCS=1"} // it mostly waits
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, orders.Close(), messages.Close())
	}
	p := &Process{supervisor: cmd, orders: orders, messages: messages}
	if err := json.NewEncoder(orders).Encode(spec); err != nil {
		return nil, errors.Join(err, p.abandon())
	}
	return p, nil
}

// Stop asks the command to stop: SIGTERM to all of it now, and SIGKILL when it has not ended within the grace.
func (p *Process) Stop(grace time.Duration) {
	_ = json.NewEncoder(p.orders).Encode(order{StopWithin: grace}) // fails when it has ended
}

// Renew has the command killed after this time, and no longer after the one that was said before.
func (p *Process) Renew(lease time.Duration) {
	_ = json.NewEncoder(p.orders).Encode(order{Lease: lease}) // fails when it has ended
}

// Wait returns how the command ended, when nothing of it is left.
func (p *Process) Wait() (Result, error) {
	defer p.messages.Close()
	defer p.orders.Close()
	result, err := p.listen()
	if err == nil {
		err = p.supervisor.Wait()
	} else {
		err = errors.Join(err, p.abandon())
	}
	return result, err
}

func (p *Process) listen() (Result, error) {
	for decoder := json.NewDecoder(p.messages); ; {
		var m message
		switch err := decoder.Decode(&m); {
		case errors.Is(err, io.EOF):
			return Result{}, errors.New("the supervisor died")
		case err != nil:
			return Result{}, fmt.Errorf("the supervisor cannot be understood: %w", err)
		case m.Ended != nil:
			return *m.Ended, nil
		}
		p.group = m.Started
	}
}

// abandon ends a supervisor that does not do what it should, and as much of its command as is known.
func (p *Process) abandon() error {
	err := p.supervisor.Process.Kill()
	if p.group > 0 {
		_ = syscall.Kill(-p.group, syscall.SIGKILL)
	}
	_ = p.supervisor.Wait() // it was killed
	return err
}
