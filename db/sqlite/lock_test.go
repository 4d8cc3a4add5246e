package sqlite

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"runboard/app"
)

func TestLock_RefusesSecondStore(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	run := start(t, store, create(t, store, 2)[0])
	path := store.options.Path
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	linkedDir := filepath.Join(t.TempDir(), "dir")
	if err := os.Symlink(filepath.Dir(path), linkedDir); err != nil {
		t.Fatal(err)
	}
	for name, again := range map[string]string{
		"by the same name": path, "by a link": link, "through a linked directory": filepath.Join(linkedDir,
			"runs.db"),
	} {
		t.Run(name, func(t *testing.T) { wantInUse(t, refusal(t, again)) })
		t.Run(name+" in another process", func(t *testing.T) {
			line, err := openElsewhere(again)
			if err == nil {
				t.Fatal("another process could open it")
			}
			wantInUse(t, line)
		})
	}
	unharmed(t, store, run)
	closeStore(t, store)
	if line, err := openElsewhere(link); err != nil {
		t.Errorf("after it was closed, another process cannot open it: %s", line)
	}
}

// Each of these names has a lock file and a write-ahead log of its own.
func TestLock_HoldsForEveryNameOfFile(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere a file has no lock of its own")
	}
	for name, rename := range map[string]func(from, to string) error{"a hard link": os.Link,
		"a new name": os.Rename} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := newStore(t, Options{})
			run := start(t, store, create(t, store, 2)[0])
			other := filepath.Join(t.TempDir(), "other.db")
			if err := rename(store.options.Path, other); err != nil {
				t.Fatal(err)
			}
			for range 2 { // the first refusal must not release the lock
				line, err := openElsewhere(other)
				if err == nil {
					t.Fatal("another process could open it")
				}
				wantInUse(t, line)
			}
			wantFiles(t, other, "other.db")
			if got := get(t, store, run.ID); got != run {
				t.Errorf("the run that was started is now %+v", got)
			}
			closeStore(t, store)
			if line, err := openElsewhere(other); err != nil {
				t.Errorf("after it was closed, another process cannot open it: %s", line)
			}
		})
	}
}

// Other SQLite programs must see that the file is in use: the connection that thinks it is the last deletes
// the write-ahead log.
func TestLock_KeepsLocksOfSQLite(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	create(t, store, 2)
	if line, err := elsewhere(lookInstead, store.options.Path); err != nil {
		t.Errorf("while it is open: %s", line)
	}
}

func TestLock_FileIsRemovedSafely(t *testing.T) {
	t.Parallel()
	const enough = 50
	path := filepath.Join(t.TempDir(), "runs.db")
	var holders, held atomic.Int64
	var group sync.WaitGroup
	for range 6 {
		group.Go(func() {
			for held.Load() < enough {
				lock, err := lockPath(path)
				if errors.Is(err, errInUse) {
					runtime.Gosched()
					continue
				}
				if err == nil {
					if held.Add(1); holders.Add(1) > 1 {
						t.Error("two have it")
					}
					runtime.Gosched()
					holders.Add(-1)
					err = unlockPath(lock)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	wantFiles(t, path)
}

// unharmed checks that the store still works and can finish run.
func unharmed(t *testing.T, store *Store, run app.ProcessRun) {
	t.Helper()
	if got := get(t, store, run.ID); got != run {
		t.Errorf("the run that was started is now %+v", got)
	}
	if err := store.Finish(ctx, run, app.Outcome{Status: app.Completed}); err != nil {
		t.Errorf("the first store cannot go on: %v", err)
	}
	create(t, store, 1)
	checkCounts(t, store)
}

func wantInUse(t *testing.T, line string) {
	t.Helper()
	if !strings.Contains(line, "is in use by another process") ||
		strings.Contains(strings.TrimSpace(line), "\n") {
		t.Errorf("this should be a line that says that the file is in use: %q", line)
	}
}

// openElsewhere opens and closes a file in another process, and returns its output.
func openElsewhere(path string) (line string, err error) { return elsewhere(openInstead, path) }

// elsewhere runs one of the modes of TestMain on a file in another process, and returns its output.
func elsewhere(instead, path string) (line string, err error) {
	command := exec.Command(os.Args[0], "-test.run=^$")
	command.Env = append(os.Environ(), instead+"="+path)
	output, err := command.CombinedOutput()
	return string(output), err
}

func TestLink_ToDatabaseIsOpened(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	create(t, store, 3)
	closeStore(t, store)
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(store.options.Path, link); err != nil {
		t.Fatal(err)
	}
	if counts := checkCounts(t, openStore(t, Options{Path: link})); counts[app.Created] != 3 {
		t.Errorf("through a link the counts are %v", counts)
	}
}
