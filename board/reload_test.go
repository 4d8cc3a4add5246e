package board

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
)

// A SIGHUP may come while the board starts.
func TestReload_MayOverlapTheStart(t *testing.T) {
	t.Parallel()
	// the first one has a warning
	const file = "kinds: {backup: {run: [./missing.sh]}, NAME: {run: ['true']}}\n"
	config := newConfig(t)
	config.Kinds = filepath.Join(t.TempDir(), "kinds.yaml")
	writeFile(t, config.Kinds, strings.Replace(file, "NAME", "first", 1))
	b, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, config.Kinds, strings.Replace(file, "NAME", "second", 1))
	reloaded := make(chan error, 1)
	go func() { reloaded <- b.Reload() }()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()

	if err := <-reloaded; err != nil {
		t.Errorf("Reload: %v", err)
	}
	if _, err := b.Enqueue(t.Context(), "second"); err != nil {
		t.Errorf("a run of the new kind: %v", err)
	}
	if _, err := b.Enqueue(t.Context(), "first"); err == nil {
		t.Error("a run of the removed kind was created")
	}
	writeFile(t, config.Kinds, "kinds: {third: {}}")
	if err := b.Reload(); err == nil {
		t.Error("a faulty file was accepted")
	}
	if _, err := b.Enqueue(t.Context(), "second"); err != nil {
		t.Errorf("a run after the faulty file: %v", err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
}
