package command

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// instanceName is the environment variable that marks every process of a server's commands. A later
// server finds leftovers of a dead server by it.
const instanceName = "RUNBOARD_INSTANCE"

// instance identifies this server by its pid namespace, pid and start time. No other process has
// the same three values.
var instance = sync.OnceValue(func() string {
	self, _ := readProcess(os.Getpid()) // always found: it is this process
	return fmt.Sprintf("%s.%d.%d", pidNamespace(), self.pid, self.start)
})

// pidNamespace returns the number of this process's pid namespace, or "0" if it cannot be read. Pids are
// comparable only within one namespace.
func pidNamespace() string {
	link, err := os.Readlink("/proc/self/ns/pid") // "pid:[4026531836]"
	if err != nil {
		return "0"
	}
	return strings.Trim(strings.TrimPrefix(link, "pid:"), "[]")
}

// isDead reports whether a server is known to be dead. A server in another pid namespace counts as alive,
// because its pid cannot be checked from here.
func isDead(instance string) bool {
	namespace, rest, _ := strings.Cut(instance, ".")
	var pid int
	var start uint64
	_, err := fmt.Sscanf(rest, "%d.%d", &pid, &start)
	if err != nil || pid < 1 || namespace != pidNamespace() {
		return false
	}
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true
	}
	p, found := readProcess(pid)
	return found && p.start != start
}

// instanceOf returns the instance of the server whose command started the process, or "" if there is none
// or the environment cannot be read.
func instanceOf(pid int) string {
	environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return "" // it has exited, or belongs to another user
	}
	for variable := range bytes.SplitSeq(environment, []byte{0}) {
		if name, value, _ := strings.Cut(string(variable), "="); name == instanceName {
			return value
		}
	}
	return ""
}

// isOurs reports whether a process descends from a command of this server.
func isOurs(pid int) bool { return instanceOf(pid) == instance() }

// killLeftovers kills processes that commands of dead servers left behind, and returns the killed ones.
func killLeftovers() (killed []process) {
	for _, p := range processes() {
		if p.pid == os.Getpid() || p.state == zombie || !isDead(instanceOf(p.pid)) {
			continue
		}
		fd, err := unix.PidfdOpen(p.pid, 0)
		if err != nil {
			continue // it has exited
		}
		same := isDead(instanceOf(p.pid)) // the pid may have been reused before the pidfd was opened
		if same && unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) == nil {
			killed = append(killed, p)
		}
		_ = unix.Close(fd)
	}
	return killed
}
