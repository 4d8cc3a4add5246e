package dbtest

import (
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"runboard/app"
)

// hits returns all hits of a search, and in how many steps it came to the end of the log.
func (f fixture) hits(run int64, text string) (hits []app.LogHit, steps int) {
	f.Helper()
	for after := int64(0); ; steps++ {
		found, err := f.store.SearchLog(ctx, app.LogSearch{Run: run, Text: text, After: after})
		f.ok(err)
		hits = append(hits, found.Hits...)
		if found.Next == nil {
			return hits, steps + 1
		}
		if *found.Next <= after || len(found.Hits) > 0 && found.Hits[len(found.Hits)-1].At >= *found.Next {
			f.Fatalf("after %d it continues at %d, with the hits %+v", after, *found.Next, found.Hits)
		}
		after = *found.Next
	}
}

// hitTexts returns the texts of hits, joined by bars.
func hitTexts(hits []app.LogHit) string {
	texts := make([]string, len(hits))
	for i, hit := range hits {
		texts[i] = hit.Text
	}
	return strings.Join(texts, "|")
}

// testLogSearch tests the search within a log.
func testLogSearch(t *testing.T, subject Subject) {
	t.Helper()
	t.Run("finds lines that contain a text", func(t *testing.T) {
		f := open(t, subject)
		run := f.in(app.Started)
		f.save(run, app.LogLine{Text: "Disk FULL, twice full\n"}, app.LogLine{Text: "a dis"})
		f.save(run, app.LogLine{Stream: app.Stderr, Text: "between\n"}, app.LogLine{Text: "k ful"})
		f.save(run, app.LogLine{Text: "l\n"}, app.LogLine{Text: "10% full"}, app.LogLine{Text: "\r100%\n"})
		f.save(run, app.LogLine{Stream: app.Stderr, Text: "a f\x1b[31mu\x1b[mll ÄRGER\n"},
			app.LogLine{Text: "not it"}, app.LogLine{Stream: app.ServerLog, Text: "attempt 2\n"},
			app.LogLine{Text: "fu"},
			app.LogLine{Stream: app.ServerLog, Text: "attempt 3\n"}, app.LogLine{Text: "ll, the end is open"})
		for text, want := range map[string]string{
			"full":       "Disk FULL, twice full|a disk full|a full ÄRGER",
			"K F":        "Disk FULL, twice full|a disk full",
			"ärger":      "a full ÄRGER",
			"attempt":    "attempt 2|attempt 3",
			"LL, the":    "ll, the end is open",
			"[31m":       "",
			"not itll":   "",
			"10%":        "",
			"full\nline": "",
		} {
			if hits, _ := f.hits(run.ID, text); hitTexts(hits) != want {
				t.Errorf("%q is found in %q and not %q", text, hitTexts(hits), want)
			}
		}
		beyond, err := f.store.SearchLog(ctx, app.LogSearch{Run: run.ID, Text: "full", After: math.MaxInt64})
		f.ok(err)
		if beyond.Next != nil || len(beyond.Hits) > 0 {
			f.Fatalf("a search beyond the end found %+v", beyond)
		}
		hits, _ := f.hits(run.ID, "full")
		if hit := hits[1]; hit.Number != 2 || hit.At != 22 || hits[2].Stream != app.Stderr {
			t.Errorf("the hits are %+v", hits)
		}
		_, err = f.store.SearchLog(ctx, app.LogSearch{Run: 99, Text: "x"})
		f.refused(err, app.CodeNotFound)
	})
	t.Run("continues where it stopped", func(t *testing.T) { testLongSearch(t, subject) })
	t.Run("begins where the log begins now", func(t *testing.T) {
		f := openWith(t, subject, Settings{LogLimit: 64 << 10})
		run := f.in(app.Started)
		lines := slices.Repeat([]app.LogLine{{Text: strings.Repeat("x", app.MaxLine-1) + "\n"}}, 128)
		for range app.SearchedBytes/(128*app.MaxLine) + 1 {
			f.save(run, lines...)
		}
		f.save(run, app.LogLine{Text: "the end\n"})
		if start := f.log(whole(run.ID, 0)).Start; start <= app.SearchedBytes {
			t.Fatalf("the log begins at %d", start)
		}
		if hits, _ := f.hits(run.ID, "the end"); len(hits) != 1 {
			t.Errorf("it finds %+v", hits)
		}
	})
	t.Run("finds random texts", func(t *testing.T) {
		rapid.Check(t, func(r *rapid.T) { anyLogSearch(r, subject) })
	})
}

func testLongSearch(t *testing.T, subject Subject) {
	t.Helper()
	f := openWith(t, subject, Settings{LogLimit: 64 << 20})
	run := f.in(app.Started)
	f.writeLines(run, 1, 2500)
	hits, steps := f.hits(run.ID, "line")
	if len(hits) != 2500 || steps != 3 {
		t.Errorf("it finds %d lines in %d steps", len(hits), steps)
	}
	f.save(run, app.LogLine{Stream: app.Stderr, Text: "this line stays op"})
	for written := 0; written < app.SearchedBytes+1<<20; {
		lines := slices.Repeat([]app.LogLine{{Text: strings.Repeat("x", app.MaxLine-1) + "\n"}}, 30)
		f.save(run, lines...)
		written += 30 * app.MaxLine
	}
	f.save(run, app.LogLine{Stream: app.Stderr, Text: "en\n"}, app.LogLine{Text: "The End\n"})
	for text, want := range map[string]string{
		"the end": "The End", "line 2500": "line 2500, with some words", "this": "this line stays op",
		"nowhere": "",
	} {
		hits, steps := f.hits(run.ID, text)
		if got := hitTexts(hits); !strings.HasPrefix(got, want) || want == "" && got != "" || steps < 2 {
			t.Errorf("%q is found in %.100q in %d steps", text, got, steps)
		}
	}
	if hits, _ := f.hits(run.ID, "xxx"); len(hits[0].Text) != app.MaxHit {
		t.Errorf("the text of a hit has %d bytes", len(hits[0].Text))
	}
}

// anyLogSearch compares the hits in a random log with those in its joined lines.
func anyLogSearch(t *rapid.T, subject Subject) {
	f := openWith(t, subject, Settings{})
	run := f.in(app.Started)
	pieces := []string{"ab", "B", "a", "\x1b[1mA\x1b[m", "\r", "É", "x"}
	for range rapid.IntRange(1, 4).Draw(t, "reports") {
		lines := make([]app.LogLine, rapid.IntRange(1, 10).Draw(t, "lines"))
		for i := range lines {
			parts := rapid.SliceOfN(rapid.SampledFrom(pieces[:4+i%3]), 1, 5).Draw(t, "pieces")
			lines[i].Text = rapid.SampledFrom([]string{"", "", "\r"}).Draw(t, "begin") +
				strings.ReplaceAll(strings.Join(parts, ""), "\r", "é") +
				rapid.SampledFrom([]string{"\n", ""}).Draw(t, "end")
			streams := []app.Stream{app.Stdout, app.Stderr, app.ServerLog}
			lines[i].Stream = rapid.SampledFrom(streams).Draw(t, "stream")
		}
		f.save(run, lines...)
	}
	text := rapid.StringMatching("[abé]{1,4}").Draw(t, "text")
	joined := map[int64]string{}
	for _, line := range f.log(whole(run.ID, 0)).Lines {
		part, replaces := strings.CutPrefix(line.Text, "\r")
		if replaces {
			joined[line.Number] = ""
		}
		joined[line.Number] += strings.TrimSuffix(app.PlainText(part), "\n")
	}
	found := map[int64]string{}
	hits, _ := f.hits(run.ID, text)
	for _, hit := range hits {
		found[hit.Number] = hit.Text
	}
	for number, line := range joined {
		got, is := found[number]
		if is != strings.Contains(strings.ToLower(line), text) || is && got != line {
			t.Fatalf("%q is found in %v of %v", text, hits, joined)
		}
	}
	if len(found) != len(hits) {
		t.Fatalf("%q is found twice in a line: %v", text, hits)
	}
}
