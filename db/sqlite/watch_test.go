package sqlite

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"runboard/app"
)

// logBook collects the log of a store.
type logBook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// openLogged opens a store and returns it with its log.
func openLogged(t *testing.T, path string) (*Store, *logBook) {
	t.Helper()
	book := &logBook{}
	store, err := Open(ctx, Options{Path: path, Log: slog.New(slog.NewTextHandler(book, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeStore(t, store) })
	return store, book
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// losses are ways to lose the files of an open database, with the text that the log must contain.
var losses = []struct {
	name, said string
	lose       func(t *testing.T, path string)
}{
	{"deleted", "the database has been deleted",
		func(t *testing.T, path string) { must(t, os.Remove(path)) }},
	{"deleted with all beside it", "the database has been deleted", func(t *testing.T, path string) {
		must(t, os.Remove(path), os.Remove(path+"-wal"), os.Remove(path+"-shm"), os.Remove(path+".lock"))
	}},
	{"moved away", "the database has been deleted",
		func(t *testing.T, path string) { must(t, os.Rename(path, path+".old")) }},
	{"replaced by a copy", "the database has been replaced", func(t *testing.T, path string) {
		overwrite(t, path+".copy", read(t, path))
		must(t, os.Rename(path+".copy", path))
	}},
	{"deleted and made anew", "the database has been replaced", func(t *testing.T, path string) {
		must(t, os.Remove(path))
		overwrite(t, path, nil)
	}},
	{"emptied", "the database has been emptied", func(t *testing.T, path string) { truncate(t, path, 0) }},
	{"without its log", "write-ahead log has been deleted",
		func(t *testing.T, path string) { must(t, os.Remove(path+"-wal")) }},
	{"in a directory that was moved", "the database has been deleted", func(t *testing.T, path string) {
		dir := filepath.Dir(path)
		must(t, os.Rename(dir, dir+".old"))
		t.Cleanup(func() { must(t, os.RemoveAll(dir), os.Rename(dir+".old", dir)) })
	}},
}

func TestDatabase_LostFileTakesNoWrites(t *testing.T) {
	t.Parallel()
	for _, loss := range losses {
		t.Run(loss.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "runs.db")
			store, book := openLogged(t, path)
			run := start(t, store, create(t, store, 1)[0])
			loss.lose(t, path)
			// Create must fail at once, or the run would be lost after its acknowledgement.
			_, err := store.Create(ctx, app.CreateRequest{Kind: kind, Count: 1})
			wantCode(t, err, app.CodeUnavailable)
			wantCode(t, store.Finish(ctx, run, app.Outcome{Status: app.Completed}), app.CodeUnavailable)
			wantCode(t, store.Ready(), app.CodeUnavailable)
			if text := book.String(); !strings.Contains(text, loss.said) ||
				strings.Count(text, "level=ERROR") != 1 {
				t.Errorf("the log should say once %q: %s", loss.said, text)
			}
			_ = os.Remove(path) // this file is not the store's
		})
	}
}

// Without writes, the writer must notice the loss by its ticker.
func TestDatabase_LossAndReturnAreNoticed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "runs.db")
	store, book := openLogged(t, path)
	create(t, store, 1)
	must(t, os.Rename(path, path+".elsewhere"))
	until(t, "it is noticed to be lost", func() bool { return store.Ready() != nil })
	must(t, os.Rename(path+".elsewhere", path))
	until(t, "it is noticed to be back", func() bool { return store.Ready() == nil })
	create(t, store, 1)
	if text := book.String(); !strings.Contains(text, "are back") {
		t.Errorf("the log is %s", text)
	}
	closeStore(t, store)
	if counts := checkCounts(t, openStore(t, Options{Path: path})); counts.Total() != 2 {
		t.Errorf("afterwards the counts are %v", counts)
	}
}

func TestDatabase_ChangedLinkIsNoticed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	link(t, dir+"/app/runs.db", "../first.db")
	store, book := openLogged(t, dir+"/app/runs.db")
	must(t, os.Remove(dir+"/app/runs.db"))
	overwrite(t, dir+"/second.db", nil)
	link(t, dir+"/app/runs.db", "../second.db")
	until(t, "it is noticed", func() bool { return store.Ready() != nil })
	if text := book.String(); !strings.Contains(text, "has been replaced") {
		t.Errorf("the log is %s", text)
	}
}

// Other programs may open the file and checkpoint or truncate its write-ahead log.
func TestDatabase_VacuumByOtherProgramIsHarmless(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	create(t, store, 1000)
	change(t, store.options.Path, "PRAGMA wal_checkpoint(TRUNCATE)")
	change(t, store.options.Path, "VACUUM")
	change(t, store.options.Path, "PRAGMA wal_checkpoint(TRUNCATE)")
	create(t, store, 1)
	if err := lost(store.options.files); err != nil {
		t.Error(err)
	}
	checkCounts(t, store)
}
