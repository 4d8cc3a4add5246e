package jobs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
)

// FindProgram is exec.LookPath with errors that say what is missing.
func FindProgram(name string) (path string, err error) {
	path, err = exec.LookPath(name)
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return path, fmt.Errorf("no directory of PATH has %s", name)
	case errors.Is(err, fs.ErrNotExist):
		return path, fmt.Errorf("%s does not exist", name)
	case errors.Is(err, fs.ErrPermission) && isFile(name):
		return path, fmt.Errorf("%s is not executable, which chmod +x makes it", name)
	}
	return path, err
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}
