package command

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// cgroupPrefix begins the names of the cgroups of commands. The instance of the server and a number follow.
const cgroupPrefix = "runboard."

// ownCgroup is the directory of the cgroup (v2) that this server is in, or "" when there is none. Those of
// commands are made below it: that part of the tree is the server's, if any is.
var ownCgroup = sync.OnceValue(func() string {
	root, below := cgroupMount()
	path := cgroupPath()
	if root == "" || path == "" {
		return ""
	}
	rest, found := strings.CutPrefix(path, strings.TrimSuffix(below, "/"))
	if !found {
		return "" // not in the part that is mounted
	}
	return filepath.Join(root, rest)
})

// cgroupMount returns where the tree of cgroups is mounted, and which part of it.
func cgroupMount() (root, below string) {
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "", ""
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		mount, kind, _ := strings.Cut(lines.Text(), " - ") // "35 24 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw"
		fields := strings.Fields(mount)
		if strings.HasPrefix(kind, "cgroup2 ") && len(fields) > 4 {
			return fields[4], fields[3]
		}
	}
	return "", ""
}

// cgroupPath returns which cgroup this process is in.
func cgroupPath() string {
	file, err := os.Open("/proc/self/cgroup")
	if err != nil {
		return ""
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if path, found := strings.CutPrefix(lines.Text(), "0::"); found {
			return path
		}
	}
	return ""
}

var cgroups atomic.Int64 // how many have been made

// newCgroup makes a cgroup for a command, and returns its directory, or "" when none can be made.
func newCgroup() string {
	own := ownCgroup()
	if own == "" {
		return ""
	}
	dir := filepath.Join(own, fmt.Sprintf("%s%s.%d", cgroupPrefix, instance(), cgroups.Add(1)))
	if err := os.Mkdir(dir, 0o755); err != nil { // #nosec G301 -- as all directories there
		return "" // most servers may not: then it is done without
	}
	if _, err := os.Stat(filepath.Join(dir, "cgroup.kill")); err != nil { // before Linux 5.14
		removeCgroup(dir)
		return ""
	}
	return dir
}

// openCgroup opens the directory of a cgroup, for a process to be started in it. It returns nil when that is
// not possible.
func openCgroup(dir string) *os.File {
	if dir == "" {
		return nil
	}
	file, err := os.Open(dir)
	if err != nil {
		return nil
	}
	return file
}

// killCgroup kills all processes of a cgroup at once, whoever they are.
func killCgroup(dir string) {
	if dir != "" {
		_ = os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0)
	}
}

// removeCgroup removes a cgroup, with those that the command may have made below it. Processes that have just
// ended may be in the way for a moment.
func removeCgroup(dir string) {
	if dir == "" {
		return
	}
	for range 10 {
		_ = filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
			if err == nil && entry.IsDir() && path != dir {
				removeCgroup(path)
				return filepath.SkipDir
			}
			return nil
		})
		if err := syscall.Rmdir(dir); err == nil || os.IsNotExist(err) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// killCgroups kills what is left in the cgroups of dead servers, and removes these. It returns what it has killed.
func killCgroups() (killed []process) {
	dirs, _ := filepath.Glob(filepath.Join(ownCgroup(), cgroupPrefix+"*")) // the pattern is good
	for _, dir := range dirs {
		name := strings.TrimPrefix(filepath.Base(dir), cgroupPrefix)
		if end := strings.LastIndexByte(name, '.'); ownCgroup() != "" && end > 0 && isDead(name[:end]) {
			killed = append(killed, processesIn(dir)...)
			killCgroup(dir)
			removeCgroup(dir)
		}
	}
	return killed
}

// processesIn are the processes of a cgroup.
func processesIn(dir string) (all []process) {
	content, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if err != nil {
		return nil
	}
	for _, number := range strings.Fields(string(content)) {
		pid, err := strconv.Atoi(number)
		if err != nil {
			continue
		}
		if p, found := readProcess(pid); found {
			all = append(all, p)
		}
	}
	return all
}
