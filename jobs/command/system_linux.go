package command

import (
	"fmt"
	"io/fs"
	"math"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// protect keeps commands of the same user from reading this process's environment, memory and
// descriptors. It also keeps descriptors that this process inherited from reaching commands.
func protect() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("the process cannot be protected: %w", err)
	}
	return keepDescriptors()
}

// keepDescriptors marks all descriptors but the standard three close-on-exec, so that started programs
// do not inherit them.
func keepDescriptors() error {
	const first = 3
	err := unix.CloseRange(first, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC)
	if err == nil {
		return nil
	}
	open, listed := os.ReadDir("/proc/self/fd") // before Linux 5.11
	if listed != nil {
		return fmt.Errorf("inherited descriptors cannot be marked: %w", err)
	}
	for _, entry := range open {
		var fd int
		if _, err := fmt.Sscan(entry.Name(), &fd); err == nil && fd >= first {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}

// adoptOrphans makes this process the subreaper of its descendants: it, rather than init, becomes the
// parent of those whose parent exits. So no descendant can escape.
func adoptOrphans() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("orphans cannot be adopted: %w", err)
	}
	return nil
}

// attributes returns how to start a command as the user (nil: the same user) and in the cgroup (nil: the
// same cgroup). The calling goroutine must be locked to its thread, because the parent-death signal and
// PR_SET_NO_NEW_PRIVS belong to the thread.
func attributes(user *User, cgroup *os.File) (*syscall.SysProcAttr, error) {
	a := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if cgroup != nil {
		a.UseCgroupFD, a.CgroupFD = true, int(cgroup.Fd())
	}
	if user == nil {
		return a, nil
	}
	a.Credential = &syscall.Credential{Uid: user.UID, Gid: user.GID, Groups: user.Groups}
	// Without this, the command could become another user again through sudo.
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("new privileges cannot be ruled out: %w", err)
	}
	return a, nil
}

// socketPair returns the two ends of a socket. A pipe would not do: other processes can open one through
// /proc.
func socketPair() (ours, theirs *os.File, err error) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	_ = unix.SetNonblock(ends[0], true) // otherwise every command would block a thread
	return os.NewFile(uintptr(ends[0]), "supervisor"), os.NewFile(uintptr(ends[1]), "server"), nil
}

// GrowPipe sets the capacity of a pipe to size bytes. It does nothing if the user has exceeded the
// limit for large pipes.
func GrowPipe(pipe *os.File, size int) {
	raw, err := pipe.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, size) })
}

// openModes makes all directories in a tree writable for their owner, as far as possible. It never
// follows a link out of the tree, even if a process of another user creates one meanwhile.
func openModes(dir string) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_NOFOLLOW|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer func() { _ = unix.Close(fd) }()
	opened := fmt.Sprintf("/proc/self/fd/%d", fd)
	_ = os.Chmod(opened, 0o700) // #nosec G302 -- a directory
	root, err := os.OpenRoot(opened)
	if err != nil {
		return
	}
	defer func() { _ = root.Close() }()
	_ = fs.WalkDir(root.FS(), ".", func(path string, entry fs.DirEntry, _ error) error {
		if entry != nil && entry.IsDir() {
			_ = root.Chmod(path, 0o700)
		}
		return nil
	})
}

// LockDir marks a directory as in use until the file is closed or the process exits. Several processes
// may mark the same directory.
func LockDir(dir string) (*os.File, error) {
	file, err := os.OpenFile(dir, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_SH|unix.LOCK_NB); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("%s cannot be marked as in use: %w", dir, err)
	}
	return file, nil
}

// isUnused reports whether no process has marked the directory as in use. If so, the directory stays
// marked exclusively until the caller closes the file.
func isUnused(dir string) (marked *os.File, unused bool) {
	file, err := os.OpenFile(dir, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, false
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = file.Close()
		return nil, false
	}
	return file, true
}
