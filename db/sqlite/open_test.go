package sqlite

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"runboard/app"
)

// wantFiles checks the names of the files in the directory of path.
func wantFiles(t *testing.T, path string, names ...string) {
	t.Helper()
	slices.Sort(names)
	if found := filesBeside(t, path); !slices.Equal(found, names) {
		t.Errorf("the directory holds %v and not %v", found, names)
	}
}

// filesBeside returns the sorted names of the files in the directory of path.
func filesBeside(t *testing.T, path string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func TestOpen_CreatesMissingFile(t *testing.T) {
	t.Parallel()
	store := openStore(t, Options{Path: filepath.Join(t.TempDir(), "runs.db")})
	info, err := os.Stat(store.options.Path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("it should be for its owner only: %v, %v", info.Mode(), err)
	}
	if counts := checkCounts(t, store); counts.Total() != 0 {
		t.Errorf("its counts are %v", counts)
	}
}

func TestOpen_RemovesLeftoversOfCrash(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "runs.db")
	for _, suffix := range []string{".new", ".new-wal", ".new-shm"} {
		if err := os.WriteFile(path+suffix, []byte("half a database"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	store := openStore(t, Options{Path: path})
	create(t, store, 1)
	closeStore(t, store)
	wantFiles(t, path, "runs.db")
}

// An operator who deletes a database after a crash may leave its write-ahead log.
func TestOpen_DropsLogOfDeletedDatabase(t *testing.T) {
	t.Parallel()
	old := newStore(t, Options{})
	create(t, old, 500)
	path := copyOf(t, old.options.Path)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	store := openStore(t, Options{Path: path})
	if counts := checkCounts(t, store); counts.Total() != 0 {
		t.Errorf("a new database begins with %v", counts)
	}
}

func TestOpen_RefusesMissingDirectory(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "missing")
	line := refusal(t, filepath.Join(dir, "runs.db"))
	if !strings.Contains(line, "directory") {
		t.Errorf("the error is %q", line)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the directory was made: %v", err)
	}
}

func TestOpen_LeavesNoFileOnFailure(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "runs.db")
	if _, err := Open(ctx, Options{Path: path, Synchronous: "fulll"}); err == nil {
		t.Error("it was made")
	}
	wantFiles(t, path)
}

func TestOpen_KeepsRunsAndKeys(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	runs := create(t, store, 5)
	request := app.CreateRequest{Kind: kind, Count: 2, IdempotencyKey: "again"}
	first, err := store.Create(ctx, request)
	if err != nil {
		t.Fatal(err)
	}
	closeStore(t, store)
	store = openStore(t, Options{Path: store.options.Path})
	for _, run := range runs {
		if got := get(t, store, run.ID); got != run {
			t.Errorf("%+v is now %+v", run, got)
		}
	}
	if again, err := store.Create(ctx, request); err != nil || again != first {
		t.Errorf("the repeated request gets %+v and not %+v: %v", again, first, err)
	}
	if next := create(t, store, 1)[0]; next.ID != first.Last()+1 {
		t.Errorf("after run %d comes run %d", first.Last(), next.ID)
	}
}
