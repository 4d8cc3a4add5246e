package sqlite

import (
	"sync/atomic"
	"testing"

	"runboard/app"
)

// droppedLimit is a source of a kind that loses its limit after the first call.
type droppedLimit struct{ calls *atomic.Int64 }

func (d droppedLimit) Kinds() []app.Kind { return nil }

func (d droppedLimit) Kind(name string) (app.Kind, bool) {
	if d.calls.Add(1) > 1 {
		return app.Kind{Name: name}, true
	}
	return app.Kind{Name: name, Policy: app.Policy{Concurrency: 1}}, true
}

// The kinds file may be read again while a page is read.
func TestRun_LimitMayDisappearMeanwhile(t *testing.T) {
	t.Parallel()
	source := droppedLimit{calls: &atomic.Int64{}}
	store := newStore(t, Options{Definitions: source})
	runs := create(t, store, 2)
	start(t, store, runs[0])

	source.calls.Store(0)
	page, err := store.Run(ctx, runs[1].ID)
	if err != nil || page.Position.Place != 1 || page.Run.Waiting != (app.Waiting{Limit: 1, By: runs[0].ID}) {
		t.Errorf("the page has %+v and %+v: %v", page.Position, page.Run.Waiting, err)
	}
}
