package live

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"slices"
	"sync"
	"time"

	"runboard/app"
	"runboard/templates"
)

// Question is what a view shows: a topic, or one run when Run is not 0, else the list that Query asks for.
// Equal questions share a view.
type ViewKey struct {
	Topic *PageView
	Run   int64
	Query app.Query
}

// Topic is what a page shows that is drawn as a whole, whenever the store has another answer.
type PageView struct {
	Load        func(context.Context, app.Store) (any, error)
	Render      func(t *templates.Templates, answer any) ([]byte, error) // a frame
	MinInterval time.Duration                                            // between two frames
}

// view is an answer that somebody watches. It belongs to the hub's goroutine.
type view struct {
	question ViewKey
	watchers []*Subscriber
	joining  []*Subscriber // those who wait for their first frame
	dirty    bool          // whether the store may have another answer by now
	rested   time.Time     // when the next frame may leave
	round    int64         // of the hub, in which it was drawn last
	cost     time.Duration // how long that took

	number  int64        // of the newest frame; 0 before the first answer
	page    app.Page     // of a list: what was last drawn
	mark    app.Revision // of a run: how far it had come when it was last drawn
	gone    bool         // the run has been deleted
	topic   any          // what was last drawn of a topic
	current *state       // the newest, for those who join; nil when it is not kept
}

// rest is how long it rests after a frame.
func (v *view) rest() time.Duration {
	if v.question.Topic != nil {
		return v.question.Topic.MinInterval
	}
	return Rest
}

// spend remembers what drawing it took. Once it may have taken long by chance, when the processor was somebody else's.
func (v *view) spend(took time.Duration) {
	if v.cost > 0 {
		took = min(took, 2*v.cost)
	}
	v.cost = took
}

// share is what it costs for each of its watchers.
func (v *view) share() time.Duration { return v.cost / time.Duration(max(1, len(v.watchers))) }

// settled reports whether it shows a run, and to all its watchers.
func (v *view) settled() bool {
	return v.question.Run != 0 && v.number > 0 && len(v.joining) == 0 && !v.gone
}

// answer is what a store says to a question: one of the three.
type answer struct {
	page  app.Page
	run   app.RunPage
	topic any
}

// state is a view at one moment. It does not change, so any watcher may read it. It holds drawings, so
// watchers let go of it when they have read it, and the view when there are not several to share it.
type state struct {
	number   int64  // of the frame, from 1
	delta    *Frame // leads here from the state before; nil when that says no less than snapshot
	gone     error  // the run has been deleted: this is the last frame, for those who have had others
	snapshot func() (*Frame, error)
}

// refresh asks the store and, when the answer is another than before, makes it the current state.
func (v *view) refresh(ctx context.Context, store app.Store, t *templates.Templates) (changed bool, err error) {
	fresh, err := v.ask(ctx, store)
	if app.CodeOf(err) == app.CodeNotFound {
		return v.lose(err, t), nil
	}
	if err != nil {
		return false, err
	}
	next := &state{number: v.number, snapshot: v.snapshot(fresh, t)}
	if v.number > 0 && v.same(fresh) {
		if v.current == nil && len(v.joining) > 0 {
			v.current = next // the one that the others have had, for those who join
		}
		return false, nil
	}
	if v.number > 0 {
		if next.delta, err = v.delta(fresh, t); err != nil {
			return false, err
		}
	}
	next.number++
	v.number, v.current = next.number, next
	v.page, v.mark, v.topic = fresh.page, fresh.run.Revision(), fresh.topic
	return true, nil
}

// lose is for a run that has been deleted: its watchers get a last frame that says so. It reports whether that is new
// to those who have not just joined.
func (v *view) lose(err error, t *templates.Templates) (changed bool) {
	changed = !v.gone
	if changed {
		v.gone = true
		v.number++
		v.current = nil
	}
	if v.current == nil {
		run := v.question.Run
		v.current = &state{number: v.number, gone: err, snapshot: sync.OnceValues(func() (*Frame, error) {
			return frame(t.DeletedFrame(run))
		})}
	}
	return changed
}

// tell leaves the newest state for those who have not had it: those who join and, when it has changed, all.
func (v *view) tell(changed bool) {
	if v.current == nil {
		return // there is nothing new or, for those who join, nothing any more
	}
	told := v.joining
	if changed {
		told = v.watchers // among whom are those who join
	}
	for _, w := range told {
		w.notify(v.current)
	}
	v.joining = nil
	v.letGo()
}

// letGo lets go of what is drawn when nobody shares it: thousands of pages that are watched by one each must
// not keep as many drawings. For whoever joins later it is drawn anew, once for all who then share it.
func (v *view) letGo() {
	if len(v.watchers) < 2 {
		v.current = nil
	}
}

func (v *view) ask(ctx context.Context, store app.Store) (a answer, err error) {
	switch {
	case v.question.Topic != nil:
		a.topic, err = v.question.Topic.Load(ctx, store)
	case v.question.Run != 0:
		a.run, err = store.Run(ctx, v.question.Run)
	default:
		a.page, err = store.Page(ctx, v.question.Query)
	}
	return a, err
}

// same reports whether a frame for this answer would say nothing new.
func (v *view) same(fresh answer) bool {
	switch {
	case v.question.Topic != nil:
		return reflect.DeepEqual(v.topic, fresh.topic)
	case v.question.Run != 0:
		return v.mark == fresh.run.Revision()
	}
	before, now := v.page, fresh.page
	return before.Overview == now.Overview && sameEnds(before, now) &&
		slices.EqualFunc(before.Runs, now.Runs, func(a, b app.ProcessRun) bool { return a.ID == b.ID && a.Version == b.Version })
}

// sameEnds reports whether what stands around the rows of a list is the same but for the overview.
func sameEnds(a, b app.Page) bool {
	return a.HasOlder == b.HasOlder && a.HasNewer == b.HasNewer && a.MatchCount == b.MatchCount && a.MatchCountCapped == b.MatchCountCapped && a.SearchCursor == b.SearchCursor
}

// delta draws what changed: of a list, the cells. It returns nil when the rows themselves did: then the whole
// list is drawn, as it is for the snapshot. A topic is drawn whole.
func (v *view) delta(fresh answer, t *templates.Templates) (*Frame, error) {
	switch {
	case v.question.Topic != nil:
		return nil, nil
	case v.question.Run != 0:
		return frame(t.DeltaFrame(v.mark, fresh.run))
	}
	before, now := v.page, fresh.page
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

// snapshot returns a function that draws everything there is to show. It is drawn when the first watcher needs
// it, once for all of them.
func (v *view) snapshot(fresh answer, t *templates.Templates) func() (*Frame, error) {
	question := v.question
	return sync.OnceValues(func() (*Frame, error) {
		switch {
		case question.Topic != nil:
			return frame(question.Topic.Render(t, fresh.topic))
		case question.Run != 0:
			return frame(t.RunFrame(fresh.run))
		}
		return frame(t.ListFrame(fresh.page))
	})
}

// Frame is what a socket is sent: HTML, every element of which names its target.
type Frame struct {
	HTML []byte
	Wire []byte // the same as it goes over the wire, for all sockets
}

func frame(html []byte, err error) (*Frame, error) {
	if err != nil {
		return nil, fmt.Errorf("a frame could not be drawn: %w", err)
	}
	return NewFrame(html), nil
}

// NewFrame returns a frame of this HTML.
func NewFrame(html []byte) *Frame {
	wire := append(header(len(html)), html...)
	return &Frame{HTML: wire[len(wire)-len(html):], Wire: wire}
}

// header begins a text message of that many bytes, in one frame from a server (RFC 6455, section 5.2).
func header(size int) []byte {
	const text, long, longer = 0x81, 126, 127
	switch {
	case size < long:
		return []byte{text, byte(size)}
	case size <= math.MaxUint16:
		return binary.BigEndian.AppendUint16([]byte{text, long}, uint16(size))
	}
	return binary.BigEndian.AppendUint64([]byte{text, longer}, uint64(size))
}
