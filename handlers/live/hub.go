// Package live keeps browsers up to date. A view is a question, "the newest 25 failed runs" or "run
// 42"; all browsers that ask the same one share it. When the bell rings, the hub asks the store each
// question that somebody watches, compares the answer with the last one, and draws what changed
// into a frame that all its watchers are sent. Of runs it first asks, for all at once, which have changed.
// A slow tick does the same as the bell, which may have been lost.
//
// One goroutine asks, so an older answer can never follow a newer one. A watcher is not a queue: it
// has the number of the frame that it was sent last, and looks for itself what its view has now.
// If that is the next frame, it gets it; if it has missed any, it gets all of the view. So a slow one
// costs no memory and delays nobody, and whoever is late is never wrong.
package live

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"time"

	"runboard/app"
	"runboard/templates"
)

// Rest is how long a view rests after a frame: five frames a second are as many as a person can
// use. After a longer silence the first change leaves at once.
const Rest = 200 * time.Millisecond

// tick is how often the hub looks without having been told: it makes good a lost bell.
const tick = 5 * time.Second

// manyJoined is after how many new watchers the memory that serving them took is worth giving back.
const manyJoined = 500

// retry is how long a view waits when the store could not answer.
const retry = time.Second

// Hub is where views and watchers meet. Make it with NewHub and run it with Run.
type Hub struct {
	store     app.Store
	templates *templates.Templates
	log       *slog.Logger

	visits  chan visit    // one for both kinds, so that nobody leaves before having come
	stopped chan struct{} // closed when Run has returned

	views  map[ViewKey]*view // owned by Run
	rested time.Time         // owned by Run: when it may draw again
	round  int64             // owned by Run: how often it has drawn what was due

	joined, joinedBefore int // owned by Run: see relax
}

// visit is the coming or leaving of a watcher.
type visit struct {
	watcher  *Subscriber
	question ViewKey // of who comes
	leaving  bool
}

// NewHub returns a hub that shows what is in the store.
func NewHub(store app.Store, templates *templates.Templates, log *slog.Logger) *Hub {
	return &Hub{
		store: store, templates: templates, log: log,
		visits: make(chan visit, 256), stopped: make(chan struct{}), views: make(map[ViewKey]*view),
	}
}

// Watch registers a watcher of a view. Its first frame shows what is in the store at some time after
// this call. Close must be called when it is no longer used. It returns nil when the hub has stopped.
func (h *Hub) Watch(question ViewKey) *Subscriber {
	w := &Subscriber{wake: make(alarm, 1)}
	if !h.Join(w, question, w.wake) {
		return nil
	}
	return w
}

// Join is Watch for a watcher that is a part of something else, which is told by a bell. That may ring before Join has
// returned. It returns false when the hub has stopped.
func (h *Hub) Join(w *Subscriber, question ViewKey, bell Waker) bool {
	w.hub, w.bell = h, bell
	select {
	case <-h.stopped: // looked at first: there may be room for a visit that nobody receives
		return false
	default:
	}
	select {
	case h.visits <- visit{watcher: w, question: question}:
		return true
	case <-h.stopped:
		return false
	}
}

// Run serves the watchers until ctx ends. Before it returns it draws once more every view that has changed, so
// that what was committed before is also seen.
func (h *Hub) Run(ctx context.Context) {
	defer close(h.stopped)
	ctx = app.WithPurpose(ctx, app.ForLive)
	rings, stop := h.store.Changed().Subscribe()
	defer stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			h.drawAll(context.WithoutCancel(ctx))
			return
		case <-rings:
			h.suspect()
		case <-ticker.C:
			h.suspect()
			h.relax()
		case one := <-h.visits:
			h.receive(one)
		case <-timer.C:
		}
		h.settle()
		timer.Reset(h.drawDue(ctx))
	}
}

// relax gives memory back to the system when many have come, as after a restart, and nobody does any more. It would
// go back by itself, but only in the course of many minutes. It costs some milliseconds of the hub's time.
func (h *Hub) relax() {
	calm := h.joined == h.joinedBefore
	h.joinedBefore = h.joined
	if calm && h.joined >= manyJoined {
		h.joined, h.joinedBefore = 0, 0
		debug.FreeOSMemory()
	}
}

// suspect has every view looked at again.
func (h *Hub) suspect() {
	for _, view := range h.views {
		view.dirty = view.dirty || !view.gone // a run that has been deleted does not come back
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
		h.join(v.watcher, v.question)
	}
}

func (h *Hub) join(w *Subscriber, question ViewKey) {
	v := h.views[question]
	if v == nil {
		v = &view{question: question}
		h.views[question] = v
	}
	h.joined++
	w.view, w.place = v, len(v.watchers)
	v.watchers = append(v.watchers, w)
	v.joining = append(v.joining, w)
	v.dirty = true // the answer at hand was read before this one came
}

func (h *Hub) leave(w *Subscriber) {
	v := w.view
	if v == nil {
		return
	}
	w.view = nil
	last := len(v.watchers) - 1
	v.watchers[w.place], v.watchers[last].place = v.watchers[last], w.place
	v.watchers[last] = nil
	v.watchers = v.watchers[:last]
	v.letGo()
	v.joining = slices.DeleteFunc(v.joining, func(one *Subscriber) bool { return one == w })
	if len(v.watchers) == 0 {
		delete(h.views, v.question)
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
	h.drawFairly(ctx, h.changed(ctx, h.due(began)))
	wait = time.Hour
	for _, v := range h.views {
		if v.dirty {
			wait = min(wait, time.Until(v.rested))
		}
	}
	h.rested = time.Now().Add(time.Since(began))
	return max(wait, time.Until(h.rested))
}

// due are the views that may have changed and have rested.
func (h *Hub) due(now time.Time) (due []*view) {
	for _, v := range h.views {
		if v.dirty && !v.rested.After(now) {
			due = append(due, v)
		}
	}
	return due
}

// turn is how long the hub draws at a time in each of the two orders of drawFairly.
const turn = 50 * time.Millisecond

// drawFairly draws what there is time for; the rest is due again. First come those that cost little for each of their
// watchers, so that somebody who watches a thousand different searches holds up nobody but himself; then those that have
// waited longest, so that all have their turn.
func (h *Hub) drawFairly(ctx context.Context, due []*view) {
	h.round++
	slices.SortFunc(due, func(a, b *view) int {
		return cmp.Or(cmp.Compare(a.share(), b.share()), cmp.Compare(len(b.watchers), len(a.watchers)))
	})
	h.drawFor(ctx, due)
	slices.SortStableFunc(due, func(a, b *view) int { return cmp.Compare(a.round, b.round) })
	h.drawFor(ctx, due)
}

// drawFor draws for a turn those that have not been drawn in this round.
func (h *Hub) drawFor(ctx context.Context, due []*view) {
	until := time.Now().Add(turn)
	for _, v := range due {
		if v.round == h.round {
			continue
		}
		began := time.Now()
		if began.After(until) {
			return
		}
		v.round = h.round
		h.draw(ctx, v)
		v.spend(time.Since(began))
	}
}

// changed leaves out the runs that are as they were drawn. It asks for all of them at once: thousands of pages of
// runs of which one changes must not be thousands of questions.
func (h *Hub) changed(ctx context.Context, due []*view) []*view {
	var runs []int64
	for _, v := range due {
		if v.settled() {
			runs = append(runs, v.question.Run)
		}
	}
	if len(runs) < 2 {
		return due
	}
	marks, err := h.store.Revisions(ctx, runs)
	if err != nil {
		return due // they will fail as well, and say so
	}
	return slices.DeleteFunc(due, func(v *view) bool {
		mark, exists := marks[v.question.Run]
		same := v.settled() && exists && mark == v.mark
		v.dirty = !same
		return same
	})
}

func (h *Hub) drawAll(ctx context.Context) {
	h.settle()
	for _, v := range h.changed(ctx, slices.Collect(maps.Values(h.views))) {
		h.draw(ctx, v)
	}
}

// draw brings one view up to date and tells its watchers.
func (h *Hub) draw(ctx context.Context, v *view) {
	changed, err := h.refresh(ctx, v)
	if err != nil {
		if ctx.Err() == nil {
			h.log.Error("a view could not be drawn", "error", err)
		}
		v.rested = time.Now().Add(retry) // and it stays dirty
		return
	}
	v.dirty = false
	v.tell(changed)
	if changed {
		v.rested = time.Now().Add(v.rest())
	}
}

// refresh brings a view up to date, or fails. A panic in drawing one must not be the end of all.
func (h *Hub) refresh(ctx context.Context, v *view) (changed bool, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("panic: %v\n%s", panicked, debug.Stack())
		}
	}()
	return v.refresh(ctx, h.store, h.templates)
}
