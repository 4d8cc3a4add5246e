package harness

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"runboard/app"
	"runboard/board"
	"runboard/e2e/script"
)

// Dumper is a directory with a kinds file and a program, ./dump.sh, that writes down what a command is given.
type Dumper struct {
	t   *testing.T
	Dir string // of the kinds file and the program
}

// dumpProgram writes the words, the variables and the file with the inputs, in this order, so that a reader
// of the last one finds all three.
const dumpProgram = `#!/bin/sh
to=$DUMP_DIR/$RUNBOARD_RUN_ID
for word; do printf '%s\0' "$word"; done > "$to.words"
env -0 > "$to.env"
cat "$RUNBOARD_INPUTS" > "$to.new" && mv "$to.new" "$to.json"
`

// NewDumper returns a dumper with this kinds file. In it, %DIR% is the directory.
func NewDumper(t *testing.T, kinds string) Dumper {
	t.Helper()
	d := Dumper{t: t, Dir: t.TempDir()}
	script.Write(t, filepath.Join(d.Dir, "dump.sh"), dumpProgram)
	d.WriteKinds(kinds)
	return d
}

// WriteKinds replaces the kinds file.
func (d Dumper) WriteKinds(kinds string) {
	d.t.Helper()
	kinds = strings.ReplaceAll(kinds, "%DIR%", d.Dir)
	if err := os.WriteFile(d.Path(), []byte(kinds), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// Path returns the path of the kinds file.
func (d Dumper) Path() string { return filepath.Join(d.Dir, "kinds.yaml") }

// Start starts a board with the kinds of the file.
func (d Dumper) Start(change func(*board.Config)) *Program {
	d.t.Helper()
	return StartProgram(d.t, func(c *board.Config) {
		c.Kinds = d.Path()
		if change != nil {
			change(c)
		}
	})
}

// NewProcess is NewProcess of this package with the kinds of the file, and with the variable PATH.
func (d Dumper) NewProcess(args ...string) *Process {
	d.t.Helper()
	b := NewProcess(d.t, append(args, "--kinds", d.Path())...)
	if strings.HasPrefix(b.Database, "postgres") && !slices.Contains(args, "--secret-key-file") {
		b.Args = append(b.Args, "--secret-key-file", NewSecretKey(d.t))
	}
	b.Env = []string{"PATH=" + os.Getenv("PATH")}
	return b
}

// NewSecretKey returns the path of a new key for secrets.
func NewSecretKey(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, app.NewSecretKey(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Given is what a command was given.
type Given struct {
	Words  []string
	Env    map[string]string
	Inputs []byte // the file with the inputs
}

// Given returns what the command of a run was given. The run must have completed.
func (d Dumper) Given(run int64) (given Given) {
	d.t.Helper()
	words := bytes.Split(d.read(run, "words"), []byte{0})
	for _, word := range words[:len(words)-1] {
		given.Words = append(given.Words, string(word))
	}
	given.Env = map[string]string{}
	for _, variable := range bytes.Split(d.read(run, "env"), []byte{0}) {
		name, value, _ := strings.Cut(string(variable), "=")
		given.Env[name] = value
	}
	given.Inputs = d.read(run, "json")
	return given
}

func (d Dumper) read(run int64, extension string) []byte {
	d.t.Helper()
	content, err := os.ReadFile(filepath.Join(d.Dir, fmt.Sprintf("%d.%s", run, extension)))
	if err != nil {
		d.t.Fatal(err)
	}
	return content
}

// Files returns the names of all files in the directory that the dumper has not made.
func (d Dumper) Files() (names []string) {
	d.t.Helper()
	entries, err := os.ReadDir(d.Dir)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, entry := range entries {
		switch filepath.Ext(entry.Name()) {
		case ".sh", ".yaml", ".words", ".env", ".json", ".new":
		default:
			names = append(names, entry.Name())
		}
	}
	return names
}
