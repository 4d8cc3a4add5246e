package live

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"runboard/app"
)

// The place of a run changes although the run does not, and its page follows also when others are open.
func TestPosition_FramesFollow(t *testing.T) {
	t.Parallel()
	store := openStore(t, t.TempDir())
	hub, stop := runHub(t, store)
	defer func() {
		stop()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	runs := create(t, store, 3).Runs()
	last, other := hub.Watch(ViewKey{Run: runs[2].ID}), hub.Watch(ViewKey{Run: runs[1].ID})
	defer last.Close()
	defer other.Close()
	if frame := string(next(t, last).HTML); !strings.Contains(frame, "3rd in the queue") {
		t.Errorf("the first frame does not have the place: %s", frame)
	}
	started, err := store.Start(t.Context(), runs[0])
	if err != nil {
		t.Fatal(err)
	}
	nextWith(t, last, "2nd in the queue")
	nextWith(t, other, "next in the queue")
	if err := store.Finish(t.Context(), started, app.Outcome{Status: app.Failed}); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Start(t.Context(), runs[1]); err != nil {
		t.Fatal(err)
	}
	nextWith(t, last, "next in the queue")
}

// It follows within a second, although neither the run nor a notification says so. Other changes do not read
// the pages of such runs.
func TestPosition_IsReadEverySecond(t *testing.T) {
	onVirtualTime(t, func(t *testing.T, store *answers, hub *Hub) {
		store.runs = map[int64]app.ProcessRun{1: {ID: 1, Version: 1}, 2: {ID: 2, Version: 1}}
		store.place = 3
		first, second := hub.Watch(ViewKey{Run: 1}), hub.Watch(ViewKey{Run: 2})
		defer first.Close()
		defer second.Close()
		next(t, first)
		next(t, second)
		store.change(func(a *answers) { a.place, a.read = 2, nil })
		synctest.Wait()
		store.mu.Lock()
		if len(store.read) > 0 {
			t.Errorf("a change of another run reads %v", store.read)
		}
		store.mu.Unlock()
		time.Sleep(positionInterval)
		for _, w := range []*Subscriber{first, second} {
			if frame := string(next(t, w).HTML); !strings.Contains(frame, "2nd in the queue") {
				t.Errorf("after a second the frame is %s", frame)
			}
		}
	})
}
