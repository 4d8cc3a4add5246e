package app

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// repeated is a number of steps with the same counters.
type repeated struct {
	steps    int
	counters Counters
}

// minutes returns a Period of Last15Minutes that ends with these steps, oldest first, and an incomplete
// one. All earlier steps are zero.
func minutes(groups ...repeated) Period {
	var last []Counters
	for _, group := range groups {
		for range group.steps {
			last = append(last, group.counters)
		}
	}
	steps := make([]Counters, int(Last15Minutes.Length()/Last15Minutes.Step())-len(last))
	return Period{Lookback: Last15Minutes, Counters: append(append(steps, last...), Counters{})}
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
		"no waiting runs": {Load{Recent: minutes(starts)}, Empty, 0},
		"no arrivals":     {Load{Waiting: 600, Recent: minutes(starts)}, Draining, 120 * second},
		"fewer arrivals": {Load{Waiting: 600,
			Recent: minutes(repeated{90, Counters{Created: 30, Started: 50}})}, Draining, 300 * second},
		"requeued runs arrive": {Load{Waiting: 600,
			Recent: minutes(repeated{90, Counters{Created: 20, Requeued: 10, Started: 50}})},
			Draining, 300 * second},
		"as many arrivals": {Load{Waiting: 600,
			Recent: minutes(repeated{90, Counters{Created: 50, Started: 50}})}, Growing, 0},
		"more arrivals": {Load{Waiting: 600,
			Recent: minutes(repeated{90, Counters{Created: 80, Started: 50}})}, Growing, 0},
		"a short queue": {Load{Waiting: 20,
			Recent: minutes(repeated{90, Counters{Created: 80, Started: 50}})}, Draining, 4 * second},
		"one burst": {Load{Waiting: 600,
			Recent: minutes(repeated{1, Counters{Created: 650, Started: 50}})}, Draining, 120 * second},
		"first starts": {Load{Waiting: 600, Recent: minutes(repeated{3, Counters{Started: 50}})},
			Draining, 120 * second},
		"faster for minutes": {Load{Waiting: 600,
			Recent: minutes(repeated{60, Counters{Started: 10}}, repeated{18, Counters{Started: 50}})},
			Draining, 120 * second},
		"runs of minutes": {Load{Waiting: 6,
			Recent: minutes(repeated{1, Counters{Started: 1}}, repeated{29, Counters{}},
				repeated{1, Counters{Started: 1}}, repeated{29, Counters{}})}, Draining, 1800 * second},
		"free workers that have just started": {Load{Waiting: 990, Running: 10,
			Recent: minutes(repeated{1, Counters{Created: 1000, Started: 10}})}, Early, 0},
		"free workers after some single runs": {Load{Waiting: 990, Running: 10,
			Recent: latest(Counters{Created: 1000, Started: 10},
				minutes(repeated{1, Counters{Created: 3, Started: 3, Completed: 3}},
					repeated{30, Counters{}}))}, Early, 0},
		"a full round of workers": {Load{Waiting: 600, Running: 10,
			Recent: minutes(repeated{2, Counters{Started: 10, Failed: 5}})}, Draining, 600 * second},
		"workers that are busy with long runs": {Load{Waiting: 6, Running: 10,
			Recent: minutes(repeated{1, Counters{Started: 1, Completed: 1}}, repeated{29, Counters{}},
				repeated{1, Counters{Started: 1, Completed: 1}}, repeated{29, Counters{}})},
			Draining, 1800 * second},
		"no starts": {Load{Waiting: 6, Recent: minutes()}, Unclear, 0},
		"centuries": {Load{Waiting: 1_000_000_000,
			Recent: minutes(repeated{1, Counters{Started: 10}}, repeated{17, Counters{}})},
			Draining, math.MaxInt64},
		"an unknown number":     {Load{Waiting: 6, Uncounted: true, Recent: minutes(starts)}, Unclear, 0},
		"a period without data": {Load{Waiting: 6}, Unclear, 0},
	} {
		got := test.load.Forecast()
		if got.Trend != test.want || got.In.Round(second) != test.in || got.Waiting != test.load.Waiting {
			t.Errorf("%s: forecast = %+v, want %s in %s", name, got, test.want, test.in)
		}
	}
}

// A thousand runs that take six seconds are started on ten workers: the queue is empty after ten minutes. No
// forecast may be far off, least of all the first one.
func TestForecast_WaitsForTheFirstRound(t *testing.T) {
	t.Parallel()
	const workers, runs, second = 10, 1000, time.Second
	for offset := range 10 { // the second of a step in which the runs are created
		random := rand.New(rand.NewPCG(7, uint64(offset)))
		recent := minutes()
		ends := [workers]time.Duration{} // of the run of each worker
		waiting, busy, said := int64(runs), int64(0), 0
		last := len(recent.Counters) - 1
		for at := time.Duration(0); at < 90*second; at += second {
			if (at+time.Duration(offset)*second)%recent.Lookback.Step() == 0 {
				recent.Counters = append(recent.Counters[1:], Counters{})
			}
			for i := range ends {
				if at < ends[i] || at == 0 && i%3 > 0 { // the workers do not begin together
					continue
				}
				if ends[i] > 0 {
					recent.Counters[last].Completed++
					busy--
				}
				recent.Counters[last].Started++
				waiting, busy = waiting-1, busy+1
				ends[i] = at + 4*second + time.Duration(random.Int64N(int64(4*second)))
			}
			load := Load{
				Waiting: waiting, Running: busy, Workers: workers, Recent: recent, RunTime: 6 * second,
			}
			forecast := load.Forecast()
			right := time.Duration(waiting) * 6 * second / workers
			switch {
			case forecast.Trend == Early && said == 0:
			case forecast.Trend == Draining && forecast.In > right/2 && forecast.In < right*2:
				said++
			default:
				t.Errorf("created in second %d of a step, after %s: %+v, right is %s", offset, at,
					forecast, right)
			}
		}
		if said < 50 {
			t.Errorf("there was a forecast in only %d seconds of 90", said)
		}
	}
}

func TestForecast_IsEarlyUntilRoundIsOver(t *testing.T) {
	t.Parallel()
	const second = time.Second
	started := repeated{1, Counters{Created: 100, Started: 10}}
	for name, test := range map[string]struct {
		load Load
		want Trend
		in   time.Duration
	}{
		"the first starts": {Load{Waiting: 90, Workers: 10, Running: 10, Recent: minutes(started)}, Early, 0},
		"no run has ended": {Load{Waiting: 90, Workers: 10, Running: 10,
			Recent: minutes(started, repeated{5, Counters{}})}, Early, 0},
		"some runs have ended": {Load{Waiting: 85, Workers: 10, Running: 10, RunTime: 50 * second,
			Recent: minutes(started, repeated{4, Counters{}},
				repeated{1, Counters{Started: 5, Completed: 5}})},
			Early, 0},
		"a round is over": {Load{Waiting: 80, Workers: 10, Running: 10, RunTime: 50 * second,
			Recent: minutes(started, repeated{4, Counters{}},
				repeated{1, Counters{Started: 10, Completed: 10}})},
			Draining, 400 * second},
		"long runs end together": {Load{Waiting: 80, Workers: 10, Running: 10, RunTime: time.Hour,
			Recent: minutes(repeated{1, Counters{Started: 10, Completed: 10}}, repeated{2, Counters{}})},
			Draining, 8 * time.Hour},
		"workers busy since before": {Load{Waiting: 30, Workers: 10, Running: 10,
			Recent: minutes(repeated{30, Counters{}}, repeated{1, Counters{Started: 5, Completed: 5}},
				repeated{29, Counters{}})},
			Draining, 1800 * second},
		"one run at a time": {Load{Waiting: 6, Workers: 10, Running: 1,
			Recent: minutes(repeated{1, Counters{Started: 1}}, repeated{29, Counters{}},
				repeated{1, Counters{Started: 1, Failed: 1}}, repeated{29, Counters{}})},
			Draining, 1800 * second},
		"nothing has started": {Load{Waiting: 6, Workers: 10, Recent: minutes()}, Unclear, 0},
	} {
		got := test.load.Forecast()
		if got.Trend != test.want || got.In.Round(second) != test.in {
			t.Errorf("%s: forecast = %+v, want %s in %s", name, got, test.want, test.in)
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
	slow := Load{Recent: minutes(repeated{1, Counters{Started: 1, Completed: 1}}, repeated{80, Counters{}})}
	if wait := slow.Wait(1_000_000_000); wait < 100*365*24*time.Hour {
		t.Errorf("the last of a billion waits %v", wait)
	}
	if wait := (Load{}).Wait(60); wait != 0 {
		t.Errorf("without data, the wait is %v", wait)
	}
}
