package rows

import (
	"testing"
	"time"
)

func TestGroupsGrowAndShrinkWithTheTimeTheyTake(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		size int
		took time.Duration
		want int
	}{{10, time.Millisecond, 20}, {10, time.Second, 5}, {1, time.Second, 1}, {pruneLook, 0, pruneLook}, {300, 0, pruneLook}} {
		if got := nextSize(c.size, c.took); got != c.want {
			t.Errorf("after %d in %s come %d and not %d", c.size, c.took, got, c.want)
		}
	}
}
