package jobs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// maxEnvFile is the maximum size of a file whose content is the value of a variable. Linux starts no command
// with a longer one.
const maxEnvFile = 128 << 10

// EnvVar is a variable that a command gets. Its value is Text, or else it is read at the start of each
// attempt, without one newline at its end: the content of a file, or a variable of the server.
type EnvVar struct {
	Name string
	Text string
	File string // path
	Env  string // name of a variable of the server
}

// isReference reports whether the value is read at the start of each attempt and never shown.
func (v EnvVar) isReference() bool { return v.File != "" || v.Env != "" }

// Value returns the value of the variable. The error names the reference that cannot be read.
func (v EnvVar) Value() (string, error) {
	switch {
	case v.File != "":
		text, err := readEnvFile(v.File)
		if err != nil {
			return "", fmt.Errorf("%s: the file %s cannot be read: %w", v.Name, v.File, err)
		}
		return strings.TrimSuffix(text, "\n"), nil
	case v.Env != "":
		text, set := os.LookupEnv(v.Env)
		if !set {
			return "", fmt.Errorf("%s: the variable %s is not set", v.Name, v.Env)
		}
		return strings.TrimSuffix(text, "\n"), nil
	}
	return v.Text, nil
}

// readEnvFile returns the content of a file that can be the value of a variable. The error does not repeat
// the path.
func readEnvFile(path string) (string, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return "", errors.New("it is not a regular file") // for instance a pipe, which might never end
	}
	var content []byte
	if err == nil {
		content, err = readUpTo(path, maxEnvFile)
	}
	if fault, ok := errors.AsType[*fs.PathError](err); ok {
		return "", fault.Err
	}
	switch {
	case err != nil:
		return "", err
	case len(content) == maxEnvFile:
		return "", fmt.Errorf("it has %d KiB or more", maxEnvFile>>10)
	case strings.Contains(string(content), "\x00"):
		return "", errors.New("it contains a zero byte")
	}
	return string(content), nil
}

// readUpTo returns the first bytes of a file, at most limit.
func readUpTo(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, limit))
}
