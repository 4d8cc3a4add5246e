package jobs

import (
	"fmt"
	"log/slog"
	"os"

	"runboard/jobs/command"
)

// runDirectory is the private directory of one run. It is marked as in use, so that other servers do not
// sweep it as the leftover of a dead server.
type runDirectory struct {
	path string
	mark *os.File // nil if directories cannot be marked
}

// makeRunDir creates a directory for a run, marks it and gives it to user, if that is not nil. The
// caller must remove it.
func makeRunDir(run int64, user *command.User) (d runDirectory, err error) {
	for range 3 { // another server may sweep it before it is marked
		d.path, err = os.MkdirTemp("", fmt.Sprintf("runboard-%d-", run))
		if err != nil {
			return d, err
		}
		d.mark, err = command.LockDir(d.path)
		if err != nil && command.IsScarce(err) {
			_ = os.Remove(d.path)
			return d, err
		}
		if user != nil {
			err = os.Lchown(d.path, int(user.UID), int(user.GID))
		} else {
			_, err = os.Lstat(d.path)
		}
		if err == nil {
			return d, nil
		}
		_ = d.mark.Close()
		_ = os.Remove(d.path)
	}
	return d, err
}

// remove deletes the directory with its contents and releases the mark. It logs errors.
func (d runDirectory) remove(log *slog.Logger) {
	if err := command.RemoveTree(d.path); err != nil {
		log.Warn("the directory of a run cannot be removed", "directory", d.path, "error", err)
	}
	_ = d.mark.Close()
}

// SweepLeftovers kills and removes what commands of dead servers left behind. commandUser is the user of
// CommandKinds and must be valid. It reports what it did to warn, whose arguments are those of slog.Warn.
func SweepLeftovers(commandUser string, warn func(text string, args ...any)) {
	var owners []uint32
	if user, err := CommandUser(commandUser); err == nil && user != nil {
		owners = append(owners, user.UID)
	}
	command.Sweep(warn, owners...)
}
