package command

import "os"

// Notice is something that the operator should know, as for slog.
type Notice struct {
	Text string
	Args []any
}

// RemoveTree removes a directory and all that is in it, also what a command has made read-only.
func RemoveTree(dir string) error {
	err := os.RemoveAll(dir)
	if err == nil {
		return nil
	}
	openModes(dir)
	return os.RemoveAll(dir)
}
