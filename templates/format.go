package templates

import (
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// plural returns a number with its noun, such as "1 run" or "1,234 runs".
func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(n) + " " + many
}

// grouped formats a number with commas between the thousands.
func grouped(n int64) string { return humanize.Comma(n) }

// millis formats t as ms since 1970, for attributes that scripts read.
func millis(t time.Time) string { return decimal(t.UnixMilli()) }

// stamp formats t for datetime attributes: UTC, to the millisecond.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// second formats t like stamp, but to the second. Rows use it because a frame carries many of them.
func second(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// exact formats t for users, where a rough time is not enough.
func exact(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04:05 UTC") }

// pointInTime is the view model of a time that scripts show in the zone of the reader.
type pointInTime struct{ At, Text string }

// newPointInTime returns nil for the zero time.
func newPointInTime(at time.Time) *pointInTime {
	if at.IsZero() {
		return nil
	}
	return &pointInTime{At: stamp(at), Text: exact(at)}
}

// clockTime is the view model of a time that static/times.js shows in the zone of the reader, in its style.
type clockTime struct{ At, Style, Text string }

// dateTime returns a time with its date.
func dateTime(t time.Time) clockTime { return clockTime{At: second(t), Style: "date", Text: exact(t)} }

// timeOfDay returns a time without its date.
func timeOfDay(t time.Time) clockTime {
	return clockTime{At: second(t), Style: "time", Text: t.UTC().Format("15:04:05 UTC")}
}

// relative is the view model of a time that static/times.js keeps up to date. The zero relative is no time.
type relative struct {
	At    string // for the datetime attribute
	Style string // how the script words it
	Text  string
}

// age returns how long before now at was.
func age(at, now time.Time) relative {
	return relative{At: stamp(at), Style: "ago", Text: ago(at, now)}
}

// ago says roughly how long before now t was. static/times.js keeps the text up to date in the same words.
func ago(t, now time.Time) string {
	if d := now.Sub(t); d >= 5*time.Second {
		return rough(d.Truncate(time.Second)) + " ago"
	}
	return "just now"
}

// elapsed returns how long ago since was, in whole seconds, because static/times.js counts on from there.
func elapsed(since, now time.Time) relative {
	return relative{At: stamp(since), Style: "elapsed", Text: lasting(now.Sub(since).Truncate(time.Second))}
}

// until returns how long after now at is.
func until(at, now time.Time) relative {
	text := "any moment"
	if d := at.Sub(now); d > 0 {
		text = "in " + lasting(d)
	}
	return relative{At: stamp(at), Style: "until", Text: text}
}

// slowCancel is how long a cancelled run may take to stop before the page says that it does not react.
const slowCancel = 5 * time.Second

// cancelling describes a run whose cancellation was requested at.
func cancelling(at, now time.Time) relative {
	text := "cancelling…"
	if since := now.Sub(at); since >= slowCancel {
		text += " no reaction for " + lasting(since.Truncate(time.Second))
	}
	return relative{At: stamp(at), Style: "cancelling", Text: text}
}

// lasting formats d like rough below a minute, and in two units from there, such as "3 min 20 s".
func lasting(d time.Duration) string {
	switch {
	case d < time.Minute:
		return rough(d)
	case d < time.Hour:
		return rough(d) + rest(d%time.Minute, time.Second, "s")
	case d < 48*time.Hour:
		return rough(d) + rest(d%time.Hour, time.Minute, "min")
	}
	return rough(d) + rest(d%(24*time.Hour), time.Hour, "h")
}

// rest formats d in the smaller unit of a duration, or returns "" if it is less than one unit.
func rest(d, unit time.Duration, name string) string {
	if n := d / unit; n > 0 {
		return fmt.Sprintf(" %d %s", n, name)
	}
	return ""
}

// between formats the time between two timestamps that the store keeps to the millisecond.
func between(d time.Duration) string {
	if d < time.Millisecond {
		return "<1 ms"
	}
	return lasting(d)
}

// rough formats d in one unit, rounded down. A negative d counts as 0.
func rough(d time.Duration) string {
	switch d = max(d, 0); {
	case d < 100*time.Millisecond && d > 0:
		return fmt.Sprintf("%d ms", d/time.Millisecond)
	case d < 10*time.Second && d%time.Second != 0:
		return fmt.Sprintf("%.1f s", d.Truncate(100*time.Millisecond).Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}

// clipLength is the number of characters of an error or a value where a page has many of them: enough to tell
// them apart. Longer ones would make every frame larger, for every subscriber. The run's page has all of it.
const clipLength = 100

// clip returns the beginning of text on one line, at most clipLength characters.
func clip(text string) string { return clipTo(text, clipLength) }

// clipTo is clip for another number of characters.
func clipTo(text string, most int) string {
	text = visible(strings.Join(strings.Fields(text), " "))
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}
