package command

import (
	"errors"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// ownChildren tracks the children of this server.
var ownChildren = &children{supervisors: map[int]*exec.Cmd{}, unkillable: map[int]uint64{}}

// children records which children of this process are supervisors. Every other child in a session of its own
// is an orphan of a dead supervisor, because children that other code starts stay in the server's session.
type children struct {
	// mu is write-locked during a scan for orphans, so that no supervisor starts in the middle of one.
	mu          sync.RWMutex
	supervisors map[int]*exec.Cmd
	recording   sync.Mutex // guards supervisors

	scanning   sync.Mutex     // serializes scans: after a Wait elsewhere, a pid may belong to another process
	unkillable map[int]uint64 // pids of orphans that cannot be killed, with their start times

	unreaped atomic.Bool // orphans that could not be killed may exit later and need reaping
}

// start starts a supervisor and records it.
func (c *children) start(cmd *exec.Cmd) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if err := cmd.Start(); err != nil {
		return err
	}
	c.recording.Lock()
	c.supervisors[cmd.Process.Pid] = cmd
	c.recording.Unlock()
	return nil
}

// wait waits for a supervisor to exit and forgets it only then: until it has been waited for, it must not
// be taken for an orphan.
func (c *children) wait(cmd *exec.Cmd) error {
	err := cmd.Wait()
	if c.unreaped.Load() {
		c.unreaped.Store(c.reap())
	}
	c.recording.Lock()
	defer c.recording.Unlock()
	if c.supervisors[cmd.Process.Pid] == cmd { // otherwise a new supervisor has reused the pid
		delete(c.supervisors, cmd.Process.Pid)
	}
	return err
}

// killOrphans kills the orphans of dead supervisors. It retries until none is left, or until the time for
// unkillable processes has passed, and then returns a description of the remaining ones. It does nothing
// unless Guard succeeded in adopting orphans.
func (c *children) killOrphans() (left string) {
	if !guarded.Load() {
		return ""
	}
	c.scanning.Lock()
	defer c.scanning.Unlock()
	for began, pause := time.Now(), minPause; ; pause = min(2*pause, maxPause) {
		c.reap()
		orphans, below := c.orphans()
		if len(orphans) == 0 {
			return ""
		}
		foreign := 0
		for _, p := range append(below, orphans...) {
			if errors.Is(syscall.Kill(p.pid, syscall.SIGKILL), syscall.EPERM) {
				foreign++
			}
		}
		tried, allForeign := time.Since(began), foreign == len(below)+len(orphans)
		if tried > killTimeout || tried > foreignKillTimeout && allForeign {
			for _, p := range orphans {
				c.unkillable[p.pid] = p.start
			}
			c.unreaped.Store(true)
			return describe(orphans)
		}
		time.Sleep(pause)
	}
}

// reap waits for orphans that have exited, so that the kernel can release them, and reports whether other
// orphans still run. Where this process is init, it also reaps the orphans of other programs.
func (c *children) reap() (left bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.recording.Lock()
	defer c.recording.Unlock()
	own, found := readProcess(os.Getpid())
	for _, p := range processes() {
		if !found || p.parent != own.pid || c.supervisors[p.pid] != nil || p.session == own.session {
			continue
		}
		ended, _ := syscall.Wait4(p.pid, nil, syscall.WNOHANG, nil)
		left = left || ended != p.pid
	}
	return left
}

// orphans returns the children that dead supervisors left, and the descendants of those children. It
// omits orphans that are known to be unkillable.
func (c *children) orphans() (orphans, below []process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.recording.Lock()
	defer c.recording.Unlock()
	all, self := processes(), os.Getpid()
	own, found := readProcess(self)
	for _, p := range all {
		if !found || p.parent != self || c.supervisors[p.pid] != nil || p.session == own.session {
			continue
		}
		if self == 1 && !isOurs(p.pid) { // init also adopts the orphans of other programs
			continue
		}
		if start, known := c.unkillable[p.pid]; known && start == p.start {
			continue
		}
		orphans = append(orphans, p)
		below = append(below, descendantsIn(all, p.pid)...)
	}
	return orphans, below
}
