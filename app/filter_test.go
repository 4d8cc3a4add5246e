package app_test

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"runboard/app"
)

func TestParseTimeBound_AcceptsTimesAndAges(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]struct {
		at      time.Time
		written string
	}{
		"2026-11-23T10:30:00Z": {time.Date(2026, 11, 23, 10, 30, 0, 0, time.UTC),
			"2026-11-23T10:30:00Z"},
		"2026-11-23T10:30:00.25+02:00": {time.Date(2026, 11, 23, 8, 30, 0, 250e6, time.UTC),
			"2026-11-23T08:30:00.25Z"},
		"2026-11-23T10:30": {time.Date(2026, 11, 23, 10, 30, 0, 0, time.UTC),
			"2026-11-23T10:30:00Z"},
		"2026-11-23 10:30": {time.Date(2026, 11, 23, 10, 30, 0, 0, time.UTC),
			"2026-11-23T10:30:00Z"},
		"2026-11-23": {time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC),
			"2026-11-23T00:00:00Z"},
		"2026-11-23T15:04Z": {time.Date(2026, 11, 23, 15, 4, 0, 0, time.UTC),
			"2026-11-23T15:04:00Z"},
		"2026-11-23t15:04z": {time.Date(2026, 11, 23, 15, 4, 0, 0, time.UTC),
			"2026-11-23T15:04:00Z"},
		"2026-11-23T15:04+02:00": {time.Date(2026, 11, 23, 13, 4, 0, 0, time.UTC),
			"2026-11-23T13:04:00Z"},
		// a plus in a URL query means a blank
		"2026-11-23T15:04 02:00": {time.Date(2026, 11, 23, 13, 4, 0, 0, time.UTC),
			"2026-11-23T13:04:00Z"},
		"2026-11-23T15:04-0730": {time.Date(2026, 11, 23, 22, 34, 0, 0, time.UTC),
			"2026-11-23T22:34:00Z"},
		"2026-11-23T15:04:05-07": {time.Date(2026, 11, 23, 22, 4, 5, 0, time.UTC),
			"2026-11-23T22:04:05Z"},
		"2026-11-23 15:04:05": {time.Date(2026, 11, 23, 15, 4, 5, 0, time.UTC),
			"2026-11-23T15:04:05Z"},
		"2026-11-23 15:04:05 Z": {time.Date(2026, 11, 23, 15, 4, 5, 0, time.UTC),
			"2026-11-23T15:04:05Z"},
		"2026-11-23T15:04:05.123456Z": {time.Date(2026, 11, 23, 15, 4, 5, 123e6, time.UTC),
			"2026-11-23T15:04:05.123Z"},
		"2026-11-23T15:04:05,5Z": {time.Date(2026, 11, 23, 15, 4, 5, 500e6, time.UTC),
			"2026-11-23T15:04:05.5Z"},
		"1d12h": {now.Add(-36 * time.Hour), "36h"},
		"2w":    {now.Add(-14 * 24 * time.Hour), "336h"},
		"0.5d":  {now.Add(-12 * time.Hour), "12h"},
		"1h":    {now.Add(-time.Hour), "1h"},
		"90m":   {now.Add(-90 * time.Minute), "1h30m0s"},
		"24h":   {now.Add(-24 * time.Hour), "24h"},
		"7d":    {now.Add(-7 * 24 * time.Hour), "168h"},
		"1.5s":  {now.Add(-1500 * time.Millisecond), "1.5s"},
	} {
		moment, err := app.ParseTimeBound(text)
		if err != nil || !moment.Time(now).Equal(want.at) || moment.String() != want.written {
			t.Errorf("%s is %v, written %q: %v", text, moment.Time(now), moment, err)
		}
		if again, err := app.ParseTimeBound(moment.String()); err != nil || again != moment {
			t.Errorf("%s is written %s, which is read as %v: %v", text, moment, again, err)
		}
	}
	if none := (app.TimeBound{}); !none.IsZero() || none.String() != "" {
		t.Errorf("none is written %q", none)
	}
}

func TestAt_CanBeRead(t *testing.T) {
	t.Parallel()
	for _, at := range []time.Time{{}, time.Unix(-1, 0), time.Unix(0, 0), time.Unix(1, 0)} {
		bound := app.At(at)
		if again, err := app.ParseTimeBound(bound.String()); err != nil || again != bound {
			t.Errorf("%v is written %q and read as %v: %v", at, bound, again, err)
		}
	}
}

func TestParseTimeBound_RejectsTheRest(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "yesterday", "0s", "-1h", "1", "d", "1hd", "9999999h", "2026-13-01",
		"2026-02-30", "1960-01-01", "24h ", "１h", "2026-11-23T25:00",
		"2026-11-23T15:04.5Z", "2026-11-23T15Z", "2026-11-23Z", "2026-11-23T15:04:05.Z", "2026-11-23T15:04+2",
		"2026-11-23T15:04+25:00", "2026-11-23T15:04:05Z+02:00", "20261123T150405Z", "23.11.2026", "7D", "d7",
		"1d2", "99999999999999999999d", "-7d", "1e3d", "NaNd", "Infd",
		"9999-12-31T23:59-01:00"} { // in UTC the year has five digits
		if moment, err := app.ParseTimeBound(text); app.CodeOf(err) != app.CodeMalformed {
			t.Errorf("%q is %v: %v", text, moment, err)
		}
	}
}

func TestFilter_BoundsKindAndText(t *testing.T) {
	t.Parallel()
	for _, wrong := range []string{"a\x00b", "a\nb", "\xff", strings.Repeat("x", app.MaxText+1)} {
		if _, err := app.ParseText(wrong); app.CodeOf(err) != app.CodeMalformed {
			t.Errorf("the text %q: %v", wrong, err)
		}
		if _, err := app.ParseKind(wrong); app.CodeOf(err) != app.CodeMalformed {
			t.Errorf("the kind %q: %v", wrong, err)
		}
	}
	for _, long := range []string{strings.Repeat("x", app.MaxText), strings.Repeat("ж", app.MaxText)} {
		if text, err := app.ParseText(long); text != long || err != nil {
			t.Errorf("%q is taken for %q: %v", long, text, err)
		}
		if text, err := app.ParseLogText(long); text != long || err != nil {
			t.Errorf("in a log, %q is taken for %q: %v", long, text, err)
		}
		if _, err := app.ParseLogText(long + "x"); app.CodeOf(err) != app.CodeMalformed {
			t.Errorf("a longer text: %v", err)
		}
	}
	if text, err := app.ParseText("  disk\t full  "); text != "disk full" || err != nil {
		t.Errorf("it is taken for %q: %v", text, err)
	}
	if kind, err := app.ParseKind("Bäckup 1"); kind != "Bäckup 1" || err != nil {
		t.Errorf("it is taken for %q: %v", kind, err)
	}
}

func TestFilter_StatusOnly(t *testing.T) {
	t.Parallel()
	hour, _ := app.ParseTimeBound("1h")
	for filter, plain := range map[app.Filter]bool{
		{}: true, {Filtered: true, Status: app.Failed}: true,
		{Kind: "a"}: false, {Text: "a"}: false, {Since: hour}: false, {Until: hour}: false,
	} {
		if filter.StatusOnly() != plain {
			t.Errorf("%+v: %t", filter, !plain)
		}
	}
}

func TestParseDuration_AcceptsDaysAndWeeks(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"0": 0, "90s": 90 * time.Second, "1h30m": 90 * time.Minute, "7d": 7 * 24 * time.Hour,
		"30d": 720 * time.Hour, "1d12h": 36 * time.Hour, "1.5d": 36 * time.Hour, ".5d": 12 * time.Hour,
		"2w1d": 15 * 24 * time.Hour, "-1d": -24 * time.Hour,
	} {
		if got, err := app.ParseDuration(text); err != nil || got != want {
			t.Errorf("%s is %v: %v", text, got, err)
		}
	}
	for _, wrong := range []string{"", "d", "7", "7 d", "7D", "7dd", "1y", "d7", "1e3d", "999999999d", "１d"} {
		_, err := app.ParseDuration(wrong)
		if err == nil || !strings.Contains(err.Error(), strconv.Quote(wrong)) ||
			!strings.Contains(err.Error(), "7d") {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}

func TestParseTimeBound_RecommendsValidForms(t *testing.T) {
	t.Parallel()
	_, err := app.ParseTimeBound("yesterday")
	recommended := regexp.MustCompile(`\d{4}-[^ ,]+|\b\d+[mhd]\b`).FindAllString(err.Error(), -1)
	if len(recommended) != 5 {
		t.Errorf("the message recommends %q", recommended)
	}
	for _, text := range recommended {
		if _, err := app.ParseTimeBound(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestFilter_RunNumberIsMarked(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"#42": 42, "#9223372036854775807": math.MaxInt64,
		"": 0, "42": 0, "#": 0, "#0": 0, "#+4": 0, "#-4": 0, "#4 disk": 0, "#x": 0, "##4": 0,
		"#9223372036854775808": 0,
	} {
		id, named := app.Filter{Text: text}.RunNumber()
		if named != (want > 0) || named && id != want {
			t.Errorf("%q names run %d: %v", text, id, named)
		}
	}
}
