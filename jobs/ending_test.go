package jobs

import (
	"testing"
	"time"
)

func TestInWords_NamesEachUnit(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		50 * time.Millisecond: "50 ms", time.Second: "1 s", time.Minute: "1 min",
		90 * time.Minute: "1 h 30 min", 24 * time.Hour: "24 h", 1500 * time.Millisecond: "1 s 500 ms",
		20 * time.Microsecond: "20µs",
	} {
		if got := inWords(d); got != want {
			t.Errorf("inWords(%v) = %q, want %q", d, got, want)
		}
	}
}
