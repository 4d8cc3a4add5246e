package command

import "os"

// RemoveTree removes a directory and its contents, including directories that a command has made read-only.
func RemoveTree(dir string) error {
	err := os.RemoveAll(dir)
	if err == nil {
		return nil
	}
	openModes(dir)
	return os.RemoveAll(dir)
}
