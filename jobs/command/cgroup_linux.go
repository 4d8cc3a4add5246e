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

// cgroupPrefix is the prefix of the names of command cgroups. The full name is the prefix, the instance
// of the server, a dot, and a sequence number.
const cgroupPrefix = "runboard."

// ownCgroup returns the directory of this server's cgroup (v2), or "" if it has none. The cgroups of
// commands are created below it, because that is the part of the tree a server may be allowed to write.
var ownCgroup = sync.OnceValue(func() string {
	root, below := cgroupMount()
	path := cgroupPath()
	if root == "" || path == "" {
		return ""
	}
	rest, found := strings.CutPrefix(path, strings.TrimSuffix(below, "/"))
	if !found {
		return "" // outside the mounted part
	}
	return filepath.Join(root, rest)
})

// cgroupMount returns the mount point of the cgroup tree and the part of the tree that is mounted there.
func cgroupMount() (root, below string) {
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "", ""
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		// "35 24 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw"
		mount, kind, _ := strings.Cut(lines.Text(), " - ")
		fields := strings.Fields(mount)
		if strings.HasPrefix(kind, "cgroup2 ") && len(fields) > 4 {
			return fields[4], fields[3]
		}
	}
	return "", ""
}

// cgroupPath returns the path of this process's cgroup within the tree, or "" if it cannot be read.
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

var cgroups atomic.Int64 // number of cgroups created so far; makes their names unique

// newCgroup creates a cgroup for one command and returns its directory. It returns "" if the server may
// not create cgroups or the kernel has no cgroup.kill; the command then runs without one.
func newCgroup() string {
	own := ownCgroup()
	if own == "" {
		return ""
	}
	dir := filepath.Join(own, fmt.Sprintf("%s%s.%d", cgroupPrefix, instance(), cgroups.Add(1)))
	if err := os.Mkdir(dir, 0o755); err != nil { // #nosec G301 -- as all directories there
		return "" // most servers lack the permission
	}
	if _, err := os.Stat(filepath.Join(dir, "cgroup.kill")); err != nil { // before Linux 5.14
		removeCgroup(dir)
		return ""
	}
	return dir
}

// openCgroup opens the directory of a cgroup, so that a process can be started in it. It returns nil if
// dir is empty or cannot be opened.
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

// killCgroup kills every process in a cgroup at once, regardless of its user, session or parent. It does
// nothing if dir is empty.
func killCgroup(dir string) {
	if dir != "" {
		_ = os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0)
	}
}

// removeCgroup removes a cgroup and the cgroups that the command created below it. It tries for about 100
// ms, because a process that has just exited can keep a cgroup busy for a moment.
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

// killCgroups kills the processes in the cgroups of dead servers, removes those cgroups, and returns
// the killed processes.
func killCgroups() (killed []process) {
	dirs, _ := filepath.Glob(filepath.Join(ownCgroup(), cgroupPrefix+"*")) // the pattern is valid
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

// processesIn returns the processes of a cgroup. Processes that exit meanwhile are omitted.
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
