package app

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSpan_IsParsedAsWritten(t *testing.T) {
	t.Parallel()
	for _, span := range Spans() {
		if parsed, err := ParseSpan(span.String()); err != nil || parsed != span || span.String() == "" {
			t.Errorf("%q is parsed as %s: %v", span, parsed, err)
		}
	}
	if span, err := ParseSpan(""); err != nil || span != SpanQuarter {
		t.Errorf("the default is %s: %v", span, err)
	}
	for _, text := range []string{"15", "15M", "7d", "-15m", "15m ", "1440m", "0"} {
		if _, err := ParseSpan(text); CodeOf(err) != CodeMalformed {
			t.Errorf("%q is accepted: %v", text, err)
		}
	}
}

func TestLaneOrder_IsParsedAsWritten(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]LaneOrder{"": LaneSlots, "slots": LaneSlots, "kinds": LaneKinds} {
		if order, err := ParseLaneOrder(text); err != nil || order != want {
			t.Errorf("%q is parsed as %s: %v", text, order, err)
		}
	}
	for _, text := range []string{"Slots", "kind", "workers"} {
		if _, err := ParseLaneOrder(text); CodeOf(err) != CodeMalformed {
			t.Errorf("%q is accepted: %v", text, err)
		}
	}
}

// noon is the start of the times in bars.
var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func TestTimelineQuery_WindowMovesInSteps(t *testing.T) {
	t.Parallel()
	now := noon.Add(1234 * time.Millisecond)
	for _, span := range Spans() {
		query := TimelineQuery{Span: span}
		for _, idle := range []bool{false, true} {
			from, until, live := query.Window(now, idle)
			_, again, _ := query.Window(until.Add(-time.Millisecond), idle)
			_, later, _ := query.Window(until, idle)
			switch {
			case !live || until.Sub(from) != span.Duration || !until.After(now):
				t.Errorf("of %s it is %s to %s, live: %t", span, from, until, live)
			case !again.Equal(until) || !later.After(until):
				t.Errorf("of %s it ends at %s, then at %s and %s", span, until, again, later)
			case until.Sub(now) > max(5*time.Second, span.Duration/60):
				t.Errorf("of %s it ends %s later", span, until.Sub(now))
			}
		}
	}
}

func TestTimelineQuery_WindowOfThePastStays(t *testing.T) {
	t.Parallel()
	query := TimelineQuery{Span: SpanQuarter, Until: At(noon)}
	from, until, live := query.Window(noon.Add(time.Hour), false)
	if live || !until.Equal(noon) || !from.Equal(noon.Add(-15*time.Minute)) {
		t.Errorf("it is %s to %s, live: %t", from, until, live)
	}
	if _, _, live := query.Window(noon, false); !live {
		t.Error("a window that ends now is not live")
	}
}

func TestProcessRun_BarsTellWhenItWaited(t *testing.T) {
	t.Parallel()
	h := newHistory(t).apply(Start).finish(Created, "boom").apply(Start).finish(Failed, "bang").retry().
		apply(Start).finish(Completed, "")
	bars := h.run.Bars(h.events)
	var told []string
	for _, bar := range bars {
		told = append(told, fmt.Sprint(bar.Queued.Second(), bar.StartedAt.Second(), bar.EndedAt.Second(),
			bar.Status, bar.Last))
	}
	want := []string{"0 1 2 failed false", "2 3 4 failed false", "5 6 7 completed true"}
	if !slices.Equal(told, want) {
		t.Errorf("the bars are %q and not %q", told, want)
	}
}

func TestProcessRun_BarsWithoutHistoryAreItsLastAttempt(t *testing.T) {
	t.Parallel()
	once := newHistory(t).apply(Start).run
	if bars := once.Bars(nil); len(bars) != 1 || bars[0].Waited() != time.Second || !bars[0].Last ||
		!bars[0].EndedAt.IsZero() || once.NeedsHistory() {
		t.Errorf("the bars of a started run are %+v", bars)
	}
	twice := newHistory(t).apply(Start).finish(Created, "boom").apply(Start).run
	if bars := twice.Bars(nil); len(bars) != 1 || bars[0].Waited() != 0 || !bars[0].Queued.IsZero() ||
		bars[0].Number != 2 || !twice.NeedsHistory() {
		t.Errorf("the bars of a run that was started twice are %+v", bars)
	}
	if bars := newHistory(t).run.Bars(nil); bars != nil {
		t.Errorf("a run that has not started has the bars %+v", bars)
	}
	cancelled := newHistory(t).apply(Start).apply(Requeue).apply(RequestCancel)
	if !cancelled.run.NeedsHistory() {
		t.Error("the attempt of a run that was cancelled later seems known")
	}
	if bars := cancelled.run.Bars(cancelled.events); len(bars) != 1 || bars[0].EndedAt.Second() != 2 {
		t.Errorf("the bars of the cancelled run are %+v", bars)
	}
}

// drawn returns a timeline of the 15 minutes after noon with bars that are drawn, one a line: the id of the
// run is its number, a letter is its kind from its start to its end, and > is an end that is not known. Each
// character is a minute.
func drawn(order LaneOrder, lines ...string) Timeline {
	timeline := Timeline{
		Query: TimelineQuery{Span: SpanQuarter, Lanes: order}, From: noon, Until: noon.Add(15 * time.Minute),
	}
	for i, line := range lines {
		text := strings.TrimLeft(line, " ")
		minute := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Minute) }
		bar := Bar{Run: ProcessRun{ID: int64(i + 1), Kind: text[:1]}}
		bar.StartedAt, bar.Status = minute(len(line)-len(text)), Completed
		bar.EndedAt = minute(len(line))
		if strings.HasSuffix(text, ">") {
			bar.EndedAt, bar.Status = time.Time{}, Started
		}
		timeline.AddBars([]Bar{bar})
	}
	return timeline
}

// layout returns the runs of each lane in words: rows are separated by slashes.
func layout(lanes []Lane) (texts []string) {
	for _, lane := range lanes {
		var rows []string
		for _, row := range lane.Rows {
			var ids []string
			for _, bar := range row {
				ids = append(ids, fmt.Sprint(bar.Run.ID))
			}
			rows = append(rows, strings.Join(ids, " "))
		}
		texts = append(texts, lane.Kind+": "+strings.Join(rows, " / "))
	}
	return texts
}

func TestTimeline_LanesHaveNoOverlap(t *testing.T) {
	t.Parallel()
	lines := []string{
		"aaaa",
		"  bbbb",
		"    aa",
		"   bb>",
		"       aa>",
		"       a",
	}
	for order, want := range map[LaneOrder][]string{
		LaneSlots: {": 1 3 5", ": 2 6", ": 4"},
		LaneKinds: {"a: 1 3 5 / 6", "b: 2 / 4"},
	} {
		if got := layout(drawn(order, lines...).LaidOut()); !slices.Equal(got, want) {
			t.Errorf("by %s the lanes are %q and not %q", order, got, want)
		}
	}
	if lanes := drawn(LaneSlots).LaidOut(); len(lanes) != 0 {
		t.Errorf("an empty timeline has the lanes %+v", lanes)
	}
}

// Runs of a millisecond end in the millisecond in which the next ones start, or are recorded to end later.
func TestTimeline_HasNoMoreLanesThanWorkers(t *testing.T) {
	t.Parallel()
	for _, late := range []time.Duration{0, 1, 3, 10, 200} {
		timeline := drawn(LaneSlots)
		timeline.Workers = 10
		for id := range int64(100) {
			start := noon.Add(time.Duration(id/10) * time.Millisecond)
			run := ProcessRun{ID: id + 1, Kind: "a"}
			attempt := Attempt{Status: Completed, StartedAt: start,
				EndedAt: start.Add((1 + late) * time.Millisecond)}
			timeline.AddBars([]Bar{{Run: run, Attempt: attempt}})
		}
		if lanes := timeline.LaidOut(); int64(len(lanes)) != timeline.Workers {
			t.Errorf("with ends that are %d ms late, there are %d lanes", late, len(lanes))
		}
	}
	more := drawn(LaneSlots, "aaa", "bbb", "  c")
	more.Workers = 2 // there were three
	if lanes := more.LaidOut(); len(lanes) != 3 {
		t.Errorf("three runs at the same time take %d lanes", len(lanes))
	}
}

func TestTimeline_OneWorkerTakesOneLane(t *testing.T) {
	t.Parallel()
	timeline := drawn(LaneSlots, "aaa", "   bbb")
	timeline.Bars[0].EndedAt = timeline.Bars[0].EndedAt.Add(2 * time.Millisecond) // recorded late
	if lanes := timeline.LaidOut(); len(lanes) != 1 {
		t.Errorf("one run after the other takes %d lanes", len(lanes))
	}
	short := drawn(LaneSlots, "a", "b")
	for i := range short.Bars {
		short.Bars[i].EndedAt = noon.Add(4 * time.Millisecond)
	}
	if lanes := short.LaidOut(); len(lanes) != 2 {
		t.Errorf("two short runs at the same time take %d lanes", len(lanes))
	}
}

func TestTimeline_BinsHaveLanesByKind(t *testing.T) {
	t.Parallel()
	timeline := drawn(LaneSlots, "  k00>")
	timeline.Bars[0].Run.Kind = "k00"
	for kind := range 12 {
		for minute := range 3 {
			timeline.Bins = append(timeline.Bins, TimelineBin{
				At: noon.Add(time.Duration(minute) * time.Minute), Kind: fmt.Sprintf("k%02d", kind),
				Counters: Counters{Completed: int64(kind + 1), Failed: 1},
			})
		}
	}
	lanes := timeline.LaidOut()
	if len(lanes) != maxBinnedKinds+1 {
		t.Fatalf("there are %d lanes", len(lanes))
	}
	if first, last := lanes[0], lanes[8]; first.Kind != "k03" || last.Kind != "k11" || len(first.Bins) != 3 {
		t.Errorf("the lanes go from %+v to %+v", first, last)
	}
	others := lanes[9]
	if others.Others != 3 || len(others.Bins) != 3 || others.Bins[1].Completed != 1+2+3 ||
		others.Bins[1].Failed != 3 || len(others.Rows) != 1 {
		t.Errorf("the others are %+v", others)
	}
}

func TestTimeline_IsBusyWhileAllWorkersRun(t *testing.T) {
	t.Parallel()
	timeline := drawn(LaneSlots,
		"aaaa",
		"  aaaa",
		"      aaa",
		"         a",
		"      a>",
	)
	for workers, want := range map[int]string{1: "0-15", 2: "2-4 6-10", 3: "", 0: ""} {
		var texts []string
		timeline.Workers = int64(workers)
		for _, busy := range timeline.Busy() {
			texts = append(texts, fmt.Sprintf("%d-%d", busy.From.Minute(), busy.Until.Minute()))
		}
		if got := strings.Join(texts, " "); got != want {
			t.Errorf("%d workers are busy at %q and not %q", workers, got, want)
		}
	}
	bulk := timeline
	bulk.Workers, bulk.Bars = 1, slices.Clone(timeline.Bars[3:4])
	bulk.Bars[0].Run.Kind = BulkKinds()[0]
	if busy := bulk.Busy(); busy != nil {
		t.Errorf("a bulk run takes a worker: %v", busy)
	}
	timeline.Query.Filter.Kind, timeline.Workers = "a", 1
	if busy := timeline.Busy(); busy != nil {
		t.Errorf("the runs of one kind tell of all workers: %v", busy)
	}
}
