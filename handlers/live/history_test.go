package live

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"runboard/app"
	"runboard/db/sqlite"
	"runboard/templates"
)

// browser is a subscriber with a screen. It reads at its own speed.
type browser struct {
	question ViewKey
	stop     chan struct{}
	stopped  chan struct{}

	mu     sync.Mutex
	screen screen
	fallen []string // runs whose version decreased
}

func openBrowser(hub *Hub, question ViewKey, pause time.Duration) *browser {
	b := &browser{question: question, stop: make(chan struct{}), stopped: make(chan struct{})}
	go b.read(hub, pause)
	return b
}

func (b *browser) read(hub *Hub, pause time.Duration) {
	defer close(b.stopped)
	watcher := hub.Watch(b.question)
	defer watcher.Close()
	for {
		select {
		case <-watcher.Notified():
			b.take(watcher)
			time.Sleep(pause) // a slow reader, which must not matter
		case <-b.stop:
			return
		}
	}
}

func (b *browser) take(watcher *Subscriber) {
	frame, err := watcher.Next()
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		b.fallen = append(b.fallen, err.Error())
	} else if frame != nil {
		b.fallen = append(b.fallen, b.screen.apply(frame)...)
	}
}

// differs returns an error if the screen differs from truth. The page of a run shows no counts, so it
// compares none for it.
func (b *browser) differs(truth screen) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.screen
	switch {
	case len(b.fallen) > 0:
		return fmt.Errorf("versions fell: %v", b.fallen)
	case !slices.Equal(s.rows, truth.rows):
		return fmt.Errorf("rows %v and not %v", s.rows, truth.rows)
	case !maps.Equal(s.versions, truth.versions) || !maps.Equal(s.statuses, truth.statuses):
		return fmt.Errorf("cells %v %v and not %v %v", s.versions, s.statuses, truth.versions, truth.statuses)
	case b.question.Run == 0 && !maps.Equal(s.counts, truth.counts):
		return fmt.Errorf("counts %v and not %v", s.counts, truth.counts)
	}
	return nil
}

func (b *browser) close() {
	close(b.stop)
	<-b.stopped
}

// history is a random sequence of changes, with browsers that connect and disconnect.
type history struct {
	store    *sqlite.Store
	hub      *Hub
	browsers []*browser
	started  []app.ProcessRun
	created  int64
}

var statusOf = []app.Status{app.Completed, app.Failed, app.Created}

func (h *history) step(t *rapid.T) {
	ctx := context.Background()
	switch rapid.IntRange(0, 6).Draw(t, "step") {
	case 0:
		count := rapid.IntRange(1, 8).Draw(t, "count")
		create(t, h.store, count)
		h.created += int64(count)
	case 1, 2:
		waiting, err := h.store.FetchDue(ctx, []app.DueKind{{Name: "test"}}, 5)
		if err != nil {
			t.Fatal(err)
		}
		for _, run := range waiting {
			if run, err := h.store.Start(ctx, run); err == nil {
				h.started = append(h.started, run)
			}
		}
	case 3, 4:
		for _, run := range h.started {
			status := rapid.SampledFrom(statusOf).Draw(t, "status")
			if err := h.store.Finish(ctx, run, app.Outcome{Status: status}); err != nil {
				t.Fatal(err)
			}
		}
		h.started = nil
	case 5:
		pause := rapid.SampledFrom([]time.Duration{0, 0, 300 * time.Millisecond}).Draw(t, "pause")
		h.browsers = append(h.browsers, openBrowser(h.hub, h.question(t), pause))
	case 6: // a browser reconnects and keeps its screen meanwhile
		if len(h.browsers) > 0 {
			i := rapid.IntRange(0, len(h.browsers)-1).Draw(t, "browser")
			old := h.browsers[i]
			old.close()
			fresh := &browser{question: old.question, stop: make(chan struct{}), stopped: make(chan struct{}),
				screen: old.screen}
			go fresh.read(h.hub, 0)
			h.browsers[i] = fresh
		}
	}
}

func (h *history) question(t *rapid.T) ViewKey {
	query := app.Query{}
	switch rapid.IntRange(0, 4).Draw(t, "question") {
	case 0:
		if h.created > 0 {
			return ViewKey{Run: rapid.Int64Range(1, h.created).Draw(t, "run")}
		}
	case 1:
		query.Filtered, query.Status = true, rapid.SampledFrom(app.Statuses()).Draw(t, "filter")
	case 2:
		query = query.WithCursor(app.Before, rapid.Int64Range(0, 40).Draw(t, "before"))
	case 3:
		query = query.WithCursor(app.After, rapid.Int64Range(0, 40).Draw(t, "after"))
	}
	return ViewKey{Query: query}
}

// truth returns the screen of a new subscriber.
func (h *history) truth(t *rapid.T, drawing *templates.Templates, question ViewKey) (s screen) {
	ctx := context.Background()
	var html []byte
	if question.Run != 0 {
		page, err := h.store.Run(ctx, question.Run)
		if err != nil {
			t.Fatal(err)
		}
		html, err = drawing.RunFrame(page)
		if err != nil {
			t.Fatal(err)
		}
	} else {
		page, err := h.store.Page(ctx, question.Query)
		if err != nil {
			t.Fatal(err)
		}
		html, err = drawing.ListFrame(page)
		if err != nil {
			t.Fatal(err)
		}
	}
	s.apply(&Frame{HTML: html})
	return s
}

// TestHub_EveryScreenEndsAsTheDatabase plays random changes to slow, late and reconnecting browsers, and then
// compares every screen with the database.
func TestHub_EveryScreenEndsAsTheDatabase(t *testing.T) {
	drawing := newTemplates(t)
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "runboard-live-")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		store := openStore(t, dir)
		defer store.Close()
		hub, stop := runHub(t, store)
		defer stop()
		h := &history{store: store, hub: hub}
		defer func() {
			for _, b := range h.browsers {
				b.close()
			}
		}()
		for range rapid.IntRange(5, 40).Draw(t, "steps") {
			h.step(t)
		}
		h.compare(t, drawing)
	})
}

// compare waits until every screen shows the state of the database, which no longer changes.
func (h *history) compare(t *rapid.T, drawing *templates.Templates) {
	for i, b := range h.browsers {
		truth := h.truth(t, drawing, b.question)
		err := b.differs(truth)
		deadline := time.Now().Add(patience)
		for err != nil && time.Now().Before(deadline) {
			time.Sleep(5 * time.Millisecond)
			err = b.differs(truth)
		}
		if err != nil {
			t.Fatalf("browser %d with the view %+v shows %v", i, b.question, err)
		}
	}
}
