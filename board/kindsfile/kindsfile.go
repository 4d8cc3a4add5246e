// Package kindsfile reads the kinds file: a strict YAML file in which an operator declares commands, their
// inputs and their policies.
package kindsfile

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"runboard/app"
	"runboard/jobs"
)

// MaxSize is the size in bytes of the largest file that Read accepts.
const MaxSize = 2 << 20

// File is what a kinds file declares.
type File struct {
	Kinds []Kind // at least one, in the order of the file
	// Warnings say what is missing for a run now: a program, a directory, or what a variable refers to. It
	// may be there when a run starts, or be there on another machine.
	Warnings []*Fault
}

// Kind is a kind of the file: its description and its command.
type Kind struct {
	app.Kind
	Command Command
}

// Command is what a run of a kind executes.
type Command struct {
	// Path is the path of the program: absolute, or a name without slash that PATH did not have when the file
	// was read.
	Path     string
	Template jobs.Template
	Dir      string // working directory, absolute; "": an empty one for each run
	Env      []jobs.EnvVar
}

// Fault is what is wrong with a kinds file, and where.
type Fault struct {
	File string
	Line int    // from 1
	Kind string // "" outside a kind
	Text string
}

// Error returns one line such as kinds.yaml:12: backup: unknown key "timout".
func (f *Fault) Error() string {
	text := fmt.Sprintf("%s:%d", f.File, f.Line)
	if f.Kind != "" {
		text += ": " + shorten(f.Kind)
	}
	return strings.Map(visible, text+": "+f.Text)
}

// visible replaces control characters, which could break the line.
func visible(r rune) rune {
	if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
		return ' '
	}
	return r
}

// maxQuoted is the length from which texts of the file are cut in messages.
const maxQuoted = 80

// quote returns a text of the file for a message.
func quote(text string) string { return fmt.Sprintf("%q", shorten(text)) }

func shorten(text string) string {
	if len(text) <= maxQuoted {
		return text
	}
	return strings.ToValidUTF8(text[:maxQuoted], "") + "…"
}

// Read reads a kinds file. The error is a *Fault, or says why the file cannot be read.
func Read(path string) (File, error) {
	file, err := os.Open(path)
	if err != nil {
		return File{}, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, MaxSize+1))
	if err != nil {
		return File{}, err
	}
	return Parse(path, content)
}

// Parse parses the content of a kinds file. Relative paths in it are relative to the directory of path. The
// error is a *Fault.
func Parse(path string, content []byte) (File, error) {
	root, err := parseYAML(content)
	if err != nil {
		return File{}, locate(err, path)
	}
	var parsed syntax
	if err := decodeInto(root, &parsed); err != nil {
		return File{}, locate(err, path)
	}
	file, err := build(parsed, filepath.Dir(path))
	if err != nil {
		return File{}, locate(err, path)
	}
	for _, warning := range file.Warnings {
		warning.File = path
	}
	return file, nil
}

// locate returns err as a *Fault of the file.
func locate(err error, path string) error {
	fault, ok := err.(*Fault)
	if !ok {
		fault = &Fault{Line: firstLine.line, Text: err.Error()}
	}
	fault.File = path
	return fault
}
