package query

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// durationsOf draws durations of any length, short ones as often as long ones.
func durationsOf(t *rapid.T) []time.Duration {
	duration := rapid.Custom(func(t *rapid.T) time.Duration {
		return time.Duration(math.Exp(rapid.Float64Range(0, math.Log(30*24*3600*1000)).Draw(t,
			"millis"))) * time.Millisecond
	})
	return rapid.SliceOfN(duration, 1, 200).Draw(t, "durations")
}

func histogramOf(durations ...time.Duration) (h histogram) {
	for _, d := range durations {
		h.add(d)
	}
	return h
}

func TestHistogram_PercentilesAreWithinTenPercent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		durations := durationsOf(t)
		h := histogramOf(durations...)
		q := h.quantiles()
		slices.Sort(durations)
		n := len(durations)
		for what, pair := range map[string][2]time.Duration{
			"half": {q.P50, durations[(n*50+99)/100-1]}, "most": {q.P95, durations[(n*95+99)/100-1]},
		} {
			if diff := pair[0] - pair[1]; max(diff, -diff) > pair[1]/10 {
				t.Fatalf("%s is %s and not %s", what, pair[0], pair[1])
			}
		}
		if q.Count != int64(n) {
			t.Fatalf("there are %d of %d", q.Count, n)
		}
	})
}

func TestHistogram_SurvivesPacking(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		one, other := durationsOf(t), durationsOf(t)
		a, b, all := histogramOf(one...), histogramOf(other...), histogramOf(append(one, other...)...)
		var sum histogram
		sum.merge(a.pack())
		sum.merge(b.pack())
		if sum != all {
			t.Fatalf("it is\n%v and not\n%v", sum, all)
		}
	})
}

func TestHistogram_BucketExistsForAnyDuration(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]int{
		math.MinInt64: 0, -time.Hour: 0, 0: 0, time.Millisecond - 1: 0, time.Millisecond: 1,
		2 * time.Millisecond:    5,
		1024 * time.Millisecond: 41, math.MaxInt64: 127,
	} {
		if h := histogramOf(d); h[want] != 1 {
			t.Errorf("%s is in %v", d, h)
		}
	}
	var none histogram
	if q := none.quantiles(); q.Count != 0 || q.P50 != 0 || len(none.pack()) != 0 {
		t.Errorf("of nothing it says %+v", q)
	}
}

func TestHistogram_PacksSmall(t *testing.T) {
	t.Parallel()
	var h histogram
	for i := range 100_000 {
		h.add(time.Second + time.Duration(i)*10*time.Microsecond)
	}
	if n := len(h.pack()); n > 24 {
		t.Errorf("it takes %d bytes", n)
	}
}

// A damaged database must not stop the writer or a page.
func FuzzHistogram_MergesAnyBytes(f *testing.F) {
	h := histogramOf(time.Second, time.Minute)
	f.Add([]byte{})
	f.Add(h.pack())
	f.Add([]byte{0xff})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 1})
	f.Add([]byte{127, 1, 0, 1})
	f.Add([]byte{1, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, packed []byte) {
		var h histogram
		h.merge(packed)
		h.quantiles()
	})
}
