package browser

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/tracing"
	"github.com/chromedp/chromedp"
	"github.com/jmoiron/sqlx"

	"runboard/e2e/harness"
)

// Load of BenchmarkSmooth. SMOOTH_ROWS and SMOOTH_TIME override the first two, for quick tries.
const (
	smoothRows = 1_000_000        // finished runs in the database
	smoothTime = 20 * time.Second // duration of the measurement
	smoothPace = 10               // requests a second
	smoothRuns = 100              // runs that each request creates
	keyPace    = 5                // keys a second
)

// fillText inserts runs that ended in the last twenty days: a tenth failed, and a hundredth is of another
// kind. It drops the search index, which the program rebuilds when it starts.
const fillText = `
	WITH RECURSIVE ids (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM ids WHERE id < %[1]d)
	INSERT INTO process_runs (kind, status, version, attempt, crashes, fencing_token, error, created_at, updated_at, started_at, finished_at, scheduled_at)
		SELECT iif(id %% 100 = 0, 'backup', 'simulated'), iif(id %% 10 = 0, 3, 2), 3, 1, 0, 1,
			iif(id %% 10 = 0, 'the disk ' || (id %% 97) || ' is full', ''), at, at + 900, at + 100, at + 900, 0
		FROM (SELECT id, %[2]d - 20 * 86400000 * (%[1]d - id) / %[1]d - 1000 AS at FROM ids);
	UPDATE status_counts SET n = (SELECT count(*) FROM process_runs AS run WHERE run.status = status_counts.status);
	DROP TABLE run_search;
	DROP TRIGGER run_search_clear_error`

// BenchmarkSmooth opens a page of the list in a browser, above a million finished runs, while a thousand runs
// a second are created. It reports the times of tasks on the main thread of the page (task), how long keys
// waited for the page (input) and until their effect was painted (shown), and how long filtered lists took. A
// watching user sees rows change five times a second. A reading user moves through the list by keys, and new
// rows wait. The page itself measures and shows the delay.
//
// Of the tasks it reports two sums: busy-ms is by the wall clock, cpu-ms is the processor time of the thread.
// The server, its load and the browser share the processors here, and a page that waits for one is not busy:
// on a machine with other work, busy-ms was 10,500 of 10 s, and cpu-ms was 1,630.
func BenchmarkSmooth(b *testing.B) {
	rows := setting(b, "SMOOTH_ROWS", strconv.Atoi, smoothRows)
	lasting := setting(b, "SMOOTH_TIME", time.ParseDuration, smoothTime)
	server := harness.StartProcess(b, append(harness.AtOnce, "--workers", "10", "--keep-max", "0")...)
	server.Signal(syscall.SIGTERM)
	server.Wait()
	fill(b, server.File(), rows)
	server.Restart()
	for name, keys := range map[string]string{"watching": "z", "reading": "jjjjkkkk"} {
		b.Run(name, func(b *testing.B) {
			server := server.In(b)
			for b.Loop() {
				smooth(b, server, keys, lasting)
			}
		})
	}
}

func smooth(b *testing.B, server *harness.Process, keys string, lasting time.Duration) {
	b.Helper()
	server.WaitUntilDone(harness.TotalOf(server))
	p := bareWindow(b) // Chromium paints a tab in the background only once a second
	p.do(chromedp.Navigate(server.URL + "/process_runs"))
	p.untilLive()
	p.untilSocket("/process_runs/live")
	before := harness.TotalOf(server)
	trace := startTrace(p)
	answers := p.underLoad(server, keys, lasting)
	b.ReportMetric(float64(harness.TotalOf(server)-before)/lasting.Seconds(), "runs/s")
	trace.report(b)
	p.reportInput(b)
	for name, took := range answers {
		reportTimes(b, name, took)
	}
}

// setting returns a value from the environment, or usual if the variable is not set.
func setting[T any](b *testing.B, name string, parse func(string) (T, error), usual T) T {
	b.Helper()
	text := os.Getenv(name)
	if text == "" {
		return usual
	}
	value, err := parse(text)
	if err != nil {
		b.Fatalf("%s: %v", name, err)
	}
	return value
}

func fill(b *testing.B, path string, rows int) {
	b.Helper()
	file, err := sqlx.Connect("sqlite3", "file:"+path+"?_sync=0")
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	if _, err := file.Exec(fmt.Sprintf(fillText, rows, time.Now().UnixMilli())); err != nil {
		b.Fatal(err)
	}
}

// observer records the browser's event timing of keys: how long each waited for the page, and until its
// effect was painted. The browser omits keys that took less than 16 ms: they count as 0 ms of waiting and 16
// ms until painted.
const observer = `(() => {
	window.keysTold = [];
	new PerformanceObserver((list) => {
		for (const one of list.getEntries()) {
			if (one.name === "keydown") window.keysTold.push({waited: one.processingStart - one.startTime,
			shown: one.duration});
		}
	}).observe({type: "event", durationThreshold: 16});
	window.keysPressed = 0;
	addEventListener("keydown", () => window.keysPressed++, true);
	return true;
})()`

// underLoad creates runs, presses keys and requests lists, all at the same time. It returns how long the
// lists took, in ms.
func (p *tab) underLoad(server *harness.Process, keys string, lasting time.Duration) map[string][]float64 {
	evaluate[bool](p, observer)
	var all sync.WaitGroup
	var mu sync.Mutex
	answers := map[string][]float64{}
	end := time.Now().Add(lasting)
	all.Go(func() { // a slow request must not delay the next one
		for range every(time.Second/smoothPace, end) {
			all.Go(func() {
				timed(server, http.MethodPost, "/process_runs",
					"count="+strconv.Itoa(smoothRuns))
			})
		}
	})
	for name, query := range map[string]string{"status": "status=failed", "kind": "kind=backup",
		"since": "since=1h", "q": "q=disk+42"} {
		all.Go(func() {
			for range every(200*time.Millisecond, end) {
				took := timed(server, http.MethodGet, "/process_runs?"+query, "")
				mu.Lock()
				answers[name] = append(answers[name], took)
				mu.Unlock()
			}
		})
	}
	for i := range every(time.Second/keyPace, end) {
		p.press(string(keys[i%len(keys)]))
	}
	all.Wait()
	return answers
}

// every yields at a steady pace until end. It skips ticks that it is too late for.
func every(pace time.Duration, end time.Time) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		ticks := time.NewTicker(pace)
		defer ticks.Stop()
		for i := 0; time.Now().Before(end) && yield(i); i++ {
			<-ticks.C
		}
	}
}

// timed makes a request as curl does, and returns its duration in ms.
func timed(server *harness.Process, method, path, form string) float64 {
	began := time.Now()
	if err := server.Do(method, path, form, nil); err != nil {
		server.T.Error(err)
	}
	return float64(time.Since(began)) / float64(time.Millisecond)
}

// reportInput reports the times of keys and further metrics of the page.
func (p *tab) reportInput(b *testing.B) {
	b.Helper()
	type key struct{ Waited, Shown float64 }
	told, pressed := evaluate[[]key](p, "window.keysTold"), evaluate[int](p, "window.keysPressed")
	var waited, shown []float64
	for _, one := range told {
		waited, shown = append(waited, one.Waited), append(shown, one.Shown)
	}
	for range pressed - len(told) { // the browser omits fast ones, see observer
		waited, shown = append(waited, 0), append(shown, 16)
	}
	reportTimes(b, "input", waited)
	reportTimes(b, "shown", shown)
	b.ReportMetric(float64(pressed), "keys")
	p.reportDelay(b)
	p.mu.Lock()
	defer p.mu.Unlock()
	b.ReportMetric(float64(p.sockets[0].frames), "frames")
}

// reportDelay reports the delay that the page shows. While new rows wait, it shows none.
func (p *tab) reportDelay(b *testing.B) {
	b.Helper()
	found := latencyPattern.FindStringSubmatch(evaluate[string](p, latencyText))
	for i, name := range []string{"delay-p50-ms", "delay-p99-ms"} {
		if found == nil {
			return
		}
		delay, err := time.ParseDuration(strings.ReplaceAll(found[i+1], " ", ""))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(delay.Milliseconds()), name)
	}
}

// reportTimes reports the median, the 99th percentile and the maximum of times.
func reportTimes(b *testing.B, name string, took []float64) {
	b.Helper()
	if len(took) == 0 {
		b.Fatalf("nothing is known of %s", name)
	}
	slices.Sort(took)
	b.ReportMetric(took[(len(took)-1)/2], name+"-p50-ms")
	b.ReportMetric(took[(len(took)*99+99)/100-1], name+"-p99-ms")
	b.ReportMetric(took[len(took)-1], name+"-max-ms")
}

// trace collects the trace events of the browser.
type trace struct {
	p      *tab
	mu     sync.Mutex
	tasks  map[thread][]task
	mains  []thread // main threads of renderer processes
	ended  chan struct{}
	broken error
}

type thread struct{ Pid, Tid int64 }

// task is how long a task took, in ms: by the wall clock, and on a processor.
type task struct{ wall, cpu float64 }

// startTrace starts to record the tasks of the page's main thread.
func startTrace(p *tab) *trace {
	p.t.Helper()
	r := &trace{p: p, tasks: map[thread][]task{}, ended: make(chan struct{})}
	if err := chromedp.Listen(p.ctx, r.listen); err != nil {
		p.t.Fatal(err)
	}
	call(p, tracing.Start, tracing.StartParams{TraceConfig: &tracing.TraceConfig{
		IncludedCategories: []string{"disabled-by-default-devtools.timeline"},
		ExcludedCategories: []string{"*"},
	}})
	return r
}

func (r *trace) listen(event any) {
	switch e := event.(type) {
	case *tracing.EventDataCollected:
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, one := range e.Value {
			r.note([]byte(one))
		}
	case *tracing.EventTracingComplete:
		close(r.ended)
	}
}

func (r *trace) note(text []byte) {
	var event struct {
		thread
		Name string
		Dur  float64 // µs
		Tdur float64 // µs of the thread's own clock
		Args struct{ Name string }
	}
	if err := json.Unmarshal(text, &event); err != nil {
		r.broken = err
	}
	switch {
	case event.Name == "RunTask":
		r.tasks[event.thread] = append(r.tasks[event.thread], task{event.Dur / 1000, event.Tdur / 1000})
	case event.Name == "thread_name" && event.Args.Name == "CrRendererMain":
		r.mains = append(r.mains, event.thread)
	}
}

// report ends the trace and reports the durations of the tasks.
func (r *trace) report(b *testing.B) {
	b.Helper()
	call(r.p, tracing.End, struct{}{})
	select {
	case <-r.ended:
	case <-time.After(harness.Patience):
		b.Fatal("the trace does not end")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var tasks []task
	for _, main := range r.mains { // the busiest one belongs to the page
		if len(r.tasks[main]) > len(tasks) {
			tasks = r.tasks[main]
		}
	}
	if r.broken != nil || len(tasks) == 0 {
		b.Fatalf("the trace has tasks of %d threads, but none of a page (%v)", len(r.tasks), r.broken)
	}
	reportTasks(b, tasks)
}

// reportTasks reports the sums and the longest of tasks, by both clocks.
func reportTasks(b *testing.B, tasks []task) {
	b.Helper()
	long, busy, longest := 0, task{}, task{}
	for _, one := range tasks {
		busy.wall, busy.cpu = busy.wall+one.wall, busy.cpu+one.cpu
		longest.wall, longest.cpu = max(longest.wall, one.wall), max(longest.cpu, one.cpu)
		if one.wall > 100 {
			long++
		}
	}
	b.ReportMetric(longest.wall, "task-max-ms")
	b.ReportMetric(longest.cpu, "task-cpu-max-ms")
	b.ReportMetric(float64(long), "tasks-over-100ms")
	b.ReportMetric(busy.wall, "busy-ms")
	b.ReportMetric(busy.cpu, "cpu-ms")
}
