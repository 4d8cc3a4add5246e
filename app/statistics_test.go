package app

import (
	"testing"
	"time"
)

// repeated is a number of steps with the same counters.
type repeated struct {
	steps    int
	counters Counters
}

// minutes returns a Period in steps of RecentStep that ends with these steps, oldest first, and an incomplete
// one. All earlier steps are zero.
func minutes(groups ...repeated) Period {
	var last []Counters
	for _, group := range groups {
		for range group.steps {
			last = append(last, group.counters)
		}
	}
	steps := make([]Counters, int(RecentSpan/RecentStep)-len(last))
	return Period{Step: RecentStep, Counters: append(append(steps, last...), Counters{})}
}

// latest sets the incomplete step of a period.
func latest(counters Counters, period Period) Period {
	period.Counters[len(period.Counters)-1] = counters
	return period
}

func TestForecast_FollowsTheRecentRates(t *testing.T) {
	t.Parallel()
	const second = time.Second
	starts := repeated{90, Counters{Started: 50}}
	for name, test := range map[string]struct {
		load Load
		want Trend
		in   time.Duration
	}{
		"no waiting runs":      {Load{Recent: minutes(starts)}, Empty, 0},
		"no arrivals":          {Load{Waiting: 600, Recent: minutes(starts)}, Draining, 120 * second},
		"fewer arrivals":       {Load{Waiting: 600, Recent: minutes(repeated{90, Counters{Created: 30, Started: 50}})}, Draining, 300 * second},
		"requeued runs arrive": {Load{Waiting: 600, Recent: minutes(repeated{90, Counters{Created: 20, Requeued: 10, Started: 50}})}, Draining, 300 * second},
		"as many arrivals":     {Load{Waiting: 600, Recent: minutes(repeated{90, Counters{Created: 50, Started: 50}})}, Growing, 0},
		"more arrivals":        {Load{Waiting: 600, Recent: minutes(repeated{90, Counters{Created: 80, Started: 50}})}, Growing, 0},
		"a short queue":        {Load{Waiting: 20, Recent: minutes(repeated{90, Counters{Created: 80, Started: 50}})}, Draining, 4 * second},
		"one burst":            {Load{Waiting: 600, Recent: minutes(repeated{1, Counters{Created: 650, Started: 50}})}, Draining, 120 * second},
		"first starts":         {Load{Waiting: 600, Recent: minutes(repeated{3, Counters{Started: 50}})}, Draining, 120 * second},
		"faster for minutes":   {Load{Waiting: 600, Recent: minutes(repeated{60, Counters{Started: 10}}, repeated{18, Counters{Started: 50}})}, Draining, 120 * second},
		"runs of minutes": {Load{Waiting: 6, Recent: minutes(repeated{1, Counters{Started: 1}}, repeated{29, Counters{}},
			repeated{1, Counters{Started: 1}}, repeated{29, Counters{}})}, Draining, 1800 * second},
		"free workers that have just started": {Load{Waiting: 990, Running: 10,
			Recent: minutes(repeated{1, Counters{Created: 1000, Started: 10}})}, Early, 0},
		"free workers after some single runs": {Load{Waiting: 990, Running: 10,
			Recent: latest(Counters{Created: 1000, Started: 10},
				minutes(repeated{1, Counters{Created: 3, Started: 3, Completed: 3}}, repeated{30, Counters{}}))}, Early, 0},
		"a full round of workers": {Load{Waiting: 600, Running: 10,
			Recent: minutes(repeated{2, Counters{Started: 10, Failed: 5}})}, Draining, 600 * second},
		"workers that are busy with long runs": {Load{Waiting: 6, Running: 10,
			Recent: minutes(repeated{1, Counters{Started: 1, Completed: 1}}, repeated{29, Counters{}},
				repeated{1, Counters{Started: 1, Completed: 1}}, repeated{29, Counters{}})}, Draining, 1800 * second},
		"no starts":             {Load{Waiting: 6, Recent: minutes()}, Unclear, 0},
		"an unknown number":     {Load{Waiting: 6, Uncounted: true, Recent: minutes(starts)}, Unclear, 0},
		"a period without data": {Load{Waiting: 6}, Unclear, 0},
	} {
		got := test.load.Forecast()
		if got.Trend != test.want || got.In.Round(second) != test.in || got.Waiting != test.load.Waiting {
			t.Errorf("%s: forecast = %+v, want %s in %s", name, got, test.want, test.in)
		}
	}
}

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
		"none":          {UnhandledKinds{}, 0, 0, false},
		"one":           {UnhandledKinds{{Kind: "a", Runs: 5}}, 1, 5, false},
		"two":           {UnhandledKinds{{Kind: "a", Runs: 5}, {Kind: "b", Runs: 7}}, 2, 12, false},
		"as many as go": {UnhandledKinds{{Kind: "a", Runs: 5}, {Kind: "b", Runs: 7}, {Kind: "c", Runs: 1}}, 3, 13, true},
		"uncounted":     {UnhandledKinds{{Kind: "a", Runs: 5, More: true}}, 1, 5, true},
	} {
		got := test.kinds
		if len(got.Named()) != test.named || got.Runs() != test.runs || got.More() != test.more {
			t.Errorf("%s: %d kinds, %d runs, more %t; want %d, %d, %t", name, len(got.Named()), got.Runs(),
				got.More(), test.named, test.runs, test.more)
		}
	}
}

func TestLoad_EstimatesTheWaitAtAPlace(t *testing.T) {
	t.Parallel()
	busy := Load{Running: 10, Recent: minutes(repeated{18, Counters{Started: 20, Completed: 20}})}
	if wait := busy.Wait(60); wait != 30*time.Second {
		t.Errorf("the 60th of a queue of which two start each second waits %v", wait)
	}
	if wait := busy.Wait(1); wait != time.Second {
		t.Errorf("the first one waits %v", wait)
	}
	early := Load{Running: 10, Recent: minutes(repeated{1, Counters{Started: 10}})}
	if wait := early.Wait(60); wait != 0 {
		t.Errorf("before the first run has ended, the wait is %v", wait)
	}
	if wait := (Load{}).Wait(60); wait != 0 {
		t.Errorf("without data, the wait is %v", wait)
	}
}
