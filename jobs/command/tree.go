package command

import "os"

// Notice is a message to the operator, in the form that slog takes: a text and key-value pairs.
type Notice struct {
	Text string
	Args []any
}

// RemoveTree removes a directory and its contents, including directories that a command has made read-only.
func RemoveTree(dir string) error {
	err := os.RemoveAll(dir)
	if err == nil {
		return nil
	}
	openModes(dir)
	return os.RemoveAll(dir)
}
