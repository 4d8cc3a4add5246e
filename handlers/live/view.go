package live

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/fasthttp/websocket"

	"runboard/app"
	"runboard/templates"
)

// Question is what a view shows: one run when Run is not 0, else the list that Query asks for.
// Equal questions share a view.
type Question struct {
	Run   int64
	Query app.Query
}

// view is an answer that somebody watches. It belongs to the hub's goroutine.
type view struct {
	question Question
	watchers map[*Watcher]struct{}
	joining  []*Watcher // those who wait for their first frame
	dirty    bool       // whether the store may have another answer by now
	rested   time.Time  // when the next frame may leave

	seen    answer // what was last drawn
	current *state // what watchers are sent; nil before the first answer
}

// settled reports whether it shows a run, and to all its watchers.
func (v *view) settled() bool {
	return v.question.Run != 0 && v.current != nil && len(v.joining) == 0
}

// answer is what a store says to a question: one of the two.
type answer struct {
	page app.Page
	run  app.RunPage
}

// state is a view at one moment. It does not change, so any watcher may read it.
type state struct {
	number   int64  // of the frame, from 1
	delta    *Frame // leads here from the state before; nil when that says no less than snapshot
	snapshot func() (*Frame, error)
}

// refresh asks the store and, when the answer is another than before, makes it the current state.
func (v *view) refresh(ctx context.Context, store app.Store, t *templates.Templates) (changed bool, err error) {
	fresh, err := v.ask(ctx, store)
	if err != nil {
		return false, err
	}
	if v.current != nil && v.same(fresh) {
		return false, nil
	}
	next := &state{number: 1, snapshot: v.snapshot(fresh, t)}
	if v.current != nil {
		next.number = v.current.number + 1
		if next.delta, err = v.delta(fresh, t); err != nil {
			return false, err
		}
	}
	v.seen, v.current = fresh, next
	return true, nil
}

func (v *view) ask(ctx context.Context, store app.Store) (a answer, err error) {
	if v.question.Run != 0 {
		a.run, err = store.Run(ctx, v.question.Run)
		if app.CodeOf(err) == app.CodeNotFound && v.current != nil {
			return v.seen, nil // deleted: the last state stays on the page
		}
		return a, err
	}
	a.page, err = store.Page(ctx, v.question.Query)
	return a, err
}

// same reports whether a frame for this answer would say nothing new.
func (v *view) same(fresh answer) bool {
	if v.question.Run != 0 {
		return v.seen.run.Mark() == fresh.run.Mark()
	}
	before, now := v.seen.page, fresh.page
	return before.Overview == now.Overview && sameEnds(before, now) &&
		slices.EqualFunc(before.Runs, now.Runs, func(a, b app.ProcessRun) bool { return a.ID == b.ID && a.Version == b.Version })
}

// sameEnds reports whether what stands around the rows of a list is the same but for the overview.
func sameEnds(a, b app.Page) bool {
	return a.HasOlder == b.HasOlder && a.HasNewer == b.HasNewer && a.Matches == b.Matches && a.More == b.More && a.SearchedTo == b.SearchedTo
}

// delta draws what changed: of a list, the cells. It returns nil when the rows themselves did: then the whole
// list is drawn, as it is for the snapshot.
func (v *view) delta(fresh answer, t *templates.Templates) (*Frame, error) {
	if v.question.Run != 0 {
		return frame(t.ChangeFrame(v.seen.run, fresh.run))
	}
	before, now := v.seen.page, fresh.page
	sameRows := slices.EqualFunc(before.Runs, now.Runs, func(a, b app.ProcessRun) bool { return a.ID == b.ID })
	if !sameRows || !sameEnds(before, now) {
		return nil, nil
	}
	var changed []app.ProcessRun
	for i, run := range now.Runs {
		if run.Version != before.Runs[i].Version {
			changed = append(changed, run)
		}
	}
	return frame(t.CellsFrame(changed, now.Overview))
}

// snapshot returns a function that draws everything the view shows. It is drawn when a watcher needs it, and kept
// for the others, if there are any: thousands of pages that are watched by one each must not cost as many drawings.
func (v *view) snapshot(fresh answer, t *templates.Templates) func() (*Frame, error) {
	draw := func() (*Frame, error) { return frame(t.ListFrame(fresh.page)) }
	if v.question.Run != 0 {
		draw = func() (*Frame, error) { return frame(t.RunFrame(fresh.run)) }
	}
	if len(v.watchers) < 2 {
		return draw
	}
	return sync.OnceValues(draw)
}

// Frame is what a socket is sent: HTML, every element of which names its target.
type Frame struct {
	HTML []byte
	// Message is the same, prepared for the wire once for all sockets.
	Message *websocket.PreparedMessage
}

func frame(html []byte, err error) (*Frame, error) {
	if err != nil {
		return nil, fmt.Errorf("a frame could not be drawn: %w", err)
	}
	message, err := websocket.NewPreparedMessage(websocket.TextMessage, html)
	if err != nil {
		return nil, fmt.Errorf("a frame could not be prepared: %w", err)
	}
	return &Frame{HTML: html, Message: message}, nil
}
