// Command licenses writes the licences of all third-party software in the binary to standard output. It reads
// them from the installed modules and packages, so they are those of the versions in use.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "licenses:", err)
		os.Exit(1)
	}
}

// work is a piece of third-party software: its name, and the licence texts that must accompany it.
type work struct {
	name  string
	texts []string
}

func run(out io.Writer) error {
	modules, err := linkedModules()
	if err != nil {
		return err
	}
	packages, err := embeddedPackages()
	if err != nil {
		return err
	}
	return write(out, append(modules, packages...))
}

// linkedModules returns the modules that have a package in the binary, and Go itself.
func linkedModules() ([]work, error) {
	// -e because the output of this command is itself embedded, and may not exist yet.
	list := exec.Command("go", "list", "-e", "-deps", "-tags", "sqlite_fts5", "-json=Dir,Module", ".")
	// The list must be the same on every machine.
	list.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=1")
	list.Stderr = os.Stderr
	found, err := list.Output()
	if err != nil {
		return nil, err
	}
	files := map[string]map[string]bool{} // by module
	for decoder := json.NewDecoder(bytes.NewReader(found)); ; {
		var p struct {
			Dir    string
			Module *struct {
				Path, Version, Dir string
				Main               bool
			}
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		if p.Module == nil || p.Module.Main {
			continue
		}
		name := p.Module.Path + " " + p.Module.Version
		if files[name] == nil {
			files[name] = map[string]bool{}
		}
		// A package may have a licence of its own.
		for dir := p.Dir; strings.HasPrefix(dir, p.Module.Dir); dir = filepath.Dir(dir) {
			if err := addLicences(files[name], dir); err != nil {
				return nil, err
			}
		}
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, err
	}
	license := filepath.Join(strings.TrimSpace(string(root)), "LICENSE")
	files["Go, its runtime and standard library"] = map[string]bool{license: true}
	return read(files)
}

// embeddedPackages returns the npm packages whose scripts and styles are embedded.
func embeddedPackages() ([]work, error) {
	content, err := os.ReadFile("static/package.json")
	if err != nil {
		return nil, err
	}
	var asked struct{ Dependencies map[string]string }
	if err := json.Unmarshal(content, &asked); err != nil {
		return nil, err
	}
	files := map[string]map[string]bool{}
	for name, version := range asked.Dependencies {
		found := map[string]bool{}
		if err := addLicences(found, filepath.Join("static/node_modules", name)); err != nil {
			return nil, err
		}
		files[name+" "+version] = found
	}
	return read(files)
}

var licenceFile = regexp.MustCompile(`(?i)^(un)?(licen[cs]e|copying|copyright|notice|patents)([.-].*)?$`)

func addLicences(files map[string]bool, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := entry.Name()
		if entry.Type().IsRegular() && licenceFile.MatchString(name) && !strings.HasSuffix(name, ".go") {
			files[filepath.Join(dir, name)] = true
		}
	}
	return nil
}

// read returns the works sorted by name. It fails if one has no licence.
func read(files map[string]map[string]bool) (works []work, err error) {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		one := work{name: name}
		for _, path := range slices.Sorted(maps.Keys(files[name])) {
			text, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
			one.texts = append(one.texts, strings.Trim(string(text), "\n\f"))
		}
		if len(one.texts) == 0 {
			return nil, fmt.Errorf("%s has no licence", name)
		}
		works = append(works, one)
	}
	return works, nil
}

const (
	heading = "Runboard contains third-party software under the following licences. Each module or " +
		"package is\n" +
		"named with the version in use, and its name says where the source is. SQLite, which is part of\n" +
		"github.com/mattn/go-sqlite3, is in the public domain.\n"
	line = "\n================================================================================\n"
)

// write writes each text once, under the names of all works that it belongs to.
func write(out io.Writer, works []work) error {
	var order []string
	names := map[string][]string{}
	for _, one := range works {
		for _, text := range one.texts {
			if names[text] == nil {
				order = append(order, text)
			}
			if !slices.Contains(names[text], one.name) {
				names[text] = append(names[text], one.name)
			}
		}
	}
	var all strings.Builder
	all.WriteString(heading)
	for _, text := range order {
		all.WriteString(line + strings.Join(names[text], "\n") + "\n" + line[1:] + "\n" + text + "\n")
	}
	_, err := io.WriteString(out, all.String())
	return err
}
