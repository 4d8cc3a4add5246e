package live

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"runboard/app"
	"runboard/templates"
)

func TestHub_RendersOnceForAllThatJoin(t *testing.T) {
	onVirtualTime(t, func(t *testing.T, store *answers, hub *Hub) {
		store.runs = map[int64]app.ProcessRun{1: {ID: 1, Version: 1}}
		for _, question := range []ViewKey{{}, {Run: 1}} {
			alone := hub.Watch(question)
			defer alone.Close()
			next(t, alone)
			frames := map[*Frame]bool{}
			for range 10 { // one at a time, so that no two join together
				w := hub.Watch(question)
				defer w.Close()
				frames[next(t, w)] = true
			}
			if len(frames) != 1 {
				t.Errorf("the frame of %+v was rendered %d times", question, len(frames))
			}
			if frame, _ := alone.Next(); frame != nil {
				t.Errorf("an earlier subscriber gets a frame without news: %s", frame.HTML)
			}
		}
	})
}

func TestView_KeepsNoRenderingForOneSubscriber(t *testing.T) {
	onVirtualTime(t, func(t *testing.T, store *answers, hub *Hub) {
		stays, leaves := hub.Watch(ViewKey{}), hub.Watch(ViewKey{})
		defer stays.Close()
		next(t, stays)
		next(t, leaves)
		synctest.Wait()
		if hub.views[ViewKey{}].current == nil {
			t.Error("what two share is not kept")
		}
		leaves.Close()
		synctest.Wait()
		if hub.views[ViewKey{}].current != nil || stays.fresh.Load() != nil {
			t.Error("a rendering with a single subscriber is kept")
		}
		store.change(func(a *answers) { a.page.Counts[app.Created] = 1 })
		if html := string(next(t, stays).HTML); strings.Contains(html, "<tbody") {
			t.Errorf("a subscriber that missed nothing gets a snapshot: %s", html)
		}
	})
}

// counting is a Waker that counts its calls.
type counting struct{ rings atomic.Int64 }

func (c *counting) Wake() { c.rings.Add(1) }

// A subscriber that is woken twice for the same frame would keep its HTML until the next change.
func TestHub_SendsNoFrameTwice(t *testing.T) {
	onVirtualTime(t, func(t *testing.T, store *answers, hub *Hub) {
		var bells [3]counting
		for i := range bells {
			w := new(Subscriber)
			if !hub.Join(w, ViewKey{}, &bells[i]) {
				t.Fatal("the hub has stopped")
			}
			defer w.Close()
		}
		for want := range int64(3) {
			time.Sleep(time.Second)
			for i := range bells {
				if rings := bells[i].rings.Load(); rings != want+1 {
					t.Errorf("after %d changes subscriber %d was woken %d times", want, i, rings)
				}
			}
			store.change(func(a *answers) { a.page.Counts[app.Created]++ })
		}
	})
}

func TestHub_ReadsOnlyChangedRuns(t *testing.T) {
	const many = 100
	onVirtualTime(t, func(t *testing.T, store *answers, hub *Hub) {
		store.runs = map[int64]app.ProcessRun{}
		watchers := map[int64]*Subscriber{}
		for id := int64(1); id <= many; id++ {
			store.runs[id] = app.ProcessRun{ID: id, Version: 1}
		}
		for id := int64(1); id <= many; id++ {
			watchers[id] = hub.Watch(ViewKey{Run: id})
			defer watchers[id].Close()
			next(t, watchers[id])
		}
		time.Sleep(time.Second)
		store.change(func(a *answers) {
			a.read = nil
			a.runs[7] = app.ProcessRun{ID: 7, Version: 2}
			delete(a.runs, 8)
		})
		next(t, watchers[7])
		next(t, watchers[8])
		synctest.Wait()
		slices.Sort(store.read)
		if !slices.Equal(store.read, []int64{7, 8}) {
			t.Errorf("the runs %v were read", store.read)
		}
		store.change(func(a *answers) { a.read = nil })
		time.Sleep(2 * tick)
		synctest.Wait()
		if slices.Contains(store.read, 8) {
			t.Error("a deleted run is read again")
		}
	})
}

// The run is deleted between the request for its page and the socket of the page.
func TestView_NewSubscriberOfDeletedRunGetsNotFound(t *testing.T) {
	onVirtualTime(t, func(t *testing.T, store *answers, hub *Hub) {
		store.runs = map[int64]app.ProcessRun{7: {ID: 7, Version: 1}}
		early := hub.Watch(ViewKey{Run: 7})
		defer early.Close()
		next(t, early)
		time.Sleep(time.Second)
		store.change(func(a *answers) { delete(a.runs, 7) })
		for _, id := range []int64{7, 8} {
			for range 2 {
				late := hub.Watch(ViewKey{Run: id})
				defer late.Close()
				<-late.Notified()
				if frame, err := late.Next(); app.CodeOf(err) != app.CodeNotFound {
					t.Errorf("run %d is rendered as %v: %v", id, frame, err)
				}
			}
		}
		if html := string(next(t, early).HTML); !strings.Contains(html, "This run was deleted.") {
			t.Errorf("a watcher that has seen it gets %s", html)
		}
		if frame, err := early.Next(); app.CodeOf(err) != app.CodeNotFound {
			t.Errorf("and then it gets %v: %v", frame, err)
		}
	})
}

func TestView_MissedFrameIsFollowedBySnapshot(t *testing.T) {
	onVirtualTime(t, func(t *testing.T, store *answers, hub *Hub) {
		run := app.ProcessRun{ID: 1, Version: 1}
		store.page.Runs = []app.ProcessRun{run}
		quick, slow := hub.Watch(ViewKey{}), hub.Watch(ViewKey{})
		defer quick.Close()
		defer slow.Close()
		next(t, quick)
		next(t, slow)
		for version := int64(2); version <= 3; version++ {
			time.Sleep(time.Second)
			store.change(func(a *answers) {
				a.page.Runs = []app.ProcessRun{{ID: 1, Version: version,
					Status: app.Started}}
			})
			if html := string(next(t, quick).HTML); strings.Contains(html, "<tbody") ||
				!strings.Contains(html, "hx-swap-oob") {
				t.Errorf("a subscriber that missed nothing gets more than a cell: %s", html)
			}
		}
		synctest.Wait() // until the hub has notified the slow subscriber, too
		html := string(next(t, slow).HTML)
		if !strings.Contains(html, "<tbody") || !strings.Contains(html, `data-version="3"`) {
			t.Errorf("a subscriber that missed a frame gets only: %s", html)
		}
		if frame, _ := slow.Next(); frame != nil {
			t.Errorf("more than the newest was kept: %s", frame.HTML)
		}
	})
}

// totalView shows the number of all runs.
type totalView struct{}

func (totalView) Load(ctx context.Context, store app.Store) (any, error) {
	page, err := store.Page(ctx, app.Query{})
	return []int64{page.Counts.Total()}, err
}

func (totalView) Render(_ *templates.Templates, loaded any) ([]byte, error) {
	return fmt.Append(nil, loaded), nil
}

func (totalView) MinInterval() time.Duration { return time.Second }

func TestPageView_RendersWholePageAtItsInterval(t *testing.T) {
	onVirtualTime(t, func(t *testing.T, store *answers, hub *Hub) {
		w := hub.Watch(ViewKey{Page: totalView{}})
		defer w.Close()
		began := time.Now()
		for n := range int64(3) {
			store.change(func(a *answers) { a.page.Counts[app.Created] = n })
			if html := string(next(t, w).HTML); html != fmt.Sprint([]int64{n}) {
				t.Errorf("with %d runs the frame is %s", n, html)
			}
		}
		if took := time.Since(began); took < 2*time.Second || took >= 3*time.Second {
			t.Errorf("three frames took %v", took)
		}
		time.Sleep(2 * tick) // virtual
		if frame, _ := w.Next(); frame != nil {
			t.Errorf("an unchanged page is rendered again: %s", frame.HTML)
		}
	})
}

// differenceView shows how many runs there are more.
type differenceView struct{ totalView }

func (differenceView) RenderDelta(_ *templates.Templates, before, loaded any) ([]byte, error) {
	return fmt.Appendf(nil, "+%d", loaded.([]int64)[0]-before.([]int64)[0]), nil
}

func TestPageView_SendsChangesToSubscribersThatMissedNothing(t *testing.T) {
	onVirtualTime(t, func(t *testing.T, store *answers, hub *Hub) {
		quick, slow := hub.Watch(ViewKey{Page: differenceView{}}), hub.Watch(ViewKey{Page: differenceView{}})
		defer quick.Close()
		defer slow.Close()
		next(t, quick)
		next(t, slow)
		for n := range int64(2) {
			store.change(func(a *answers) { a.page.Counts[app.Created] += n + 3 })
			if html, want := string(next(t, quick).HTML), fmt.Sprintf("+%d", n+3); html != want {
				t.Errorf("after change %d the frame is %s, want %s", n, html, want)
			}
		}
		synctest.Wait() // until the hub has notified the slow subscriber, too
		if html := string(next(t, slow).HTML); html != "[7]" {
			t.Errorf("a subscriber that missed a frame gets %s", html)
		}
	})
}

// clockView shows the time in steps of three seconds.
type clockView struct{ totalView }

type clockFace struct{ At time.Time }

func (c clockFace) ChangesAt() time.Time { return c.At.Add(3 * time.Second) }

func (clockView) Load(context.Context, app.Store) (any, error) {
	return clockFace{time.Now().Truncate(3 * time.Second)}, nil
}

func TestPageView_IsRenderedAgainWhenItChangesByItself(t *testing.T) {
	onVirtualTime(t, func(t *testing.T, _ *answers, hub *Hub) {
		w := hub.Watch(ViewKey{Page: clockView{}})
		defer w.Close()
		next(t, w)
		began := time.Now()
		for range 5 {
			next(t, w)
		}
		if took := time.Since(began); took < 12*time.Second || took > 16*time.Second {
			t.Errorf("five steps of three seconds took %v", took)
		}
	})
}

// The hub may not have rendered the end of the run yet. That must not delay the frame about the deletion.
func TestHub_AnnouncesDeletionRightAfterEnd(t *testing.T) {
	onVirtualTime(t, func(t *testing.T, store *answers, hub *Hub) {
		store.runs = map[int64]app.ProcessRun{7: {ID: 7, Version: 1, Status: app.Started}}
		watchers := []*Subscriber{hub.Watch(ViewKey{Run: 7}), hub.Watch(ViewKey{Run: 7}),
			hub.Watch(ViewKey{Run: 7})}
		for _, w := range watchers {
			defer w.Close()
		}
		next(t, watchers[0])
		next(t, watchers[1]) // the third subscriber is slow
		store.change(func(a *answers) {
			a.runs[7] = app.ProcessRun{ID: 7, Version: 2,
				Status: app.Completed}
		})
		store.change(func(a *answers) { delete(a.runs, 7) })
		time.Sleep(time.Second) // virtual
		synctest.Wait()
		for i, w := range watchers[:2] {
			if html := string(next(t, w).HTML); !strings.Contains(html, "This run was deleted.") {
				t.Errorf("watcher %d gets %s", i, html)
			}
		}
		for i, w := range watchers {
			if frame, err := w.Next(); app.CodeOf(err) != app.CodeNotFound {
				t.Errorf("in the end watcher %d gets %v: %v", i, frame, err)
			}
		}
	})
}
