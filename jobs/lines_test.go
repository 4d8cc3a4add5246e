package jobs

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"runboard/app"
)

// written returns the log lines and the last progress that result from writing the chunks.
func written(t interface{ Fatal(...any) }, chunks ...string) (lines []app.LogLine, last app.Progress) {
	report := NewRun(app.ProcessRun{}, func(news app.ProgressUpdate) {
		lines = append(lines, news.Lines...)
		if news.Progress != nil {
			last = *news.Progress
		}
	})
	w := report.ErrorOutput()
	for _, chunk := range chunks {
		if n, err := io.WriteString(w, chunk); n != len(chunk) || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	report.Close()
	return lines, last
}

func textOf(lines []app.LogLine) string {
	var text strings.Builder
	for _, line := range lines {
		text.WriteString(line.Text)
	}
	return text.String()
}

func TestLineWriter_KeepsStyles(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxPiece-4)
	for given, want := range map[string]string{
		"\x1b[31mred\x1b[0m":        "\x1b[31mred\x1b[m\n",
		"\x1b[mred\x1b[1;31m!":      "red\x1b[1;31m!\x1b[m\n",
		"\x1b[31mred\x1b[":          "\x1b[31mred\x1b[m\n",
		"\x1b[31m\x1b[0m\n":         "\n",
		"\x1b[31m\x1b[1mx\x1b[22my": "\x1b[1;31mx\x1b[22my\x1b[m\n",
		"\x1b[31mone\ntwo\n\nthree\x1b[m\nfour": "\x1b[31mone\x1b[m\n\x1b[31mtwo\x1b[m\n\n" +
			"\x1b[31mthree\x1b[m\nfour\n", // until the next code, but each line on its own
		"a\r\x1b[1mb\x1b[0mc\r\n":        "\x1b[1mb\x1b[mc\n",
		"\x1b[32m10%\r\x1b[33m2\x1b[m\n": "\x1b[33m2\x1b[32m0%\x1b[m\n",
		"\x1b[32mgreen\r\x1b[Kx\n":       "\x1b[32mx\x1b[m\n",
		"\x1b[38;2;255;0;0mx":            "\x1b[38;5;196mx\x1b[m\n",
		// these only look like styles
		"\x1b[>4;2mx\x1b[?1my\x1b[1 mz":              "xyz\n",
		"\x1b]8;;http://a\x1b\\\x1b[4ma\x1b]8;;\x07": "\x1b[4ma\x1b[m\n",
		"\x1b[31" + "\r" + "mx":                      "\x1b[31mx\x1b[m\n",
		// cut within a code
		"\x1b[4m" + long + "\x1b[31mred": "\x1b[4m" + long +
			"\x1b[m\x1b[4;31mred\x1b[m\n",
		"\x1b]1337;" + strings.Repeat("=", 3*maxPiece) + "\x07\x1b[1mx": "\x1b[1mx\x1b[m\n",
		strings.Repeat("\x1b[38;5;201;48;5;202;1mx\x1b[3;4m", 100):      "",
	} {
		lines, _ := written(t, given)
		if got := textOf(lines); want != "" && got != want {
			t.Errorf("%.200q becomes %.200q and not %.200q", given, got, want)
		}
		for _, line := range lines {
			if strings.HasSuffix(line.Text, "\x1b[m\x1b[m") || len(line.Text) > app.MaxLine {
				t.Errorf("of %.200q comes %.200q", given, line.Text)
			}
		}
	}
}

// Each character that moves the cursor costs a few bytes, and each one in another style costs many.
func TestLineWriter_DropsStylesThatMakeALineTooLong(t *testing.T) {
	t.Parallel()
	var given strings.Builder
	given.WriteString("\x1b[1;3;4;38;5;200;48;5;100m" + strings.Repeat("x", 700) +
		"\x1b[0;2;9;38;5;201;48;5;101m")
	for i := 1; i < 300; i += 2 {
		fmt.Fprintf(&given, "\x1b[%dGy", i)
	}
	lines, _ := written(t, given.String()+"\n")
	want := strings.Repeat("yx", 150) + strings.Repeat("x", 400) + "\n"
	if text := textOf(lines); text != want {
		t.Errorf("it becomes %d bytes: %.200q", len(text), text)
	}
}

func TestLineWriter_RemovesControlSequences(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"":                           "",
		"one\ntwo\n":                 "one\ntwo\n",
		"no end":                     "no end\n",
		"\n\n":                       "\n\n",
		"dos\r\nline\r\n":            "dos\nline\n",
		"10%\r20%\r30%\n":            "30%\n",
		"50% done\rend\n":            "end done\n", // as a terminal shows it
		"50% done\r\x1b[Kend\n":      "end\n",
		"50% done\x1b[2K\rend\n":     "end\n",
		"\x1b[2K\x1b[1Gdone\n":       "done\n",
		"50%\x1b[3D60%\x1b[Gx\n":     "x0%\n",
		"50% done\x1b[1K\n":          "\n",
		"typo\b\b\bip\n":             "tipo\n",
		"|\b/\b-\bok\n":              "ok\n",
		"\b\bfirst\n":                "first\n",
		"é💡\bx\n":                    "éx\n",
		"one\r":                      "one\n",
		"one\r\r\n":                  "one\n",
		"a\r\x1b[Ab\x1b[?1mc\r\n":    "bc\n",
		"tab\there":                  "tab\there\n",
		"\x1b[[mred":                 "mred\n",
		"\x1b]0;\x1b[2Jred":          "red\n",
		"\x1b]0;title\x07text":       "text\n",
		"\x1b[2J\x1b[Hclear":         "clear\n",
		"nul\x00bell\x07":            "nulbell\n",
		"\xff\xfe\xfdbroken":         "\uFFFDbroken\n",
		"\x9b31mnot an escape":       "\uFFFD31mnot an escape\n",
		"\xc3":                       "\uFFFD\n",
		"<b>&amp;\"'":                "<b>&amp;\"'\n",
		"a\u0085b":                   "ab\n",
		"zwölf Boxkämpfer 💡":         "zwölf Boxkämpfer 💡\n",
		strings.Repeat("x", 100_000): strings.Repeat("x", 100_000) + "\n",
	} {
		lines, _ := written(t, given)
		if got := textOf(lines); got != want {
			t.Errorf("%.200q becomes %.200q", given, got)
		}
		for _, line := range lines {
			if line.Stream != app.Stderr || len(line.Text) > app.MaxLine {
				t.Errorf("of %.200q comes a line of %d bytes by %s", given, len(line.Text), line.Stream)
			}
		}
	}
}

func TestLineWriter_MakesAnyBytesSafe(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		bytes := rapid.OneOf(
			rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 200), func(b []byte) string { return string(b) }),
			rapid.Map(rapid.SliceOfN(rapid.SampledFrom([]string{
				"a", "é", "\r", "\b", "\n", "\r\n", "\x1b[K", "💡", "\x1b[1m", "\x1b[38;5;", "7m", "\x1b[m",
				"\x1b[2D", "\x1b]8;;", "\x00", "\xf0\x9f", strings.Repeat("é", maxPiece/2+1),
				strings.Repeat("\xffx", maxPiece/2+1), "progress: 7\n",
			}), 0, 20), func(parts []string) string { return strings.Join(parts, "") }),
		).Draw(t, "bytes")
		together, _ := written(t, bytes)
		for _, line := range together {
			body := app.PlainText(strings.TrimSuffix(line.Text, "\n"))
			if line.Text == "" || len(line.Text) > app.MaxLine || !utf8.ValidString(body) ||
				strings.ContainsFunc(body, func(r rune) bool { return unicode.IsControl(r) && r != '\t' }) {
				t.Fatalf("of %.200q comes the line %.200q", bytes, line.Text)
			}
		}
		var chunks []string
		for rest := bytes; rest != ""; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "chunk")
			chunks, rest = append(chunks, rest[:n]), rest[n:]
		}
		if apart, _ := written(t, chunks...); textOf(apart) != textOf(together) {
			t.Fatalf("at once it becomes %.200q, in the parts %.200q %.200q", textOf(together), chunks,
				textOf(apart))
		}
	})
}

func TestLineWriter_ReadsProgress(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]app.Progress{
		"progress: 40":                   {Percent: 40},
		"progress: 40%":                  {Percent: 40},
		"progress: 40% copying":          {Percent: 40, Message: "copying"},
		"progress: 40 copying all of it": {Percent: 40, Message: "copying all of it"},
		"progress:100%":                  {Percent: 100},
		"progress: 0":                    {Percent: 0},
		"\x1b[1mprogress: 7%\x1b[0m":     {Percent: 7},
	} {
		lines, got := written(t, line+"\n")
		if got != want || len(lines) != 1 {
			t.Errorf("%q is taken for %+v, and the log is %+v", line, got, lines)
		}
	}
	for _, line := range []string{
		"progress: 101", "progress: -1", "progress: 4x", "progress: ", "Progress: 4", " progress: 4",
		"progress 4", "progress: 1e1", "progress: ４", "progress: 0400",
	} {
		if _, got := written(t, "progress: 3\n", line+"\n"); got.Percent != 3 {
			t.Errorf("%q is taken for %+v", line, got)
		}
	}
}

// shownLog returns the log as the page shows it after it has received the parts.
func shownLog(parts []app.LogLine) (text string) {
	for _, part := range parts {
		replacement, found := strings.CutPrefix(part.Text, "\r")
		if found {
			text = text[:strings.LastIndex(text, "\n")+1]
		}
		text += replacement
	}
	return text
}

// TestLineWriter_ShowsUnfinishedLine also covers a line that is overwritten after it was shown.
func TestLineWriter_ShowsUnfinishedLine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var lines []app.LogLine
		report := NewRun(app.ProcessRun{},
			func(news app.ProgressUpdate) { lines = append(lines, news.Lines...) })
		w := report.Output()
		for _, step := range []struct{ written, shown string }{
			{"Overwrite? ", "Overwrite? "},
			{"y\n", "Overwrite? y\n"},
			{".", "."},
			{".\xc3", ".."}, // an incomplete character waits for its end
			{"\xa9", "..é"},
			{"\n10%", "..é\n10%"},
			{"\r20%\r30%", "..é\n30%"},
			{"\r\x1b[Kok", "..é\nok "},
			{"\b\bno\n", "..é\nno \n"},
			{"\n\n", "..é\nno \n\n\n"},
			{"progress: 4\rprogress: 50", "progress: 50"},
		} {
			_, _ = io.WriteString(w, step.written)
			time.Sleep(partialDelay + flushInterval + time.Millisecond)
			synctest.Wait()
			if got := shownLog(lines); !strings.HasSuffix(got, step.shown) {
				t.Errorf("after %q the log is %q", step.written, got)
			}
			if strings.HasSuffix(step.written, "y\n") {
				lines = nil
			}
		}
		_ = w.Close()
		report.Close()
		for _, line := range lines {
			if strings.LastIndex(line.Text, "\r") > 0 {
				t.Errorf("a part is written over within itself: %q", line.Text)
			}
		}
	})
}

// Each part of a line can be shown without the others.
func TestLineWriter_PartsOfLinesHaveTheirStyles(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var lines []app.LogLine
		report := NewRun(app.ProcessRun{},
			func(news app.ProgressUpdate) { lines = append(lines, news.Lines...) })
		w := report.Output()
		for i, step := range []struct{ written, part string }{
			{"\x1b[31mred", "\x1b[31mred\x1b[m"},
			{" and \x1b[4mred", "\x1b[31m and \x1b[4mred\x1b[m"},
			{"!\x1b[m.", "\x1b[4;31m!\x1b[m."},
			{"\x1b[31", ""},
			{"m\rRed", "\r\x1b[31mRed and \x1b[4mred!\x1b[m."},
			{"\n", "\n"},
			{"still", "\x1b[31mstill\x1b[m"},
			{"\r\x1b[m\x1b[Kit", "\rit   "},
		} {
			lines = nil
			_, _ = io.WriteString(w, step.written)
			time.Sleep(partialDelay + flushInterval + time.Millisecond)
			synctest.Wait()
			if got := textOf(lines); got != step.part {
				t.Errorf("step %d, %q, brings %q and not %q", i, step.written, got, step.part)
			}
		}
		_ = w.Close()
		report.Close()
	})
}

func TestLineWriter_SpinnerStaysOneLine(t *testing.T) {
	t.Parallel()
	spinner := strings.Repeat("working |\rworking /\rworking -\r", 10_000)
	lines, _ := written(t, spinner, "done     \n")
	if text := textOf(lines); text != "done     \n" && !strings.HasSuffix(text, "\rdone     \n") ||
		len(lines) > 10 {
		t.Errorf("it becomes %d parts: %.200q", len(lines), text)
	}
	if _, progress := written(t, "progress: 4\rprogress: 50\r"); progress.Percent != 50 {
		t.Errorf("the bar is at %d", progress.Percent)
	}
}
