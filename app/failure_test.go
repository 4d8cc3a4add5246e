package app

import (
	"testing"
	"time"
)

// returned returns a group without runs that failed last at a time, and has returned before.
func returned(lastAt, at, quietSince time.Time) Failure {
	return Failure{LastAt: lastAt, Recurrence: Recurrence{At: at, QuietSince: quietSince}}
}

func TestFailAgain_IsAReturnAfterAPause(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	const day = 24 * time.Hour
	for name, one := range map[string]struct {
		group Failure
		quiet time.Duration // 0: it is no return
	}{
		"it still fails":                {Failure{Runs: 3, LastAt: ago(time.Hour)}, 0},
		"it was quiet for almost a day": {Failure{Runs: 3, LastAt: ago(day - 1)}, 0},
		"it was quiet for a day":        {Failure{Runs: 3, LastAt: ago(day)}, day},
		"no run was left":               {Failure{LastAt: ago(time.Minute)}, time.Minute},
		"it failed in the future":       {Failure{LastAt: ago(-time.Minute)}, 0},
		"it has just returned":          {returned(ago(1), ago(1), ago(day)), 0},
		"it has returned a day ago":     {returned(ago(1), ago(day), ago(9*day)), 1},
		"it was quiet longer":           {returned(ago(3), ago(4), ago(5)), 3},
		"it returned in the future":     {returned(ago(5*day), ago(-1), ago(0)), 5 * day},
	} {
		next, isReturn := one.group.FailAgain(now)
		want := one.group.Recurrence
		if one.quiet > 0 || name == "it failed in the future" {
			want = Recurrence{At: now, QuietSince: one.group.LastAt}
		}
		if next != want || isReturn != (want != one.group.Recurrence) {
			t.Errorf("%s: the recurrence is %+v (%v), want %+v", name, next, isReturn, want)
		}
		if isReturn && next.Quiet() != one.quiet {
			t.Errorf("%s: it was quiet for %s, want %s", name, next.Quiet(), one.quiet)
		}
	}
}

func TestRecurrence_IsNewsForADay(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	for later, want := range map[time.Duration]bool{
		-time.Hour: true, 0: true, RecurrenceShown - 1: true, RecurrenceShown: false,
	} {
		if got := (Recurrence{At: at}).IsNews(at.Add(later)); got != want {
			t.Errorf("%s later, IsNews = %v", later, got)
		}
	}
	if (Recurrence{}).IsNews(at) {
		t.Error("no recurrence is news")
	}
}

func TestParseFailureSort_IsStrict(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]FailureSort{"": MostRuns, "most": MostRuns, "latest": LatestRuns} {
		if got, err := ParseFailureSort(name); got != want || err != nil {
			t.Errorf("ParseFailureSort(%q) = %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"Most", "oldest", " ", "most,latest"} {
		if got, err := ParseFailureSort(name); CodeOf(err) != CodeMalformed {
			t.Errorf("ParseFailureSort(%q) = %q, %v", name, got, err)
		}
	}
}

func TestFailures_ChangeWhenAMuteOrNewsEnds(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	muted := Failure{Triage: Triage{MutedUntil: at.Add(3 * time.Hour)}}
	news := Failure{Recurrence: Recurrence{At: at, QuietSince: at}}
	for want, all := range map[time.Time][]Failure{
		{}: {{}}, at.Add(3 * time.Hour): {{}, news, muted}, at.Add(RecurrenceShown): {news, {}},
	} {
		if got := (Failures{Failures: all}).ChangesAt(); !got.Equal(want) {
			t.Errorf("%d groups change at %s, want %s", len(all), got, want)
		}
	}
}
