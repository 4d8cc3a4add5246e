package live

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"runboard/app"
	"runboard/db/sqlite"
)

// limited is a source of kinds that allow one run at a time.
type limited struct{ app.KindSource }

func (limited) Kind(name string) (app.Kind, bool) {
	return app.Kind{Name: name, Policy: app.Policy{Concurrency: 1}}, true
}

// openLimited returns a hub of a store with a run that is started and one that waits for it.
func openLimited(t *testing.T) (store *sqlite.Store, hub *Hub, started, waiting app.ProcessRun) {
	t.Helper()
	store, err := sqlite.Open(t.Context(), sqlite.Options{
		Path: filepath.Join(t.TempDir(), "runs.db"), Definitions: limited{},
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	hub = NewHub(store, newTemplates(t), slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		hub.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	batch, err := store.Create(t.Context(), app.CreateRequest{Kind: "test", Count: 2})
	if err != nil {
		t.Fatal(err)
	}
	started, err = store.Start(t.Context(), batch.Runs()[0])
	if err != nil {
		t.Fatal(err)
	}
	return store, hub, started, batch.Runs()[1]
}

// nextWith returns the next frame that contains a text.
func nextWith(t *testing.T, w *Subscriber, text string) {
	t.Helper()
	for !strings.Contains(string(next(t, w).HTML), text) {
	}
}

// What a run waits for changes although the run itself does not.
func TestWaiting_FramesFollow(t *testing.T) {
	t.Parallel()
	store, hub, started, waiting := openLimited(t)
	for name, key := range map[string]ViewKey{"the list": {}, "the run": {Run: waiting.ID}} {
		w := hub.Watch(key)
		defer w.Close()
		if frame := string(next(t, w).HTML); !strings.Contains(frame, "1 of 1 ") {
			t.Errorf("the first frame of %s does not say what the run waits for: %s", name, frame)
		}
		for _, step := range []struct {
			pause bool
			want  string
		}{{true, "he kind is paused"}, {false, "1 of 1 "}} {
			if err := store.PauseKind(t.Context(), "test", step.pause); err != nil {
				t.Fatal(err)
			}
			nextWith(t, w, step.want)
		}
	}
	w := hub.Watch(ViewKey{})
	defer w.Close()
	next(t, w)
	if err := store.Finish(t.Context(), started, app.Outcome{Status: app.Completed}); err != nil {
		t.Fatal(err)
	}
	for strings.Contains(string(next(t, w).HTML), "1 of 1 running") {
	}
}

// Nothing notifies when a run becomes due.
func TestWaiting_FrameComesWhenARunIsDue(t *testing.T) {
	onVirtualTime(t, func(t *testing.T, store *answers, hub *Hub) {
		due := time.Now().Add(1500 * time.Millisecond)
		run := app.ProcessRun{ID: 1, Kind: "test", Version: 3, ScheduledAt: due}
		store.page.Runs = []app.ProcessRun{run}
		w := hub.Watch(ViewKey{})
		defer w.Close()
		next(t, w)
		store.mu.Lock()
		run.Waiting = app.Waiting{Limit: 1, By: 7}
		store.page.Runs = []app.ProcessRun{run}
		store.mu.Unlock()
		nextWith(t, w, "1 of 1 running (#7)")
		if late := time.Since(due); late < 0 || late > 100*time.Millisecond {
			t.Errorf("the frame came %v after the run was due", late)
		}
	})
}
