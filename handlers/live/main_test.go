package live

import (
	"context"
	"flag"
	"log/slog"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"runboard/app"
	"runboard/db/sqlite"
	"runboard/jobs"
	"runboard/templates"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		_ = checks.Value.Set("25") // each plays a history in real time
	}
	goleak.VerifyTestMain(m)
}

// patience is how long a test waits for a condition.
const patience = 30 * time.Second

type fataler interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

// newRegistry returns a registry of kinds with these names, whose work does nothing.
func newRegistry(t fataler, names ...string) *jobs.Registry {
	t.Helper()
	var kinds []jobs.Kind
	for _, name := range names {
		kinds = append(kinds, jobs.Kind{Name: name,
			Work: func(context.Context, *jobs.Run) error { return nil }})
	}
	registry, err := jobs.NewRegistry(kinds...)
	if err != nil {
		t.Fatal(err)
	}
	return registry
}

func newTemplates(t fataler) *templates.Templates {
	t.Helper()
	drawing, err := templates.New(templates.Options{
		Asset: func(name string) string { return "/static/" + name }, Kinds: newRegistry(t, "test"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return drawing
}

func openStore(t fataler, dir string) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(context.Background(),
		sqlite.Options{Path: filepath.Join(dir, "test.db"), Synchronous: "normal"})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// runHub starts a hub, and returns it with a function that stops it.
func runHub(t fataler, store app.Store) (hub *Hub, stop func()) {
	t.Helper()
	hub = NewHub(store, newTemplates(t), slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		hub.Run(ctx)
	}()
	return hub, func() {
		cancel()
		<-done
	}
}

func create(t fataler, store app.Store, count int) app.Batch {
	t.Helper()
	batch, err := store.Create(context.Background(), app.CreateRequest{Kind: "test", Count: count})
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

// next waits for the next frame of a subscriber.
func next(t fataler, w *Subscriber) *Frame {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case <-w.Notified():
			frame, err := w.Next()
			if err != nil {
				t.Fatal(err)
			}
			if frame != nil {
				return frame
			}
		case <-deadline:
			t.Fatal("no frame arrived in time")
		}
	}
}

// screen is what a browser shows after the frames that it has received: the rows of the list in order, the
// version of each cell, and the counts.
type screen struct {
	rows     []string
	versions map[string]int64
	statuses map[string]string
	counts   map[string]string
}

var (
	listPattern  = regexp.MustCompile(`(?s)hx-target="#process_runs".*?</tbody>`)
	cellPattern  = regexp.MustCompile(`id="(process_run_\d+)_status" data-status="(\w+)" data-version="(\d+)"`)
	countPattern = regexp.MustCompile(`<b id="count_(\w+)">([\d,]+)</b>`)
)

// apply applies a frame as htmx does: it replaces the list if the frame has one, else the cells on the
// screen. It returns the runs whose version decreased.
func (s *screen) apply(frame *Frame) (fallen []string) {
	html := string(frame.HTML)
	before := s.versions
	cells := cellPattern.FindAllStringSubmatch(html, -1)
	if listPattern.MatchString(html) || s.versions == nil {
		s.rows, s.versions, s.statuses = nil, map[string]int64{}, map[string]string{}
		for _, cell := range cells {
			s.rows = append(s.rows, cell[1])
			s.versions[cell[1]] = 0
		}
	}
	for _, cell := range cells {
		if _, shown := s.versions[cell[1]]; !shown {
			continue
		}
		version, _ := strconv.ParseInt(cell[3], 10, 64)
		if version < before[cell[1]] {
			fallen = append(fallen, cell[1])
		}
		s.versions[cell[1]], s.statuses[cell[1]] = version, cell[2]
	}
	s.counts = map[string]string{}
	for _, count := range countPattern.FindAllStringSubmatch(html, -1) {
		s.counts[count[1]] = strings.ReplaceAll(count[2], ",", "")
	}
	return fallen
}
