package sqlite

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// link creates a symbolic link and its directory.
func link(t *testing.T, name, target string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, name); err != nil {
		t.Fatal(err)
	}
}

// links create chains of links from app/runs.db to volume/real.db in dir.
var links = map[string]func(t *testing.T, dir string){
	"absolute": func(t *testing.T, dir string) { link(t, dir+"/app/runs.db", dir+"/volume/real.db") },
	"relative": func(t *testing.T, dir string) { link(t, dir+"/app/runs.db", "../volume/real.db") },
	"a chain": func(t *testing.T, dir string) {
		link(t, dir+"/app/runs.db", dir+"/other/second.db")
		link(t, dir+"/other/second.db", "./third.db")
		link(t, dir+"/other/third.db", "../volume/real.db")
	},
	"through a linked directory": func(t *testing.T, dir string) {
		link(t, dir+"/app/runs.db", "data/real.db")
		link(t, dir+"/app/data", "../volume")
	},
	"up from a linked directory": func(t *testing.T, dir string) { // ".." leads to volume, not to app
		if err := os.Mkdir(dir+"/volume/deep", 0o700); err != nil {
			t.Fatal(err)
		}
		link(t, dir+"/app/runs.db", "data/../real.db")
		link(t, dir+"/app/data", dir+"/volume/deep")
		link(t, dir+"/app/real.db", dir+"/app/wrong.db")
	},
}

func TestLink_ToMissingDatabaseIsFollowed(t *testing.T) {
	t.Parallel()
	for name, lead := range links {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.Mkdir(dir+"/volume", 0o700); err != nil {
				t.Fatal(err)
			}
			lead(t, dir)
			given, real := dir+"/app/runs.db", dir+"/volume/real.db"
			before := filesBeside(t, given)
			store := openStore(t, Options{Path: given})
			create(t, store, 3)
			for _, other := range []string{given, real} {
				line, err := openElsewhere(other)
				if err == nil {
					t.Fatalf("another process could open %s", other)
				}
				wantInUse(t, line)
			}
			for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
				if info, err := os.Lstat(real + suffix); err != nil || !info.Mode().IsRegular() {
					t.Errorf("%s is not where the link leads: %v", "real.db"+suffix, err)
				}
			}
			wantFiles(t, given, before...)
			closeStore(t, store)
			if target, err := os.Readlink(given); err != nil || target == "" {
				t.Errorf("the link was replaced: %v", err)
			}
			if counts := checkCounts(t, openStore(t, Options{Path: real})); counts.Total() != 3 {
				t.Errorf("where the link leads the counts are %v", counts)
			}
		})
	}
}

func TestLink_ToUnusableTargetIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ target, reason string }{
		"to a missing directory":       {"missing/runs.db", "missing"},
		"to a directory":               {".", "is not a file"},
		"to a directory, with a slash": {"./", "is not a file"},
		"to itself":                    {"runs.db", "symbolic link that leads to itself"},
		"to a link that leads back":    {"back.db", "symbolic link that leads to itself"},
		"through a file":               {"text/runs.db", "not a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "runs.db")
			link(t, path, c.target)
			link(t, filepath.Join(filepath.Dir(path), "back.db"), path)
			overwrite(t, filepath.Join(filepath.Dir(path), "text"), []byte("text"))
			before := filesBeside(t, path)
			if line := refusal(t, path); !strings.Contains(line, c.reason) {
				t.Errorf("the reason should speak of %q: %s", c.reason, line)
			}
			wantFiles(t, path, before...)
		})
	}
}

// The configuration refuses such a path, but a working directory or the target of a link may have one.
func TestDirectory_MayContainURLCharacters(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"100%", "a%20b", "why?", "no#1", "a b&mode=memory"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), name, "runs.db")
			if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			store := openStore(t, Options{Path: path})
			create(t, store, 1)
			wantFiles(t, path, "runs.db", "runs.db-shm", "runs.db-wal", "runs.db.lock")
			closeStore(t, store)
			wantFiles(t, path, "runs.db")
			get(t, openStore(t, Options{Path: path}), 1)
		})
	}
}
