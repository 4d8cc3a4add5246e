package templates

import (
	"strings"
	"testing"
	"time"
)

const day = 24 * time.Hour

func TestLasting_UsesUpToTwoUnits(t *testing.T) {
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
			t.Errorf("lasting(%s) = %q, want %q", d, got, want)
		}
	}
}

func TestPlural_GroupsThousands(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0 runs", 1: "1 run", 2: "2 runs", 1234: "1,234 runs"} {
		if got := plural(n, "run", "runs"); got != want {
			t.Errorf("plural(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestClip_ShortensToOneLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                        "",
		" two\n\n lines\t":        "two lines",
		strings.Repeat("ä", 100):  strings.Repeat("ä", 100),
		strings.Repeat("ä", 101):  strings.Repeat("ä", 99) + "…",
		strings.Repeat("x", 1000): strings.Repeat("x", 99) + "…",
	} {
		if got := clip(text); got != want {
			t.Errorf("clip(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestAgo_IsRough(t *testing.T) {
	t.Parallel()
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
		if got := ago(noon.Add(-d), noon); got != want {
			t.Errorf("ago(%s) = %q, want %q", d, got, want)
		}
	}
}

func TestTimes_AreInUTC(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 2, 1, 4, 5, 678_900_000, time.FixedZone("east", 2*60*60))
	for got, want := range map[string]string{
		stamp(at): "2026-11-01T23:04:05.678Z", second(at): "2026-11-01T23:04:05Z",
		exact(at): "1 Nov 2026, 23:04:05 UTC",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestFixedNames_MustBeKnown(t *testing.T) {
	t.Parallel()
	for name, lookUp := range map[string]func(string) (string, error){"id": fixedID, "path": fixedPath} {
		if got, err := lookUp("missing"); err == nil {
			t.Errorf("[[%s \"missing\"]] = %q, want an error", name, got)
		}
	}
	if got, err := fixedID("selectAll"); got != "select_all" || err != nil {
		t.Errorf("id of selectAll = %q, %v", got, err)
	}
}

func TestUntil_CountsDown(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		12 * time.Second: "in 12 s", 1500 * time.Millisecond: "in 1.5 s", 0: "any moment",
		-time.Hour: "any moment",
	} {
		if got := until(noon.Add(d), noon).Text; got != want {
			t.Errorf("until(%s ahead) = %q, want %q", d, got, want)
		}
	}
}

func TestElapsed_IsInWholeSeconds(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Second: "0 s", 2 * time.Millisecond: "0 s", 1900 * time.Millisecond: "1 s",
		61 * time.Second: "1 min 1 s",
	} {
		if got := elapsed(noon.Add(-d), noon).Text; got != want {
			t.Errorf("elapsed(%s) = %q, want %q", d, got, want)
		}
	}
}

func TestCancelling_ReportsRunsThatDoNotReact(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "cancelling…", slowCancel - 1: "cancelling…", slowCancel: "cancelling… no reaction for 5 s",
		90 * time.Second: "cancelling… no reaction for 1 min 30 s",
	} {
		if got := cancelling(noon.Add(-d), noon).Text; got != want {
			t.Errorf("cancelling for %s = %q, want %q", d, got, want)
		}
	}
}
