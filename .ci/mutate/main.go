// Command mutate applies one mutant at a time to a copy of the program, and shows that a test kills it. It
// reports the mutants that survive, and then exits with status 1. See make mutate. With the argument
// "standing" it only checks that the text that each mutant replaces still occurs exactly once in its file:
// code moves, and a mutant that cannot be applied proves nothing.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

// run applies all mutants, or those whose names contain one of the words.
func run(words []string) error {
	if err := standing(); err != nil || slices.Equal(words, []string{"standing"}) {
		return err
	}
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := copyTo(dir); err != nil {
		return err
	}
	var survivors []string
	for _, mutant := range mutants {
		if !wanted(mutant.name, words) {
			continue
		}
		began := time.Now()
		killed, err := mutant.test(dir)
		if err != nil {
			return fmt.Errorf("%s: %w", mutant.name, err)
		}
		result := "killed"
		if !killed {
			result = "SURVIVED"
			survivors = append(survivors, mutant.name)
		}
		fmt.Printf("%-60s %s (%v)\n", mutant.name, result, time.Since(began).Round(time.Second))
	}
	if survivors != nil {
		return fmt.Errorf("mutants survived: %s", strings.Join(survivors, "; "))
	}
	return nil
}

// standing returns the mutants whose text does not occur exactly once in its file.
func standing() (missing error) {
	for _, mutant := range mutants {
		if _, err := mutant.find("."); err != nil {
			missing = errors.Join(missing, fmt.Errorf("%s: %w", mutant.name, err))
		}
	}
	return missing
}

func wanted(name string, words []string) bool {
	for _, word := range words {
		if strings.Contains(name, word) {
			return true
		}
	}
	return len(words) == 0
}

// copyTo copies the files under version control, with uncommitted changes, and the assets, which must exist.
func copyTo(dir string) error {
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	pack := exec.Command("tar", "-c", "--null", "--files-from=-", "static/node_modules")
	unpack := exec.Command("tar", "-x", "-C", dir)
	files, err := list.Output()
	if err != nil {
		return err
	}
	pack.Stdin, pack.Stderr = bytes.NewReader(files), os.Stderr
	archive, err := pack.Output()
	if err != nil {
		return fmt.Errorf("the files cannot be read: %w", err)
	}
	unpack.Stdin = bytes.NewReader(archive)
	return unpack.Run()
}

// mutant is a change to the source that breaks a promise, with the tests that must kill it.
type mutant struct {
	name     string
	file     string
	old, new string // the text in the file, which must occur once, and its replacement
	tests    string // the package, and a pattern of its tests to run
}

// find returns the content of the file in dir, if it contains the text to replace exactly once.
func (m mutant) find(dir string) (content []byte, err error) {
	if content, err = os.ReadFile(filepath.Join(dir, m.file)); err != nil {
		return nil, err
	}
	if n := strings.Count(string(content), m.old); n != 1 {
		return nil, fmt.Errorf("%q occurs %d times in %s", m.old, n, m.file)
	}
	return content, nil
}

// test applies the mutant in dir, reports whether a test kills it, and restores the file.
func (m mutant) test(dir string) (killed bool, err error) {
	content, err := m.find(dir)
	if err != nil {
		return false, err
	}
	path := filepath.Join(dir, m.file)
	mutated := strings.Replace(string(content), m.old, m.new, 1)
	if err := os.WriteFile(path, []byte(mutated), 0o600); err != nil {
		return false, err
	}
	pkg, pattern, _ := strings.Cut(m.tests, " ")
	test := exec.Command("go", "test", "-tags", "sqlite_fts5", "-count=1", "-timeout=300s", "-failfast",
		"-run", pattern, pkg)
	test.Dir = dir
	output, failed := test.CombinedOutput()
	nothingTested := []string{"[build failed]", "[setup failed]", "[no tests to run]", "[no test files]"}
	for _, mark := range nothingTested {
		if strings.Contains(string(output), mark) {
			return false, fmt.Errorf("nothing was tested: %s", output)
		}
	}
	return failed != nil, os.WriteFile(path, content, 0o600)
}
