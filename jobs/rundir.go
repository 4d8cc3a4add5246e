package jobs

import (
	"fmt"
	"log/slog"
	"os"

	"runboard/jobs/command"
)

// runDirectory is a directory that one run has to itself. It is marked as in use, so that no other server
// takes it for one that a dead server has left.
type runDirectory struct {
	path string
	mark *os.File // nil where directories cannot be marked
}

func makeRunDir(run int64, user *command.User) (d runDirectory, err error) {
	for range 3 { // it may be swept away before it is marked
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

// remove removes the directory with all that is in it.
func (d runDirectory) remove(log *slog.Logger) {
	if err := command.RemoveTree(d.path); err != nil {
		log.Warn("the directory of a run cannot be removed", "directory", d.path, "error", err)
	}
	_ = d.mark.Close()
}

// SweepLeftovers ends and removes what commands of servers have left that are dead by now. commandUser is as
// for CommandKinds, and is known to be right. It returns what the operator should know.
func SweepLeftovers(commandUser string) []command.Notice {
	var owners []uint32
	if user, err := CommandUser(commandUser); err == nil && user != nil {
		owners = append(owners, user.UID)
	}
	return command.Sweep(owners...)
}
