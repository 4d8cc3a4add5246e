package app

import (
	"testing"
	"time"
)

func TestSum_AddsEveryCounter(t *testing.T) {
	t.Parallel()
	one := Counters{1, 2, 3, 4, 5, 6}
	if sum := Sum([]Counters{one, {}, one}); sum != (Counters{2, 4, 6, 8, 10, 12}) {
		t.Errorf("sum = %+v", sum)
	}
}

func TestUnhandledKinds_CountTheirRuns(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		kinds UnhandledKinds
		named int
		runs  int64
		more  bool
	}{
		"none": {UnhandledKinds{}, 0, 0, false},
		"one":  {UnhandledKinds{{Kind: "a", Runs: 5}}, 1, 5, false},
		"two":  {UnhandledKinds{{Kind: "a", Runs: 5}, {Kind: "b", Runs: 7}}, 2, 12, false},
		"as many as go": {UnhandledKinds{{Kind: "a", Runs: 5}, {Kind: "b", Runs: 7},
			{Kind: "c", Runs: 1}}, 3, 13, true},
		"uncounted": {UnhandledKinds{{Kind: "a", Runs: 5, More: true}}, 1, 5, true},
	} {
		got := test.kinds
		if len(got.Named()) != test.named || got.Runs() != test.runs || got.More() != test.more {
			t.Errorf("%s: %d kinds, %d runs, more %t; want %d, %d, %t", name, len(got.Named()), got.Runs(),
				got.More(), test.named, test.runs, test.more)
		}
	}
}

func TestCounters_FailureRate(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		counters Counters
		rate     float64
		known    bool
	}{
		"nothing finished":        {Counters{Created: 5, Started: 5}, 0, false},
		"only cancelled runs":     {Counters{Cancelled: 5}, 0, false},
		"cancelled runs are left": {Counters{Completed: 3, Failed: 1, Cancelled: 4}, 0.25, true},
		"all failed":              {Counters{Failed: 2}, 1, true},
	} {
		if rate, known := test.counters.FailureRate(); rate != test.rate || known != test.known {
			t.Errorf("%s: the rate is %v, known %t", name, rate, known)
		}
	}
	all := Counters{Created: 9, Requeued: 9, Started: 9, Completed: 1, Failed: 2, Cancelled: 4}
	if n := all.Finished(); n != 7 {
		t.Errorf("%d are finished", n)
	}
}

func TestParseSpan_TakesExactNames(t *testing.T) {
	t.Parallel()
	for _, lookback := range Lookbacks() {
		if got, err := ParseLookback(lookback.String()); err != nil || got != lookback {
			t.Errorf("%s is parsed as %s: %v", lookback, got, err)
		}
		if lookback.Length()%lookback.Step() != 0 {
			t.Errorf("%s is not a whole number of steps", lookback)
		}
		bound, err := ParseTimeBound(lookback.String())
		now := time.Now()
		if err != nil || now.Sub(bound.Time(now)) != lookback.Length() {
			t.Errorf("lists take %s for %s: %v", lookback, bound, err)
		}
	}
	for _, name := range []string{"", "7D", "7d ", "1d", "168h", "15", "0"} {
		if lookback, err := ParseLookback(name); CodeOf(err) != CodeMalformed {
			t.Errorf("%q is parsed as %s: %v", name, lookback, err)
		}
	}
}
