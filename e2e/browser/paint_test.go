package browser

import (
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
// the first text was painted.
func BenchmarkFirstPaint(b *testing.B) {
	server := harness.StartProcess(b, append(harness.AtOnce, "--failure-rate", "0.3")...)
	server.Post(1000)
	server.WaitUntilDone(1000)
	for name, path := range map[string]string{
		"board": "", "run": "/1000", "failures": "/failures", "statistics": "/statistics", "timeline": "/timeline",
	} {
		b.Run(name, func(b *testing.B) {
			server := server.In(b)
			for b.Loop() {
				var painted []float64
				for range paintVisits {
					painted = append(painted, paintTime(b, server.URL+"/process_runs"+path))
				}
				reportTimes(b, "first-paint", painted)
			}
		})
	}
}

// paintTime visits a page once, and returns firstPaint. Chromium paints only the tab in front of a window.
func paintTime(b *testing.B, url string) float64 {
	b.Helper()
	p := newWindow(b)
	call(p, network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: true})
	call(p, emulation.SetCPUThrottlingRate, emulation.SetCPUThrottlingRateParams{Rate: slowdown})
	p.do(chromedp.Navigate(url))
	p.until("it is painted", firstPaint+" > 0")
	return evaluate[float64](p, firstPaint)
}
