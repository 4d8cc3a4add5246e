package command

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"time"
)

// runDir matches the names of the directories that runs get.
var runDir = regexp.MustCompile(`^runboard-[0-9]+-[0-9]+$`)

// Sweep kills and removes what commands of dead servers left behind: processes, cgroups, and run
// directories in the directory for temporary files. It touches only directories of this process's user
// and of owners. It reports what it did to warn, whose arguments are those of slog.Warn.
func Sweep(warn func(text string, args ...any), owners ...uint32) {
	killed := append(killCgroups(), killLeftovers()...)
	for deadline := time.Now().Add(killTimeout); time.Now().Before(deadline) && anyLives(killed); {
		time.Sleep(minPause)
	}
	if len(killed) > 0 {
		warn("killed processes that commands of a dead server had left", "processes", describe(killed))
	}
	entries, _ := os.ReadDir(os.TempDir()) // if it cannot be read, there is nothing to remove
	for _, entry := range entries {
		if entry.IsDir() && runDir.MatchString(entry.Name()) {
			sweepDir(filepath.Join(os.TempDir(), entry.Name()), append(owners, uint32(os.Geteuid())), warn)
		}
	}
}

func anyLives(all []process) bool {
	return slices.ContainsFunc(all, func(p process) bool {
		now, found := readProcess(p.pid)
		return found && now.start == p.start && now.state != zombie
	})
}

// sweepDir removes a run directory that no server uses.
func sweepDir(dir string, owners []uint32, warn func(text string, args ...any)) {
	info, err := os.Lstat(dir)
	if err != nil || !belongsTo(info, owners) {
		return
	}
	if info.Mode().Perm()&0o400 == 0 && os.Geteuid() != 0 {
		_ = os.Chmod(dir, 0o700) // #nosec G302 -- a directory: isUnused must open it
	}
	marked, unused := isUnused(dir)
	if !unused {
		return
	}
	defer marked.Close()
	if err := RemoveTree(dir); err != nil {
		warn("the directory of a run of a dead server cannot be removed", "directory", dir, "error", err)
		return
	}
	warn("removed the directory of a run of a dead server", "directory", dir)
}

func belongsTo(info os.FileInfo, owners []uint32) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && slices.Contains(owners, stat.Uid)
}
