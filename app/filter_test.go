package app_test

import (
	"strings"
	"testing"
	"time"

	"runboard/app"
)

func TestAMomentIsATimeOrSoLongAgo(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]struct {
		at      time.Time
		written string
	}{
		"2026-11-23T10:30:00Z":         {time.Date(2026, 11, 23, 10, 30, 0, 0, time.UTC), "2026-11-23T10:30:00Z"},
		"2026-11-23T10:30:00.25+02:00": {time.Date(2026, 11, 23, 8, 30, 0, 250e6, time.UTC), "2026-11-23T08:30:00.25Z"},
		"2026-11-23T10:30":             {time.Date(2026, 11, 23, 10, 30, 0, 0, time.UTC), "2026-11-23T10:30:00Z"},
		"2026-11-23 10:30":             {time.Date(2026, 11, 23, 10, 30, 0, 0, time.UTC), "2026-11-23T10:30:00Z"},
		"2026-11-23":                   {time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC), "2026-11-23T00:00:00Z"},
		"1h":                           {now.Add(-time.Hour), "1h"},
		"90m":                          {now.Add(-90 * time.Minute), "1h30m0s"},
		"24h":                          {now.Add(-24 * time.Hour), "24h"},
		"7d":                           {now.Add(-7 * 24 * time.Hour), "168h"},
		"1.5s":                         {now.Add(-1500 * time.Millisecond), "1.5s"},
	} {
		moment, err := app.ParseMoment(text)
		if err != nil || !moment.Time(now).Equal(want.at) || moment.String() != want.written {
			t.Errorf("%s is %v, written %q: %v", text, moment.Time(now), moment, err)
		}
		if again, err := app.ParseMoment(moment.String()); err != nil || again != moment {
			t.Errorf("%s is written %s, which is read as %v: %v", text, moment, again, err)
		}
	}
	if none := (app.Moment{}); !none.IsZero() || none.String() != "" {
		t.Errorf("none is written %q", none)
	}
}

func TestWhatIsNoMoment(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "yesterday", "0s", "-1h", "1", "d", "1hd", "9999999h", "2026-13-01", "2026-02-30", "1960-01-01", "24h ", "１h", "2026-11-23T25:00"} {
		if moment, err := app.ParseMoment(text); app.CodeOf(err) != app.CodeMalformed {
			t.Errorf("%q is %v: %v", text, moment, err)
		}
	}
}

func TestKindsAndTextsOfAFilterAreBounded(t *testing.T) {
	t.Parallel()
	for _, wrong := range []string{"a\x00b", "a\nb", "\xff", strings.Repeat("x", app.MaxText+1)} {
		if _, err := app.ParseText(wrong); app.CodeOf(err) != app.CodeMalformed {
			t.Errorf("the text %q: %v", wrong, err)
		}
		if _, err := app.ParseKind(wrong); app.CodeOf(err) != app.CodeMalformed {
			t.Errorf("the kind %q: %v", wrong, err)
		}
	}
	if text, err := app.ParseText("  disk\t full  "); text != "disk full" || err != nil {
		t.Errorf("it is taken for %q: %v", text, err)
	}
	if kind, err := app.ParseKind("Bäckup 1"); kind != "Bäckup 1" || err != nil {
		t.Errorf("it is taken for %q: %v", kind, err)
	}
}

func TestAFilterIsPlainUnlessItAsksForMoreThanAStatus(t *testing.T) {
	t.Parallel()
	hour, _ := app.ParseMoment("1h")
	for filter, plain := range map[app.Filter]bool{
		{}: true, {Filtered: true, Status: app.Failed}: true,
		{Kind: "a"}: false, {Text: "a"}: false, {Since: hour}: false, {Until: hour}: false,
	} {
		if filter.Plain() != plain {
			t.Errorf("%+v: %t", filter, !plain)
		}
	}
}

func TestBytesAreReadAndWrittenWithUnits(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]app.Bytes{"0": 0, "17": 17, "17B": 17, "4KiB": 4096, "1MiB": 1 << 20, "3 GiB": 3 << 30} {
		var got app.Bytes
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%s is %d: %v", text, got, err)
		}
		var again app.Bytes
		if err := again.UnmarshalText([]byte(got.String())); err != nil || again != got {
			t.Errorf("%s is written %s", text, got)
		}
	}
	for _, text := range []string{"", "KiB", "-1", "1.5MiB", "1MB", "1kib", "9999999999GiB", "99999999999999999999"} {
		var got app.Bytes
		if got.UnmarshalText([]byte(text)) == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
}
