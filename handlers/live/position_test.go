package live

import (
	"strings"
	"testing"

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
