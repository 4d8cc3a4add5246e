package command

import (
	"fmt"
	"io/fs"
	"math"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// protect keeps this process from the commands of its own user: they may not read its environment, memory and
// descriptors. And it passes none of the descriptors on that it has got from whoever started it.
func protect() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("the process cannot be protected: %w", err)
	}
	return keepDescriptors()
}

// keepDescriptors marks all descriptors but the standard ones, so that no program gets them that is started
// from here.
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

// adoptOrphans makes this process the parent of all its descendants whose own parent ends, as init otherwise
// is: so none of them can get away.
func adoptOrphans() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("orphans cannot be adopted: %w", err)
	}
	return nil
}

// attributes are how a command is started, in a cgroup unless that is nil. The calling goroutine must be
// locked to its thread.
func attributes(user *User, cgroup *os.File) (*syscall.SysProcAttr, error) {
	a := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if cgroup != nil {
		a.UseCgroupFD, a.CgroupFD = true, int(cgroup.Fd())
	}
	if user == nil {
		return a, nil
	}
	a.Credential = &syscall.Credential{Uid: user.UID, Gid: user.GID, Groups: user.Groups}
	// Without this, sudo could make it another user again.
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("new privileges cannot be ruled out: %w", err)
	}
	return a, nil
}

// socketPair returns two ends of a socket. A socket cannot be opened by way of /proc, as a pipe can.
func socketPair() (ours, theirs *os.File, err error) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	_ = unix.SetNonblock(ends[0], true) // or every command would keep a thread
	return os.NewFile(uintptr(ends[0]), "supervisor"), os.NewFile(uintptr(ends[1]), "server"), nil
}

// GrowPipe has a pipe hold that many bytes, unless the user has too many large pipes already.
func GrowPipe(pipe *os.File, size int) {
	raw, err := pipe.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, size) })
}

// openModes lets the owner of a directory change all directories in it, as far as possible. It follows no link out of it,
// also when a process of another user puts one there meanwhile.
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

// LockDir marks a directory as in use until the file is closed or the process ends. Several processes may do
// so.
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

// isUnused reports whether no process has marked a directory. The directory stays marked until the file is
// closed.
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
