// Package command runs commands and leaves no process behind, whatever happens. Each command runs below
// a small process of its own, the supervisor. The supervisor is this same program, started with a
// special argument. It holds one end of a socket, and only the server holds the other: when the server
// dies, even by SIGKILL, the supervisor reads EOF and kills the command with all its descendants. A
// parent-death signal would reach only the child, and a signal to the process group would miss
// processes that have left the group.
//
// A command of the same user can stop or kill its supervisor. So the server enforces deadlines of its own:
// it continues a stopped supervisor, kills a supervisor that does not do its work, and then kills what is
// left of the command. Where a cgroup can be created, the command runs in its own and is killed through it.
//
// A program that uses the package must call Main first of all. A server must call Guard next.
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

// Spec describes the command to run.
type Spec struct {
	Path string // path of the program
	Args Texts  // Args[0] is the name of the program
	Dir  string // working directory
	Env  Texts  // the whole environment; Start adds the instance of this server
	User *User  // user to run as; nil: the user of the server
	// Remove are directories to remove, with their contents, when no process of the command is left.
	Remove []string
	// Lease is how long the command may run unless Renew replaces it; 0 means no limit. The supervisor
	// kills the command when the lease ends, even if the server is stopped at that time.
	Lease time.Duration

	Cgroup string // directory of the cgroup, or empty; set by Start
}

// Texts are texts of any bytes. As JSON they are arrays of base64, because JSON would replace invalid UTF-8.
type Texts []string

// MarshalJSON implements json.Marshaler.
func (t Texts) MarshalJSON() ([]byte, error) {
	encoded := make([][]byte, len(t))
	for i, text := range t {
		encoded[i] = []byte(text)
	}
	return json.Marshal(encoded)
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *Texts) UnmarshalJSON(encoded []byte) error {
	var decoded [][]byte
	if err := json.Unmarshal(encoded, &decoded); err != nil {
		return err
	}
	for _, text := range decoded {
		*t = append(*t, string(text))
	}
	return nil
}

// User is the user that a command runs as.
type User struct {
	UID, GID uint32
	Groups   []uint32 // supplementary groups, in addition to GID
	Name     string
	Home     string
}

// Result describes how a command ended.
type Result struct {
	// Problem says why the command could not be run; the other fields but Scarce are meaningless then.
	// Scarce reports that descriptors, processes or memory were used up, so a later try may succeed.
	Problem string `json:"problem,omitempty"`
	Scarce  bool   `json:"scarce,omitempty"`
	// Code is the exit status, or -1 if Signal ended the command.
	Code   int            `json:"code"`
	Signal syscall.Signal `json:"signal,omitempty"`
	// Stopped reports that the command was told to stop, or lost its lease, before it ended. Killed
	// reports that it was still running when the grace ended.
	Stopped bool `json:"stopped,omitempty"`
	Killed  bool `json:"killed,omitempty"`
	// Left names the processes that could not be killed and still run. It is empty if there are none.
	Left string `json:"left,omitempty"`
}

// request is sent to a supervisor after the Spec: to renew the lease if Lease is set, otherwise to stop.
type request struct {
	StopWithin time.Duration `json:"stop_within,omitempty"`
	Lease      time.Duration `json:"lease,omitempty"` // renews the lease instead of stopping the command
}

// supervisorArgument is the only argument of a process that runs as a supervisor.
const supervisorArgument = "supervise-a-command"

// Timing of the server's own enforcement, for supervisors that fail to do their work.
const (
	watchInterval     = time.Second      // between checks of the supervisor
	commandOverdue    = 2 * time.Second  // after the grace: kill what is left of the command
	supervisorOverdue = 15 * time.Second // after the grace: kill the supervisor, too
	maxStops          = 5                // times stopped: kill the command; twice as many: the supervisor
)

// Process is a running command. Any goroutine may call Stop and Renew. Call Wait exactly once.
type Process struct {
	supervisor *exec.Cmd
	socket     *os.File // closing it early would kill the command
	cgroup     string

	mu       sync.Mutex
	deadline time.Time     // when the command must have ended; zero: Stop was not called
	done     chan struct{} // closed when Wait has the result
}

// Start starts a command. Its output goes to stdout and stderr, which the caller may close after Start
// returns. The caller must call Wait. Start fails with ErrNotPrepared unless the program has called Main.
func Start(spec Spec, stdout, stderr *os.File) (*Process, error) {
	if err := Prepared(); err != nil {
		return nil, err
	}
	socket, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	cmd := exec.Command("/proc/self/exe") // works even if the file of this program has been replaced
	cmd.Args = []string{filepath.Base(os.Args[0]), supervisorArgument}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Env = []string{"GOMAXPROCS=1"} // it mostly waits
	// The new session tells the orphans of a dead supervisor from other children of the server.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := ownChildren.start(cmd); err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	spec.Env = append(spec.Env[:len(spec.Env):len(spec.Env)], instanceName+"="+instance())
	spec.Cgroup = newCgroup()
	p := &Process{supervisor: cmd, socket: socket, cgroup: spec.Cgroup, done: make(chan struct{})}
	if err := json.NewEncoder(socket).Encode(spec); err != nil {
		return nil, errors.Join(err, p.abandon(), socket.Close())
	}
	go p.watch()
	return p, nil
}

// Stop asks the command to stop: all its processes get SIGTERM now, and SIGKILL if they still run after
// the grace. A second call does not extend the deadline.
func (p *Process) Stop(grace time.Duration) {
	p.mu.Lock()
	if p.deadline.IsZero() {
		p.deadline = time.Now().Add(grace)
	}
	p.mu.Unlock()
	_ = json.NewEncoder(p.socket).Encode(request{StopWithin: grace}) // fails if the command has ended
}

// Renew replaces the remaining lease: the command is killed when the new one ends.
func (p *Process) Renew(lease time.Duration) {
	_ = json.NewEncoder(p.socket).Encode(request{Lease: lease}) // fails if the command has ended
}

// Wait blocks until no process of the command is left, except those in Result.Left, and returns the
// result. It fails if the supervisor died; it has then killed the command.
func (p *Process) Wait() (Result, error) {
	defer p.socket.Close()
	result, err := p.listen()
	if err == nil {
		if result.Left != "" {
			ownChildren.unreaped.Store(true)
		}
		err = ownChildren.wait(p.supervisor)
		close(p.done)
		return result, err
	}
	close(p.done)
	return result, errors.Join(err, p.abandon())
}

// listen returns the result of the command, which the supervisor sends when the command has ended.
func (p *Process) listen() (result Result, err error) {
	err = json.NewDecoder(p.socket).Decode(&result)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return Result{}, errors.New("its supervisor died")
	case err != nil:
		return Result{}, fmt.Errorf("the message of its supervisor is invalid: %w", err)
	}
	return result, nil
}

// watch continues or kills a misbehaving supervisor until Wait has the result.
func (p *Process) watch() {
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	pid := p.supervisor.Process.Pid
	original, _ := readProcess(pid)
	for stops := 0; ; {
		select {
		case <-p.done:
			return
		case <-ticker.C:
		}
		now, found := readProcess(pid)
		if !found || now.start != original.start {
			continue // it has exited, and the pid may have been reused
		}
		if now.state == stopped { // most likely by its command
			stops++
			_ = p.supervisor.Process.Signal(syscall.SIGCONT)
		}
		late := p.late()
		if stops >= maxStops || late > commandOverdue {
			killCgroup(p.cgroup)
			killAll(descendants(pid))
		}
		if stops >= 2*maxStops || late > supervisorOverdue {
			_ = p.supervisor.Process.Kill()
		}
	}
}

// late returns how long ago the command should have ended, or 0 if Stop was not called.
func (p *Process) late() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.deadline.IsZero() {
		return 0
	}
	return time.Since(p.deadline)
}

// abandon kills a supervisor that is dead or does not do its work, and what is left of its command. It
// fails if processes remain.
func (p *Process) abandon() error {
	killCgroup(p.cgroup)
	_ = p.supervisor.Process.Kill()
	_ = ownChildren.wait(p.supervisor) // it was killed, so its error says nothing
	left := ownChildren.killOrphans()
	removeCgroup(p.cgroup)
	if left != "" {
		return errors.New("cannot be killed: " + left)
	}
	return nil
}
