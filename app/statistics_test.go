package app

import (
	"testing"
	"time"
)

// minutes returns a Period in steps of RecentStep, the last of which is incomplete. steps alternates between
// a number of steps and their Counters, oldest first; all earlier steps are zero.
func minutes(steps ...any) Period {
	var flows []Counters
	for i := 0; i < len(steps); i += 2 {
		for range steps[i].(int) {
			flows = append(flows, steps[i+1].(Counters))
		}
	}
	all := make([]Counters, RecentSpan/RecentStep-time.Duration(len(flows)))
	return Period{Step: RecentStep, Counters: append(append(all, flows...), Counters{})}
}

func TestAForecastGoesByTheLastMinutes(t *testing.T) {
	t.Parallel()
	const long = time.Hour
	second := time.Second
	for name, test := range map[string]struct {
		load Load
		want Trend
		in   time.Duration
	}{
		"nothing waits":                 {Load{Recent: minutes(90, Counters{Started: 5})}, Empty, 0},
		"nothing comes":                 {Load{Waiting: 600, Working: 10, Oldest: long, Recent: minutes(90, Counters{Started: 50})}, Draining, 120 * second},
		"less comes than is started":    {Load{Waiting: 600, Working: 10, Oldest: long, Recent: minutes(90, Counters{Created: 30, Started: 50})}, Draining, 300 * second},
		"some come back":                {Load{Waiting: 600, Working: 10, Oldest: long, Recent: minutes(90, Counters{Created: 20, Requeued: 10, Started: 50})}, Draining, 300 * second},
		"as much comes as is started":   {Load{Waiting: 600, Working: 10, Oldest: long, Recent: minutes(90, Counters{Created: 46, Started: 50})}, Steady, 120 * second},
		"more comes than is started":    {Load{Waiting: 600, Working: 10, Oldest: long, Recent: minutes(90, Counters{Created: 80, Started: 50})}, Growing, 0},
		"few wait, although more comes": {Load{Waiting: 20, Working: 10, Oldest: long, Recent: minutes(90, Counters{Created: 80, Started: 50})}, Draining, 4 * second},
		"many came at once":             {Load{Waiting: 600, Working: 10, Oldest: second, Recent: minutes(1, Counters{Created: 650, Started: 50})}, Draining, 120 * second},
		"it works since half a minute":  {Load{Waiting: 600, Working: 10, Oldest: second, Recent: minutes(3, Counters{Started: 50})}, Draining, 120 * second},
		"it is faster since minutes":    {Load{Waiting: 600, Working: 10, Oldest: second, Recent: minutes(60, Counters{Started: 10}, 18, Counters{Started: 50})}, Draining, 120 * second},
		"work takes minutes":            {Load{Waiting: 6, Working: 1, Oldest: long, Recent: minutes(1, Counters{Started: 1}, 29, Counters{}, 1, Counters{Started: 1}, 29, Counters{})}, Draining, 1800 * second},
		"work takes hours":              {Load{Waiting: 6, Working: 1, Oldest: long, Recent: minutes()}, Busy, 0},
		"no worker":                     {Load{Waiting: 6, Oldest: long, Recent: minutes()}, Stalled, 0},
		"workers have stopped":          {Load{Waiting: 600, Oldest: long, Recent: minutes(80, Counters{Started: 50}, 7, Counters{})}, Stalled, 0},
		"they have just come":           {Load{Waiting: 6, Oldest: second, Recent: minutes()}, Unclear, 0},
		"they have just been started":   {Load{Waiting: 6, Working: 4, Oldest: second, Recent: minutes()}, Unclear, 0},
		"it is not known how many wait": {Load{Waiting: 6, Uncounted: true, Recent: minutes(90, Counters{Started: 5})}, Unknown, 0},
		"nothing is known":              {Load{Waiting: 6, Oldest: second}, Unclear, 0},
	} {
		got := test.load.Forecast()
		if got.Trend != test.want || got.In.Round(second) != test.in || got.Waiting != test.load.Waiting || got.Working != test.load.Working {
			t.Errorf("%s: it is %+v and not %s in %s", name, got, test.want, test.in)
		}
	}
}

func TestFlowsAddUp(t *testing.T) {
	t.Parallel()
	one := Counters{1, 2, 3, 4, 5, 6}
	if sum := Sum([]Counters{one, {}, one}); sum != (Counters{2, 4, 6, 8, 10, 12}) {
		t.Errorf("they are %+v", sum)
	}
}

func TestOnlyKindsWithRunsAreNamed(t *testing.T) {
	t.Parallel()
	for want, kinds := range map[int]UnhandledKinds{
		0: {},
		1: {{Kind: "a", Runs: 5}},
		3: {{Kind: "a", Runs: 5}, {Kind: "b", Runs: 7}, {Kind: "c", Runs: 1}},
	} {
		if named := kinds.Named(); len(named) != want {
			t.Errorf("of %v there are named %v", kinds, named)
		}
	}
	for want, kinds := range map[bool]UnhandledKinds{
		true:  {{Kind: "a", Runs: 5}, {Kind: "b", Runs: 5}, {Kind: "c", Runs: 5}},
		false: {{Kind: "a", Runs: 5}, {Kind: "b", Runs: 5}},
	} {
		if kinds.More() != want {
			t.Errorf("of %v there are more: %t", kinds, !want)
		}
	}
	if !(UnhandledKinds{{Kind: "a", Runs: 5, More: true}}).More() {
		t.Error("there are no more")
	}
	if n := (UnhandledKinds{{Kind: "a", Runs: 5}, {Kind: "b", Runs: 7}}).Runs(); n != 12 {
		t.Errorf("%d runs wait", n)
	}
}
