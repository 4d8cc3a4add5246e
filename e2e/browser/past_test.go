package browser

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"runboard/app"
	"runboard/db/sqlite"
)

// clock is a settable clock. It is safe for concurrent use, because the store reads it at any time.
type clock struct{ unixMicro atomic.Int64 }

func (c *clock) now() time.Time { return time.UnixMicro(c.unixMicro.Load()) }

func (c *clock) set(now time.Time) { c.unixMicro.Store(now.UnixMicro()) }

// past fills a store with history by setting its clock.
type past struct {
	t       *testing.T
	store   *sqlite.Store
	clock   clock
	waiting map[string][]app.ProcessRun // by kind, oldest first
}

// openPast opens a new database. Its caller must close the store.
func openPast(t *testing.T, path string) *past {
	t.Helper()
	p := &past{t: t, waiting: map[string][]app.ProcessRun{}}
	store, err := sqlite.Open(t.Context(),
		sqlite.Options{Path: path, Synchronous: "normal", Now: p.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	p.store = store
	return p
}

func (p *past) close() {
	p.t.Helper()
	if err := p.store.Close(); err != nil {
		p.t.Fatal(err)
	}
}

func (p *past) create(kind string, n int) {
	p.t.Helper()
	if n == 0 {
		return
	}
	batch, err := p.store.Create(p.t.Context(), app.CreateRequest{Kind: kind, Count: n})
	if err != nil {
		p.t.Fatal(err)
	}
	p.waiting[kind] = append(p.waiting[kind], batch.Runs()...)
}

// work starts up to n waiting runs of a kind and finishes them after about the given time. Every eighth run
// fails.
func (p *past) work(kind string, n int, about time.Duration) {
	p.t.Helper()
	runs := p.waiting[kind][:min(n, len(p.waiting[kind]))]
	p.waiting[kind] = p.waiting[kind][len(runs):]
	began := p.clock.now()
	p.each(runs, func(run *app.ProcessRun) (err error) {
		*run, err = p.store.Start(p.t.Context(), *run)
		return err
	})
	for part, i := len(runs)/3+1, 0; i < len(runs); i += part {
		p.clock.set(p.clock.now().Add(about / 3))
		p.each(runs[i:min(i+part, len(runs))], func(run *app.ProcessRun) error {
			if run.ID%8 == 0 {
				return p.store.Finish(p.t.Context(), *run,
					app.Outcome{Status: app.Failed, Error: "the disk is full"})
			}
			return p.store.Finish(p.t.Context(), *run, app.Outcome{Status: app.Completed})
		})
	}
	p.clock.set(began)
}

// each applies do to all runs concurrently.
func (p *past) each(runs []app.ProcessRun, do func(*app.ProcessRun) error) {
	p.t.Helper()
	var group sync.WaitGroup
	for i := range runs {
		group.Go(func() {
			if err := do(&runs[i]); err != nil {
				p.t.Error(err)
			}
		})
	}
	group.Wait()
}
