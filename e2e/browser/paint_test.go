package browser

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"runboard/e2e/harness"
)

// Load of BenchmarkFirstPaint.
const (
	slowdown    = 4  // times slower than this machine, as a cheap phone
	paintVisits = 10 // of each page
)

// firstPaint evaluates to the ms from the start of the navigation until the first text is painted, or to 0.
const firstPaint = `(performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0)`

// BenchmarkFirstPaint visits pages with an empty cache on a slow processor. It reports how long it took until
// the first text was painted. The floor is a page of one word: what Chromium itself takes on this machine.
func BenchmarkFirstPaint(b *testing.B) {
	server := harness.StartProcess(b, append(harness.AtOnce, "--failure-rate", "0.3")...)
	server.Post(1000)
	server.WaitUntilDone(1000)
	bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<!doctype html><title>Bare</title><p>Hello")
	}))
	defer bare.Close()
	for name, path := range map[string]string{
		"floor": "", "board": "/process_runs", "run": "/process_runs/1000",
		"failures": "/process_runs/failures", "statistics": "/process_runs/statistics",
		"timeline": "/process_runs/timeline",
	} {
		b.Run(name, func(b *testing.B) {
			origin := server.In(b).URL
			if path == "" {
				origin = bare.URL
			}
			p := bareWindow(b) // Chromium paints only the tab in front of a window
			call(p, network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: true})
			for b.Loop() {
				var painted []float64
				for range paintVisits {
					painted = append(painted, p.paintTime(origin, path))
				}
				reportTimes(b, "first-paint", painted)
			}
		})
	}
}

// paintTime visits a page once, and returns firstPaint. An earlier page of the same origin has Chromium start
// the process that renders the page, for which a user waits once and not with each page. The processor is
// slow only during the visit: Chromium slows a process down by keeping the processor busy, also while the
// page is idle, so a page that stayed open would slow down the next one.
func (p *tab) paintTime(origin, path string) float64 {
	p.t.Helper()
	p.do(chromedp.Navigate(origin + "/up"))
	evaluate[int](p, "requestIdleCallback(() => { window.isIdle = true; })")
	p.until("the process is idle", "window.isIdle === true")
	p.slowDown(slowdown)
	defer p.slowDown(1)
	p.do(chromedp.Navigate(origin + path))
	p.until("it is painted", firstPaint+" > 0")
	return evaluate[float64](p, firstPaint)
}

func (p *tab) slowDown(times float64) {
	p.t.Helper()
	call(p, emulation.SetCPUThrottlingRate, emulation.SetCPUThrottlingRateParams{Rate: times})
}
