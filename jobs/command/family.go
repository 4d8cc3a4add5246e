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

// family are the children of this server.
var family = &children{supervisors: map[int]*exec.Cmd{}, hopeless: map[int]uint64{}}

// children knows which children of this process are supervisors. The others in sessions of their own are what
// dead supervisors have left: children that other code starts stay in the session of the server.
type children struct {
	// mu is held for writing while orphans are looked for: no supervisor is being started then.
	mu          sync.RWMutex
	supervisors map[int]*exec.Cmd
	noting      sync.Mutex // for supervisors

	killing  sync.Mutex     // one at a time: a process that another has waited for may be a stranger
	hopeless map[int]uint64 // orphans that cannot be killed, with their start

	left atomic.Bool // there may be orphans that could not be killed and will end some time
}

// start starts a supervisor.
func (c *children) start(cmd *exec.Cmd) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if err := cmd.Start(); err != nil {
		return err
	}
	c.noting.Lock()
	c.supervisors[cmd.Process.Pid] = cmd
	c.noting.Unlock()
	return nil
}

// wait waits for the end of a supervisor. Only then is it forgotten: as long as it can be waited for, it is
// no orphan.
func (c *children) wait(cmd *exec.Cmd) error {
	err := cmd.Wait()
	if c.left.Load() {
		c.left.Store(c.reap())
	}
	c.noting.Lock()
	defer c.noting.Unlock()
	if c.supervisors[cmd.Process.Pid] == cmd { // else another one has its number by now
		delete(c.supervisors, cmd.Process.Pid)
	}
	return err
}

// killOrphans kills what dead supervisors have left, and returns what cannot be killed.
func (c *children) killOrphans() (left string) {
	if !guarded.Load() {
		return ""
	}
	c.killing.Lock()
	defer c.killing.Unlock()
	for begun, rest := time.Now(), firstRest; ; rest = min(2*rest, longRest) {
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
		tried := time.Since(begun)
		if tried > stubbornBound || tried > foreignBound && foreign > 0 && foreign == len(below)+len(orphans) {
			for _, p := range orphans {
				c.hopeless[p.pid] = p.start
			}
			c.left.Store(true)
			return describe(orphans)
		}
		time.Sleep(rest)
	}
}

// reap takes note of orphans that have ended, which the system keeps until then, and reports whether others are
// left. As init, this process also gets the orphans of strangers.
func (c *children) reap() (left bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.noting.Lock()
	defer c.noting.Unlock()
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

// orphans are the children that dead supervisors have left, and the descendants of these.
func (c *children) orphans() (orphans, below []process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.noting.Lock()
	defer c.noting.Unlock()
	all, self := processes(), os.Getpid()
	own, found := readProcess(self)
	for _, p := range all {
		if !found || p.parent != self || c.supervisors[p.pid] != nil || p.session == own.session {
			continue
		}
		if self == 1 && !isOurs(p.pid) { // as init, it also gets the orphans of strangers
			continue
		}
		if start, known := c.hopeless[p.pid]; known && start == p.start {
			continue
		}
		orphans = append(orphans, p)
		below = append(below, descendantsIn(all, p.pid)...)
	}
	return orphans, below
}
