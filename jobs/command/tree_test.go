//go:build linux

package command

import (
	"os"
	"path/filepath"
	"testing"
)

// TestRemoveTree_ChangesNothingOutside removes a tree that contains a link to the outside and
// directories with mode 0.
func TestRemoveTree_ChangesNothingOutside(t *testing.T) {
	t.Parallel()
	outside, dir := filepath.Join(t.TempDir(), "outside"), filepath.Join(t.TempDir(), "tree")
	for _, path := range []string{outside, filepath.Join(dir, "a", "b")} {
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(outside, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "a", "link")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(dir, "a", "b"), filepath.Join(dir, "a"), dir} {
		if err := os.Chmod(path, 0); err != nil {
			t.Fatal(err)
		}
	}
	openModes(dir)
	for _, path := range []string{dir, filepath.Join(dir, "a"), filepath.Join(dir, "a", "b")} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s has the mode %v: %v", path, info.Mode(), err)
		}
	}
	if err := RemoveTree(dir); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(outside); err != nil || info.Mode().Perm() != 0o750 {
		t.Errorf("outside has the mode %v: %v", info.Mode(), err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(outside, link); err != nil {
		t.Fatal(err)
	}
	openModes(link)
	if info, err := os.Stat(outside); err != nil || info.Mode().Perm() != 0o750 {
		t.Errorf("behind a link it has the mode %v: %v", info.Mode(), err)
	}
}
