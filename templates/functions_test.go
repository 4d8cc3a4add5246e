package templates

import (
	"strings"
	"testing"
	"time"

	"runboard/app"
)

const day = 24 * time.Hour

func TestADurationInWords(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Hour:                    "0 s", // the nodes of a crash and of a start may have different clocks
		-1:                            "0 s",
		0:                             "0 s",
		49 * time.Millisecond:         "49 ms",
		99 * time.Millisecond:         "99 ms",
		100 * time.Millisecond:        "0.1 s",
		9990 * time.Millisecond:       "9.9 s",
		1500 * time.Millisecond:       "1.5 s",
		2 * time.Second:               "2 s",
		9900 * time.Millisecond:       "9.9 s",
		10 * time.Second:              "10 s",
		10*time.Second + 999_999_999:  "10 s",
		59*time.Second + 999_999_999:  "59 s",
		time.Minute:                   "1 min",
		119 * time.Second:             "1 min 59 s",
		time.Hour - 1:                 "59 min 59 s",
		90 * time.Minute:              "1 h 30 min",
		time.Hour:                     "1 h",
		2*day - 1:                     "47 h 59 min",
		2 * day:                       "2 days",
		400*day + 23*time.Hour:        "400 days 23 h",
		time.Duration(1<<63 - 1):      "106751 days 23 h",
		-time.Duration(1<<63 - 1):     "0 s",
		time.Duration(-1 << 63):       "0 s",
		3*time.Second + 1:             "3.0 s",
		time.Second - time.Nanosecond: "0.9 s",
	} {
		if got := lasting(d); got != want {
			t.Errorf("%s is %q, want %q", d, got, want)
		}
	}
}

func TestALongErrorIsClippedInARow(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                        "",
		" two\n\n lines\t":        "two lines",
		strings.Repeat("ä", 100):  strings.Repeat("ä", 100),
		strings.Repeat("ä", 101):  strings.Repeat("ä", 99) + "…",
		strings.Repeat("x", 1000): strings.Repeat("x", 99) + "…",
	} {
		if got := clip(text); got != want {
			t.Errorf("%q is clipped to %q", text, got)
		}
	}
}

func TestHowLongAgoInWords(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		-time.Hour:              "just now", // the clock was set back
		0:                       "just now",
		5*time.Second - 1:       "just now",
		5 * time.Second:         "5 s ago",
		7900 * time.Millisecond: "7 s ago", // whole seconds are precise enough
		59*time.Second + 1:      "59 s ago",
		time.Minute:             "1 min ago",
		3 * time.Hour:           "3 h ago",
		3 * day:                 "3 days ago",
	} {
		if got := ago(now.Add(-d), now); got != want {
			t.Errorf("%s before is %q, want %q", d, got, want)
		}
	}
}

func TestTimesAreWrittenInUTC(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 2, 1, 4, 5, 678_900_000, time.FixedZone("east", 2*60*60))
	if got := stamp(at); got != "2026-11-01T23:04:05.678Z" {
		t.Errorf("a machine reads %q", got)
	}
	if got := second(at); got != "2026-11-01T23:04:05Z" {
		t.Errorf("to the second it is %s", got)
	}
	if got := exact(at); got != "1 Nov 2026, 23:04:05 UTC" {
		t.Errorf("a person reads %q", got)
	}
}

func TestATemplateCannotNameAnIDThatDoesNotExist(t *testing.T) {
	t.Parallel()
	if id, err := fixedID("no-such-thing"); err == nil {
		t.Errorf("it is called %q", id)
	}
	for name, id := range fixedIDs {
		if got, err := fixedID(name); got != id || err != nil {
			t.Errorf("%s is called %q, %v", name, got, err)
		}
	}
}

func TestHowLongItIsUntilATime(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		12 * time.Second: "in 12 s", 1500 * time.Millisecond: "in 1.5 s", 0: "any moment", -time.Hour: "any moment",
	} {
		if got := due(now.Add(d), now); got != want {
			t.Errorf("%s ahead is %q, want %q", d, got, want)
		}
	}
}

func TestWhatGoesOnIsToldInWholeSeconds(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		-time.Second: "0 s", 2 * time.Millisecond: "0 s", 1900 * time.Millisecond: "1 s", 61 * time.Second: "1 min 1 s",
	} {
		if got := elapsed(now.Add(-d), now); got != want {
			t.Errorf("after %s it is %q, want %q", d, got, want)
		}
	}
}

func TestWorkThatDoesNotStopIsSaidNotToRespond(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "cancelling…", patient - 1: "cancelling…", patient: "cancelling… no reaction for 5 s", 90 * time.Second: "cancelling… no reaction for 1 min 30 s",
	} {
		if got := stopping(d); got != want {
			t.Errorf("after %s it is %q, want %q", d, got, want)
		}
	}
}

func TestTheTimeLeftFollowsFromTheRate(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	for percent, want := range map[app.Percent]time.Duration{
		app.NoPercent: 0, 0: 0, 1: 19*time.Minute + 48*time.Second, 50: 12 * time.Second, 99: time.Second, 100: 0,
	} {
		run := app.ProcessRun{Status: app.Started, StartedAt: now.Add(-12 * time.Second), Progress: app.Progress{Percent: percent}}
		if got := left(run, 0, now); got != want {
			t.Errorf("at %d%% there are %s left, want %s", percent, got, want)
		}
	}
	if got := left(app.ProcessRun{Status: app.Failed, StartedAt: now.Add(-time.Second), Progress: app.Progress{Percent: 50}}, 0, now); got != 0 {
		t.Errorf("of a run that failed there are %s left", got)
	}
}
