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
// and of owners. It returns notices for the operator.
func Sweep(owners ...uint32) (notices []Notice) {
	killed := append(killCgroups(), killLeftovers()...)
	for deadline := time.Now().Add(killTimeout); time.Now().Before(deadline) && anyLives(killed); {
		time.Sleep(minPause)
	}
	if len(killed) > 0 {
		const text = "processes that commands of a dead server had left were killed"
		notices = append(notices, Notice{text, []any{"processes", describe(killed)}})
	}
	entries, _ := os.ReadDir(os.TempDir()) // if it cannot be read, there is nothing to remove
	for _, entry := range entries {
		if entry.IsDir() && runDir.MatchString(entry.Name()) {
			dir := filepath.Join(os.TempDir(), entry.Name())
			notices = append(notices, sweepDir(dir, append(owners, uint32(os.Geteuid())))...)
		}
	}
	return notices
}

func anyLives(all []process) bool {
	return slices.ContainsFunc(all, func(p process) bool {
		now, found := readProcess(p.pid)
		return found && now.start == p.start && now.state != zombie
	})
}

// sweepDir removes a run directory that no server uses.
func sweepDir(dir string, owners []uint32) []Notice {
	info, err := os.Lstat(dir)
	if err != nil || !belongsTo(info, owners) {
		return nil
	}
	if info.Mode().Perm()&0o400 == 0 && os.Geteuid() != 0 {
		_ = os.Chmod(dir, 0o700) // #nosec G302 -- a directory: isUnused must open it
	}
	marked, unused := isUnused(dir)
	if !unused {
		return nil
	}
	defer marked.Close()
	if err := RemoveTree(dir); err != nil {
		const text = "the directory of a run of a dead server cannot be removed"
		return []Notice{{text, []any{"directory", dir, "error", err}}}
	}
	return []Notice{{"the directory of a run of a dead server was removed", []any{"directory", dir}}}
}

func belongsTo(info os.FileInfo, owners []uint32) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && slices.Contains(owners, stat.Uid)
}
