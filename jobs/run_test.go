package jobs

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"runboard/app"
)

// Without back-pressure, a log with a large limit would fill the memory.
func TestRun_FastWriterWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		var written int64
		report := newAttempt(app.ProcessRun{}, app.Policy{}, 1<<30, func(news app.ProgressUpdate) {
			<-hold
			written += news.Skipped
			for _, line := range news.Lines {
				written += int64(len(line.Text))
			}
		})
		const line, lines = 1 << 10, 2 * maxUnsaved / (1 << 10)
		text := strings.Repeat("x", line-1)
		var handedIn atomic.Int64
		go func() {
			for range lines {
				report.Log(text)
				handedIn.Add(line)
			}
		}()
		synctest.Wait() // until the work waits for room, and save is blocked
		if n := handedIn.Load(); n < maxUnsaved || n > maxUnsaved+maxUnsaved/8 {
			t.Errorf("%d bytes wait to be written", n)
		}
		close(hold)
		for handedIn.Load() < line*lines {
			synctest.Wait()
			sleepUntil(nil, busyFlushInterval)
		}
		report.Close()
		if written != line*lines {
			t.Errorf("%d bytes are written", written)
		}
	})
}

// The log limit exceeds what the work writes, and nothing can be saved for a day.
func TestRun_StuckDatabaseDropsOldLines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		var skipped, written int64
		report := newAttempt(app.ProcessRun{}, app.Policy{}, 1<<30, func(news app.ProgressUpdate) {
			<-hold
			skipped += news.Skipped
			written += int64(len(textOf(news.Lines)))
		})
		const line, lines = 8 << 10, 3 * maxUnsaved / (8 << 10)
		text, returned := strings.Repeat("x", line-1), make(chan struct{})
		go func() {
			defer close(returned)
			for range lines {
				report.Log(text)
			}
		}()
		sleepUntil(returned, time.Minute)
		select {
		case <-returned:
		default:
			t.Error("the work waits for longer than a minute")
			close(hold)
			<-returned
			report.Close()
			return
		}
		if held := report.lines.size; held > maxUnsaved+2*chunkSize {
			t.Errorf("%d bytes are held", held)
		}
		sleepUntil(nil, 24*time.Hour)
		close(hold)
		report.Log("the last line")
		report.Close()
		if want := int64(line*lines + len("the last line\n")); skipped+written != want ||
			written < maxUnsaved {
			t.Errorf("of %d bytes %d are skipped and %d written", want, skipped, written)
		}
	})
}

// TestRun_DropsWithoutWaiting checks that work does not wait for lines that the log would not keep,
// and that the dropped bytes are counted.
func TestRun_DropsWithoutWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const limit = 100_000
		hold := make(chan struct{})
		var skipped, skippedLines int64
		var lines []app.LogLine
		report := newAttempt(app.ProcessRun{}, app.Policy{}, limit, func(news app.ProgressUpdate) {
			<-hold
			skippedLines += news.SkippedLines
			if news.Skipped > 0 {
				skippedLines += int64(len(lines))
				skipped, lines = skipped+int64(len(textOf(lines)))+news.Skipped, nil
			}
			lines = append(lines, news.Lines...)
		})
		w := report.Output()
		var all bytes.Buffer
		for i := range 100_000 {
			fmt.Fprintf(&all, "line %d\n", i)
		}
		want := all.String()
		if _, err := io.Copy(w, &all); err != nil { // would block for ever if it waited
			t.Fatal(err)
		}
		if held := report.lines.size; held > limit+2*chunkSize {
			t.Errorf("%d bytes are held", held)
		}
		close(hold)
		report.Close()
		kept := textOf(lines)
		if int(skipped)+len(kept) != len(want) || !strings.HasSuffix(want, kept) || len(kept) < limit {
			t.Errorf("of %d bytes %d are skipped and %d kept", len(want), skipped, len(kept))
		}
		if int(skippedLines)+len(lines) != 100_000 {
			t.Errorf("%d lines are skipped and %d kept", skippedLines, len(lines))
		}
	})
}

// TestLogBuffer_KeepsNewestLines compares the buffer with a plain list of lines.
func TestLogBuffer_KeepsNewestLines(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var buffer logBuffer
		var want []app.LogLine
		size := func() (bytes int) {
			for _, line := range want {
				bytes += len(line.Text)
			}
			return bytes
		}
		var dropped gap
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				stream := rapid.SampledFrom([]app.Stream{app.Stdout, app.Stderr}).Draw(t, "stream")
				for range rapid.IntRange(1, 10).Draw(t, "lines") {
					length := rapid.SampledFrom([]int{1, 2, 100, app.MaxLine}).Draw(t, "length")
					line := strings.Repeat(string(rune('a'+len(want)%26)), length-1) +
						rapid.SampledFrom([]string{"\n", "."}).Draw(t, "end")
					want = append(want, app.LogLine{Stream: stream, Text: line})
					buffer.add(stream, line)
				}
			},
			"trim": func(t *rapid.T) {
				limit := rapid.SampledFrom([]int{100, 20_000}).Draw(t, "limit")
				before := buffer.skipped.bytes
				buffer.trim(limit)
				for left := buffer.skipped.bytes - before; left > 0; want = want[1:] {
					left -= int64(len(want[0].Text))
					dropped.bytes += int64(len(want[0].Text))
					dropped.lines += int64(strings.Count(want[0].Text, "\n"))
				}
				if buffer.size != size() || dropped.bytes > 0 && buffer.size < limit &&
					buffer.skipped.bytes > before {
					t.Fatalf("of %d bytes %d are left", size(), buffer.size)
				}
			},
			"take": func(t *rapid.T) {
				skipped, lines := buffer.take(rapid.IntRange(1, 30_000).Draw(t, "most"))
				if len(lines) > 0 && skipped != dropped {
					t.Fatalf("%+v is skipped, not %+v", skipped, dropped)
				}
				if len(lines) > 0 {
					dropped = gap{}
				}
				for i, line := range lines {
					if line != want[i] {
						t.Fatalf("line %d is %.20q, not %.20q", i, line.Text, want[i].Text)
					}
				}
				want = want[len(lines):]
			},
		})
	})
}

// BenchmarkLineWriter measures how fast output is taken if most of it is dropped:
//
//	go test ./jobs -run xxx -bench LineWriter
func BenchmarkLineWriter(b *testing.B) {
	for name, line := range map[string]string{
		"short": "y\n", "plain": "an ordinary line of a log, with a number like 4711 in it\n",
		"umlauts":  "eine gewöhnliche Zeile, mit einer Zahl wie 4711 darin\n",
		"coloured": "\x1b[32mok\x1b[0m an ordinary line of a log\n",
	} {
		b.Run(name, func(b *testing.B) {
			report := NewRun(app.ProcessRun{}, func(app.ProgressUpdate) {})
			w := &lineWriter{run: report, stream: app.Stdout, last: &lastLines{}}
			chunk := bytes.Repeat([]byte(line), (64<<10)/len(line))
			b.SetBytes(int64(len(chunk)))
			for b.Loop() {
				_, _ = w.Write(chunk)
			}
			_ = w.Close()
			report.Close()
		})
	}
}
