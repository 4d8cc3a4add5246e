package query

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestRelapses_HoldsAnOutageThatComesBack(t *testing.T) {
	t.Parallel()
	full := errors.New("the disk is full")
	synctest.Test(t, func(t *testing.T) {
		var relapses Relapses
		wantErr := func(when string, want error) {
			t.Helper()
			if err := relapses.Err(); err != want {
				t.Errorf("%s: %v", when, err)
			}
		}
		wantErr("at first", nil)
		relapses.Failed(full)
		time.Sleep(time.Second)
		relapses.Recovered()
		wantErr("after the first outage", nil)
		for range 3 {
			time.Sleep(steadyTime - time.Second)
			relapses.Failed(full)
			relapses.Recovered()
			wantErr("after the outage has come back", full)
		}
		time.Sleep(steadyTime)
		wantErr("when nothing has failed for a while", nil)
		time.Sleep(2 * relapseWindow)
		relapses.Failed(full)
		relapses.Recovered()
		wantErr("after an outage that comes late", nil)
	})
}
