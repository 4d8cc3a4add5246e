package command

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// process is what /proc says of a process.
type process struct {
	pid, parent, session int
	name                 string
	state                byte
	start                uint64 // since the system's own start, in ticks
}

// States of a process.
const (
	stopped = 'T'
	zombie  = 'Z'
)

// readProcess returns a process, or false when there is none with that number.
func readProcess(pid int) (p process, found bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return p, false
	}
	// "42 (name) S 7 …": the name may hold anything, brackets and blanks included.
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
	p.parent, _ = strconv.Atoi(fields[1]) // these are numbers
	p.session, _ = strconv.Atoi(fields[3])
	p.start, _ = strconv.ParseUint(fields[19], 10, 64)
	return p, true
}

// processes are all that there are.
func processes() (all []process) {
	dirs, _ := filepath.Glob("/proc/[0-9]*") // the pattern is good
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		if p, found := readProcess(pid); found { // else it has ended meanwhile
			all = append(all, p)
		}
	}
	return all
}

// descendants are the children of a process, theirs, and so on.
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

// describe names processes for people.
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
