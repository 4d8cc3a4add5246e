package live

import (
	"context"
	"fmt"
	"html"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"runboard/app"
	"runboard/db/sqlite"
)

// logReader assembles a log as the script of the page does: it skips lines that it has and fetches missing
// ones.
type logReader struct {
	store *sqlite.Store
	run   int64
	text  strings.Builder
}

var (
	blockPattern = regexp.MustCompile(`(?s)<div class="lines" data-from="(\d+)" data-to="(\d+)">(.*?)</div></hx-partial>`)
	linePattern  = regexp.MustCompile(`(?s)<div id="L\d+" data-offset="(\d+)"[^>]*><a [^>]*></a>(.*?)</div>`)
)

func (r *logReader) take(t fataler, frame *Frame) {
	for _, block := range blockPattern.FindAllStringSubmatch(string(frame.HTML), -1) {
		from, _ := strconv.Atoi(block[1])
		if from > r.text.Len() {
			r.fetch(t, from)
		}
		for _, line := range linePattern.FindAllStringSubmatch(block[3], -1) {
			switch at, _ := strconv.Atoi(line[1]); {
			case at > r.text.Len():
				t.Fatalf("between %d and %d there is a gap", r.text.Len(), at)
			case at == r.text.Len():
				r.text.WriteString(html.UnescapeString(line[2]) + "\n")
			}
		}
		if to, _ := strconv.Atoi(block[2]); to > r.text.Len() {
			t.Fatalf("the block goes to %d, its lines to %d", to, r.text.Len())
		}
	}
}

// fetch reads the missing part up to an offset, as GET …/log does.
func (r *logReader) fetch(t fataler, to int) {
	log, err := r.store.Log(context.Background(), app.LogQuery{
		Run: r.run, Offset: int64(r.text.Len()), Bytes: to - r.text.Len(), Lines: math.MaxInt,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range log.Lines {
		r.text.WriteString(line.Text)
	}
}

// A reader must assemble exactly the lines that were written, even if it reads slowly, joins late, or
// reconnects.
func TestLogView_FramesAddUpToTheLog(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "runboard-log-")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		store := openStore(t, dir)
		defer store.Close()
		hub, stop := runHub(t, store)
		defer stop()
		id := create(t, store, 1).First
		run, err := store.Start(context.Background(), app.ProcessRun{ID: id})
		if err != nil {
			t.Fatal(err)
		}
		reader := &logReader{store: store, run: id}
		written := playLog(t, hub, store, run, reader)
		if got := reader.text.String(); got != written {
			t.Fatalf("%d bytes were written, and the reader has %d: %.300q", len(written), len(got), got)
		}
	})
}

// playLog writes lines while the reader connects and disconnects, and returns them when the reader has them
// all.
func playLog(
	t *rapid.T, hub *Hub, store *sqlite.Store, run app.ProcessRun, reader *logReader,
) (written string) {
	watcher := hub.Watch(ViewKey{Run: run.ID})
	for i := range rapid.IntRange(1, 12).Draw(t, "steps") {
		switch rapid.SampledFrom([]string{"write", "write", "flood", "read", "leave", "progress"}).
			Draw(t, "step") {
		case "write":
			written += report(t, store, run, i, rapid.IntRange(1, 5).Draw(t, "lines"))
		case "flood":
			written += report(t, store, run, i, 3*app.TailLines)
		case "progress":
			if err := store.SaveProgress(context.Background(), run,
				app.ProgressUpdate{Progress: &app.Progress{Percent: app.Percent(i)}}); err != nil {
				t.Fatal(err)
			}
		case "read":
			if frame, err := watcher.Next(); err != nil {
				t.Fatal(err)
			} else if frame != nil {
				reader.take(t, frame)
			}
		case "leave":
			watcher.Close()
			watcher = hub.Watch(ViewKey{Run: run.ID})
		}
		if rapid.Bool().Draw(t, "wait") {
			time.Sleep(MinInterval / 10) // the hub may or may not render meanwhile
		}
	}
	defer func() { watcher.Close() }()
	for reader.text.Len() < len(written) {
		reader.take(t, next(t, watcher))
	}
	return written
}

func report(t fataler, store *sqlite.Store, run app.ProcessRun, step, count int) (written string) {
	lines := make([]app.LogLine, count)
	for i := range lines {
		lines[i].Text = fmt.Sprintf("%d/%d <&> é\n", step, i)
		written += lines[i].Text
	}
	if err := store.SaveProgress(context.Background(), run, app.ProgressUpdate{Lines: lines}); err != nil {
		t.Fatal(err)
	}
	return written
}
