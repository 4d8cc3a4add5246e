package jobs

import (
	"fmt"
	"os"
	"strings"
)

// EnvVar is a variable that a command gets. Its value is Text, or else it is read at the start of each attempt:
// the content of a file, or a variable of the server.
type EnvVar struct {
	Name string
	Text string
	File string // path; one newline at the end of the content is dropped
	Env  string // name of a variable of the server
}

// Secret reports whether the value is read anew for each attempt and never shown.
func (v EnvVar) Secret() bool { return v.File != "" || v.Env != "" }

// Value returns the value of the variable. The error names the reference that cannot be read.
func (v EnvVar) Value() (string, error) {
	switch {
	case v.File != "":
		content, err := os.ReadFile(v.File)
		if err != nil {
			return "", fmt.Errorf("%s: the file %s cannot be read", v.Name, v.File)
		}
		text := string(content)
		if trimmed, found := strings.CutSuffix(text, "\n"); found {
			text = strings.TrimSuffix(trimmed, "\r")
		}
		if strings.Contains(text, "\x00") {
			return "", fmt.Errorf("%s: the file %s contains a zero byte", v.Name, v.File)
		}
		return text, nil
	case v.Env != "":
		text, set := os.LookupEnv(v.Env)
		if !set {
			return "", fmt.Errorf("%s: the variable %s is not set", v.Name, v.Env)
		}
		return text, nil
	}
	return v.Text, nil
}
