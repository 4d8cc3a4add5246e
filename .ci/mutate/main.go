// Command mutate takes the fences away, one at a time, in a copy of the program, and shows that some test fails for
// each. A fence whose loss no test sees is reported, and the exit status is 1. See make mutate.
package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

// run tries all fences, or those whose names contain one of the words.
func run(words []string) error {
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := copyTo(dir); err != nil {
		return err
	}
	var survivors []string
	for _, fence := range fences {
		if !wanted(fence.name, words) {
			continue
		}
		began := time.Now()
		seen, err := fence.remove(dir)
		if err != nil {
			return fmt.Errorf("%s: %w", fence.name, err)
		}
		if !seen {
			survivors = append(survivors, fence.name)
		}
		fmt.Printf("%-60s %s (%v)\n", fence.name, map[bool]string{true: "missed by a test", false: "NOT MISSED"}[seen], time.Since(began).Round(time.Second))
	}
	if survivors != nil {
		return fmt.Errorf("no test misses: %s", strings.Join(survivors, "; "))
	}
	return nil
}

func wanted(name string, words []string) bool {
	for _, word := range words {
		if strings.Contains(name, word) {
			return true
		}
	}
	return len(words) == 0
}

// copyTo copies what is under version control, as it is now, and the assets, which must be there.
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

// fence is a condition that guards a promise.
type fence struct {
	name     string
	file     string
	old, new string // what is replaced in the file, where it must stand once
	tests    string // the package, and which of its tests are run
}

// remove takes the fence away in dir, reports whether a test fails, and puts it back.
func (f fence) remove(dir string) (seen bool, err error) {
	path := filepath.Join(dir, f.file)
	whole, err := os.ReadFile(path)
	if err != nil {
		return false, err
	}
	if n := strings.Count(string(whole), f.old); n != 1 {
		return false, fmt.Errorf("%q stands %d times in %s", f.old, n, f.file)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(whole), f.old, f.new, 1)), 0o600); err != nil {
		return false, err
	}
	pkg, pattern, _ := strings.Cut(f.tests, " ")
	test := exec.Command("go", "test", "-tags", "sqlite_fts5", "-count=1", "-timeout=300s", "-run", pattern, pkg)
	test.Dir = dir
	output, failed := test.CombinedOutput()
	if strings.Contains(string(output), "[build failed]") || strings.Contains(string(output), "[no tests to run]") {
		return false, fmt.Errorf("nothing was tested: %s", output)
	}
	return failed != nil, os.WriteFile(path, whole, 0o600)
}
