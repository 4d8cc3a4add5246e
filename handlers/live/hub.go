// Package live keeps browsers up to date. A view is a question, "the newest 25 failed runs" or "run
// 42"; all browsers that ask the same one share it. When the bell rings, the hub asks the store each
// question that somebody watches, compares the answer with the last one, and draws what changed
// into a frame that all its watchers are sent.
//
// One goroutine asks, so an older answer can never follow a newer one. A watcher is not a queue: it
// has the number of the frame that it was sent last, and looks for itself what its view has now.
// If that is the next frame, it gets it; if it has missed any, it gets all of the view. So a slow one
// costs no memory and delays nobody, and whoever is late is never wrong.
package live

import (
	"context"
	"log/slog"
	"time"

	"runboard/app"
	"runboard/templates"
)

// Rest is how long a view rests after a frame: five frames a second are as many as a person can
// use. After a longer silence the first change leaves at once.
const Rest = 200 * time.Millisecond

// retry is how long a view waits when the store could not answer.
const retry = time.Second

// Hub is where views and watchers meet. Make it with NewHub and run it with Run.
type Hub struct {
	store     app.Store
	templates *templates.Templates
	log       *slog.Logger

	visits  chan visit    // one for both kinds, so that nobody leaves before having come
	stopped chan struct{} // closed when Run has returned

	views  map[Question]*view // owned by Run
	rested time.Time          // owned by Run: when it may draw again
}

// visit is the coming or leaving of a watcher.
type visit struct {
	watcher *Watcher
	leaving bool
}

// NewHub returns a hub that shows what is in the store.
func NewHub(store app.Store, templates *templates.Templates, log *slog.Logger) *Hub {
	return &Hub{
		store: store, templates: templates, log: log,
		visits: make(chan visit, 256), stopped: make(chan struct{}), views: make(map[Question]*view),
	}
}

// Watch registers a watcher of a view. Its first frame shows what is in the store at some time after
// this call. Close must be called when it is no longer used. It returns nil when the hub has stopped.
func (h *Hub) Watch(question Question) *Watcher {
	w := &Watcher{hub: h, question: question, wake: make(chan struct{}, 1)}
	select {
	case <-h.stopped: // looked at first: there may be room for a visit that nobody receives
		return nil
	default:
	}
	select {
	case h.visits <- visit{watcher: w}:
		return w
	case <-h.stopped:
		return nil
	}
}

// Run serves the watchers until ctx ends. Before it returns it draws every view once more, so that
// what was committed before is also seen.
func (h *Hub) Run(ctx context.Context) {
	defer close(h.stopped)
	rings, stop := h.store.Changes().Listen()
	defer stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			h.drawAll(context.WithoutCancel(ctx))
			return
		case <-rings:
			for _, view := range h.views {
				view.dirty = true
			}
		case one := <-h.visits:
			h.receive(one)
		case <-timer.C:
		}
		h.settle()
		timer.Reset(h.drawDue(ctx))
	}
}

// settle takes in all who come and go at this moment, so that a thousand browsers that return
// together are one question to the store.
func (h *Hub) settle() {
	for {
		select {
		case one := <-h.visits:
			h.receive(one)
		default:
			return
		}
	}
}

func (h *Hub) receive(v visit) {
	if v.leaving {
		h.leave(v.watcher)
	} else {
		h.join(v.watcher)
	}
}

func (h *Hub) join(w *Watcher) {
	v := h.views[w.question]
	if v == nil {
		v = &view{question: w.question, watchers: make(map[*Watcher]struct{})}
		h.views[w.question] = v
	}
	v.watchers[w] = struct{}{}
	v.joining = append(v.joining, w)
	v.dirty = true // the answer at hand was read before this one came
}

func (h *Hub) leave(w *Watcher) {
	v := h.views[w.question]
	if v == nil {
		return
	}
	delete(v.watchers, w)
	if len(v.watchers) == 0 {
		delete(h.views, w.question)
	}
}

// drawDue draws the views that have changed and rested, and returns how long it is until the next
// one has. It then rests itself for as long as that took: however many views there are, the hub
// leaves half of a core to others.
func (h *Hub) drawDue(ctx context.Context) (wait time.Duration) {
	began := time.Now()
	if left := h.rested.Sub(began); left > 0 {
		return left
	}
	wait = time.Hour
	for _, v := range h.views {
		if v.dirty && !v.rested.After(began) {
			h.draw(ctx, v)
		}
		if v.dirty {
			wait = min(wait, time.Until(v.rested))
		}
	}
	h.rested = time.Now().Add(time.Since(began))
	return max(wait, time.Until(h.rested))
}

func (h *Hub) drawAll(ctx context.Context) {
	h.settle()
	for _, v := range h.views {
		h.draw(ctx, v)
	}
}

// draw brings one view up to date and tells its watchers.
func (h *Hub) draw(ctx context.Context, v *view) {
	changed, err := v.refresh(ctx, h.store, h.templates)
	if err != nil {
		if ctx.Err() == nil {
			h.log.Error("a view could not be drawn", "error", err)
		}
		v.rested = time.Now().Add(retry) // and it stays dirty
		return
	}
	v.dirty = false
	for _, w := range v.joining { // the answer may be the one that the others have
		w.notify(v.current)
	}
	v.joining = nil
	if !changed {
		return
	}
	for w := range v.watchers {
		w.notify(v.current)
	}
	v.rested = time.Now().Add(Rest)
}
