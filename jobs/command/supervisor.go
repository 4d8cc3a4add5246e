// Package command runs a command so that nothing of it is left behind, whatever happens. Each command gets
// a small process of its own above it, the supervisor, which is this very program started with another
// purpose. It holds a socket whose other end only the server has: when the server dies, even by SIGKILL, the
// supervisor reads the end of it and kills the command with all its descendants. A parent-death signal would
// reach the child only, and a process group not those who have left it.
//
// A command of the same user can stop or kill its supervisor. So the server keeps deadlines of its own: it
// continues a supervisor that is stopped, kills one that does not do its work, and then what is left of the
// command. Where a cgroup can be made, the command is in one of its own, and is killed by it.
//
// A program that uses the package must call Main first of all, and a server Guard next.
package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Spec is what to run and how.
type Spec struct {
	Path string   // of the program
	Args []string // with the name of the program as the first
	Dir  string   // where it runs
	Env  []string // all of its environment, to which Instance is added
	User *User    // whom it runs as; nil: the user of the server
	// RemoveDir has Dir removed, with all that is in it, when nothing of the command is left.
	RemoveDir bool
	// Lease is how long the command may run unless Renew says otherwise; 0 is without an end. After that it
	// is killed, also when the server is stopped.
	Lease time.Duration

	Cgroup string // set by Start: a directory, or empty
}

// User is whom a command runs as.
type User struct {
	UID, GID uint32
	Groups   []uint32 // beside GID
	Name     string
	Home     string
}

// Result is how a command ended.
type Result struct {
	// Problem is why it could not be run; then the rest means nothing. Scarce says that it can be run when
	// there is more of something again: descriptors, processes or memory.
	Problem string `json:"problem,omitempty"`
	Scarce  bool   `json:"scarce,omitempty"`
	// Code is the exit status, or -1 when Signal ended it.
	Code   int            `json:"code"`
	Signal syscall.Signal `json:"signal,omitempty"`
	// Stopped says that Stop was called before it ended, Killed that it had not by the end of the grace.
	Stopped bool `json:"stopped,omitempty"`
	Killed  bool `json:"killed,omitempty"`
	// Left names the processes that could not be killed. They still run.
	Left string `json:"left,omitempty"`
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

// When the server does itself what a supervisor should have done.
const (
	watchEvery = time.Second      // how often it looks after the supervisor
	interfere  = 2 * time.Second  // this long after the grace it kills what the supervisor has not
	giveUp     = 15 * time.Second // and after this long the supervisor as well
	mostStops  = 5                // it does the same when the supervisor has been found stopped so often
)

// Process is a command that runs. Stop and Renew may be called by any goroutine, Wait once.
type Process struct {
	supervisor *exec.Cmd
	socket     *os.File // never closed before the end: that kills the command
	cgroup     string

	mu       sync.Mutex
	deadline time.Time // when the command should have ended; zero: not yet
	over     chan struct{}
}

// Start runs a command. Its output goes to the two files, which the caller may close when Start has returned.
func Start(spec Spec, stdout, stderr *os.File) (*Process, error) {
	socket, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	cmd := exec.Command("/proc/self/exe") // this program, also when its file has been replaced
	cmd.Args = []string{filepath.Base(os.Args[0]), argument}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Env = []string{"GOMAXPROCS=1"} // it mostly waits
	// In a session of its own: so what it leaves when it dies is known from other children of the server.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := family.start(cmd); err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	spec.Env = append(spec.Env[:len(spec.Env):len(spec.Env)], instanceName+"="+instance())
	spec.Cgroup = newCgroup()
	p := &Process{supervisor: cmd, socket: socket, cgroup: spec.Cgroup, over: make(chan struct{})}
	if err := json.NewEncoder(socket).Encode(spec); err != nil {
		return nil, errors.Join(err, p.abandon(), socket.Close())
	}
	go p.watch()
	return p, nil
}

// Stop asks the command to stop: SIGTERM to all of it now, and SIGKILL when it has not ended within the
// grace.
func (p *Process) Stop(grace time.Duration) {
	p.mu.Lock()
	if p.deadline.IsZero() {
		p.deadline = time.Now().Add(grace)
	}
	p.mu.Unlock()
	_ = json.NewEncoder(p.socket).Encode(order{StopWithin: grace}) // fails when it has ended
}

// Renew has the command killed after this time, and no longer after the one that was said before.
func (p *Process) Renew(lease time.Duration) {
	_ = json.NewEncoder(p.socket).Encode(order{Lease: lease}) // fails when it has ended
}

// Wait returns how the command ended, when nothing of it is left but Result.Left.
func (p *Process) Wait() (Result, error) {
	defer p.socket.Close()
	result, err := p.listen()
	if err == nil {
		if result.Left != "" {
			family.left.Store(true)
		}
		err = family.wait(p.supervisor)
		close(p.over)
		return result, err
	}
	close(p.over)
	return result, errors.Join(err, p.abandon())
}

func (p *Process) listen() (Result, error) {
	for decoder := json.NewDecoder(p.socket); ; {
		var m message
		switch err := decoder.Decode(&m); {
		case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
			return Result{}, errors.New("its supervisor died")
		case err != nil:
			return Result{}, fmt.Errorf("its supervisor cannot be understood: %w", err)
		case m.Ended != nil:
			return *m.Ended, nil
		}
	}
}

// watch looks after the supervisor until Wait has its answer.
func (p *Process) watch() {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	pid := p.supervisor.Process.Pid
	begun, _ := readProcess(pid)
	for stops := 0; ; {
		select {
		case <-p.over:
			return
		case <-ticker.C:
		}
		now, found := readProcess(pid)
		if !found || now.start != begun.start {
			continue // it has ended, and another may have its number
		}
		if now.state == stopped { // by its command, most likely
			stops++
			_ = p.supervisor.Process.Signal(syscall.SIGCONT)
		}
		late := p.late()
		if stops >= mostStops || late > interfere {
			killCgroup(p.cgroup)
			killAll(descendants(pid))
		}
		if stops >= 2*mostStops || late > giveUp {
			_ = p.supervisor.Process.Kill()
		}
	}
}

// late is how long ago the command should have ended.
func (p *Process) late() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.deadline.IsZero() {
		return 0
	}
	return time.Since(p.deadline)
}

// abandon ends a supervisor that is dead or does not do what it should, and what is left of its command.
func (p *Process) abandon() error {
	killCgroup(p.cgroup)
	_ = p.supervisor.Process.Kill()
	_ = family.wait(p.supervisor) // it was killed
	left := family.killOrphans()
	removeCgroup(p.cgroup)
	if left != "" {
		return errors.New("cannot be killed: " + left)
	}
	return nil
}
