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

// instanceName is the variable by which the processes of a server's commands are known, also when the server
// is dead.
const instanceName = "RUNBOARD_INSTANCE"

// instance names this server: the namespace of its number, its number, and when it began. No other process
// has all three.
var instance = sync.OnceValue(func() string {
	self, _ := readProcess(os.Getpid()) // there is one
	return fmt.Sprintf("%s.%d.%d", pidNamespace(), self.pid, self.start)
})

// pidNamespace is the number of the namespace in which process numbers of this process mean something, or 0.
func pidNamespace() string {
	link, err := os.Readlink("/proc/self/ns/pid") // "pid:[4026531836]"
	if err != nil {
		return "0"
	}
	return strings.Trim(strings.TrimPrefix(link, "pid:"), "[]")
}

// isDead reports whether a server is known to be dead. Of one in another namespace nothing is known.
func isDead(instance string) bool {
	namespace, rest, _ := strings.Cut(instance, ".")
	var pid int
	var start uint64
	if _, err := fmt.Sscanf(rest, "%d.%d", &pid, &start); err != nil || pid < 1 || namespace != pidNamespace() {
		return false
	}
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true
	}
	p, found := readProcess(pid)
	return found && p.start != start
}

// instanceOf returns the server whose command a process comes from, or "".
func instanceOf(pid int) string {
	environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return "" // it has ended, or is another user's
	}
	for variable := range bytes.SplitSeq(environment, []byte{0}) {
		if name, value, _ := strings.Cut(string(variable), "="); name == instanceName {
			return value
		}
	}
	return ""
}

// isOurs reports whether a process comes from a command of this server.
func isOurs(pid int) bool { return instanceOf(pid) == instance() }

// killLeftovers kills the processes that commands of dead servers have left, and returns them.
func killLeftovers() (killed []process) {
	for _, p := range processes() {
		if p.pid == os.Getpid() || p.state == zombie || !isDead(instanceOf(p.pid)) {
			continue
		}
		fd, err := unix.PidfdOpen(p.pid, 0)
		if err != nil {
			continue // it has ended
		}
		same := isDead(instanceOf(p.pid)) // and not another one that has got its number meanwhile
		if same && unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) == nil {
			killed = append(killed, p)
		}
		_ = unix.Close(fd)
	}
	return killed
}
