package command

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// process is the part of /proc/PID/stat that this package uses.
type process struct {
	pid, parent, session int
	name                 string
	state                byte
	start                uint64 // ticks since boot
}

// Process states, as /proc reports them.
const (
	stopped = 'T'
	zombie  = 'Z'
)

// readProcess returns the process with the given pid, or false if it does not exist.
func readProcess(pid int) (p process, found bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return p, false
	}
	// The format is "42 (name) S 7 …". The name may contain anything, including brackets and spaces.
	text := string(stat)
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return p, false
	}
	fields := strings.Fields(text[end+1:])
	if len(fields) < 20 {
		return p, false
	}
	p = process{pid: pid, name: text[open+1 : end], state: fields[0][0]}
	p.parent, _ = strconv.Atoi(fields[1]) // the kernel writes numbers
	p.session, _ = strconv.Atoi(fields[3])
	p.start, _ = strconv.ParseUint(fields[19], 10, 64)
	return p, true
}

// processes returns all processes of the system that this process can see.
func processes() (all []process) {
	dirs, _ := filepath.Glob("/proc/[0-9]*") // the pattern is valid
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		if p, found := readProcess(pid); found { // otherwise it has exited meanwhile
			all = append(all, p)
		}
	}
	return all
}

// descendants returns all direct and indirect children of a process.
func descendants(of int) []process { return descendantsIn(processes(), of) }

func descendantsIn(processes []process, of int) (all []process) {
	children := map[int][]process{}
	for _, p := range processes {
		children[p.parent] = append(children[p.parent], p)
	}
	for next := []int{of}; len(next) > 0; next = next[1:] {
		for _, child := range children[next[0]] {
			all, next = append(all, child), append(next, child.pid)
		}
	}
	return all
}

func killAll(all []process) {
	for _, p := range all {
		_ = syscall.Kill(p.pid, syscall.SIGKILL)
	}
}

// describe lists up to three processes with name, pid and user, for log messages and errors.
func describe(all []process) string {
	const most = 3
	var names []string
	for i, p := range all {
		if i == most {
			names = append(names, fmt.Sprintf("and %d more", len(all)-most))
			break
		}
		name := fmt.Sprintf("%s (process %d", p.name, p.pid)
		if info, err := os.Stat(fmt.Sprintf("/proc/%d", p.pid)); err == nil {
			if owner, ok := info.Sys().(*syscall.Stat_t); ok {
				name += fmt.Sprintf(", user %d", owner.Uid)
			}
		}
		names = append(names, name+")")
	}
	return strings.Join(names, ", ")
}
