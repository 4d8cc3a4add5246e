package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/chromedp"
)

// Settings of the browser benchmark.
const (
	browserTime = 60 * time.Second
	pollTime    = 20 * time.Second // for the polled page
	browserPace = 1700             // runs a second; each changes three times
)

// pollScript makes the page load itself anew every second, for comparison with the page that has a socket.
const pollScript = `setInterval(async () => {
	const text = await (await fetch(location, {cache: "no-store"})).text();
	document.body.innerHTML = new DOMParser().parseFromString(text, "text/html").body.innerHTML;
}, 1000); true`

// watchScript records the longest task of the main thread, and how many tasks took over 100 ms. The browser
// reports only tasks of 50 ms and more.
const watchScript = `window.longest = 0; window.slow = 0;
new PerformanceObserver((list) => { for (const one of list.getEntries()) {
	window.longest = Math.max(window.longest, one.duration);
	if (one.duration > 100) window.slow++;
} }).observe({type: "longtask"}); true`

// pages are the variants that are compared in the browser.
var pages = []struct {
	name, script string
	lasting      time.Duration
}{
	{"Runboard", "true", browserTime},
	{"the same page, polled every second", pollScript, pollTime},
}

// browser measures the load of the list on the browser, live and polled.
func (b *bench) browser() (string, error) {
	all := make([]samples, len(pages))
	for range b.rounds {
		for i, page := range pages {
			one, err := b.browserRound(page.script, page.lasting)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(os.Stderr, "%s: %v\n", page.name, one)
			all[i] = append(all[i], one)
		}
	}
	rows := [][]string{{"", "main thread busy, %", "spread", "longest task, ms", "spread",
		"tasks over 100 ms", "heap at the start, MB", "at the end"}}
	for i, page := range pages {
		one := all[i]
		rows = append(rows,
			[]string{page.name, group(one.median("busy"), 1), one.spread("busy", 1),
				group(one.median("longest"), 0), one.spread("longest", 0),
				group(one.median("slow"), 0), group(one.median("before"), 1), group(one.median("after"), 1)})
	}
	return fmt.Sprintf("One page of the list in Chromium for %v (polled: %v) while %s runs a second are "+
		"started, done and completed. Busy is the CPU time of "+
		"the main thread. Tasks are measured by the wall clock, so other load makes them longer; 0 means "+
		"under 50 ms. Heaps are measured after a garbage collection. "+
		"Goal: 25 %% busy, no task over 100 ms, a flat heap.\n\n%s", browserTime, pollTime,
		group(browserPace, 0), table(rows)), nil
}

// browserRound measures one variant of the page on a new board.
func (b *bench) browserRound(script string, lasting time.Duration) (sample, error) {
	board, err := b.startBoard("", "--workers=100")
	if err != nil {
		return nil, err
	}
	defer board.stop()
	ctx, cancel, err := openBrowser()
	if err != nil {
		return nil, err
	}
	defer cancel()
	err = errors.Join(board.createRuns(1000), board.waitUntilDone(1000),
		chromedp.Do(ctx, chromedp.Navigate(board.url+"/process_runs")))
	for _, text := range []string{watchScript, script} {
		if _, wrong := chromedp.Run(ctx, chromedp.Evaluate[bool](text)); wrong != nil {
			err = errors.Join(err, wrong)
		}
	}
	if err != nil {
		return nil, err
	}
	time.Sleep(2 * time.Second)
	before, err := metricsOf(ctx)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := board.createAtPace(browserPace, lasting); err != nil {
		return nil, err
	}
	took := time.Since(began).Seconds()
	after, err := metricsOf(ctx)
	if err != nil {
		return nil, err
	}
	seen, err := chromedp.Run(ctx, chromedp.Evaluate[[]float64]("[window.longest, window.slow]"))
	if err != nil {
		return nil, err
	}
	return sample{
		"busy": (after["TaskDuration"] - before["TaskDuration"]) / took * 100, "longest": seen[0],
		"slow":   seen[1],
		"before": before["JSHeapUsedSize"] / 1e6, "after": after["JSHeapUsedSize"] / 1e6,
	}, nil
}

// metricsOf returns the browser's performance metrics of the page after a garbage collection. Durations are
// CPU time in seconds, heap sizes are in bytes.
func metricsOf(ctx context.Context) (sample, error) {
	if _, err := chromedp.Call(ctx, heapprofiler.CollectGarbage, cdp.Empty{}); err != nil {
		return nil, err
	}
	if _, err := chromedp.Call(ctx, performance.Enable,
		performance.EnableParams{TimeDomain: performance.EnableTimeDomainThreadTicks}); err != nil {
		return nil, err
	}
	answer, err := chromedp.Call(ctx, performance.GetMetrics, cdp.Empty{})
	if err != nil {
		return nil, err
	}
	metrics := sample{}
	for _, metric := range answer.Metrics {
		metrics[metric.Name] = metric.Value
	}
	return metrics, nil
}

// openBrowser starts a headless Chromium, found by CHROMIUM or in PATH. The caller calls stop.
func openBrowser() (ctx context.Context, stop func(), err error) {
	name := os.Getenv("CHROMIUM")
	if name == "" {
		name = "chromium"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return nil, nil,
			fmt.Errorf("the browser is missing: apt-get install chromium, or name one in CHROMIUM (%w)", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	allocator, stopBrowser := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ = chromedp.NewContext(allocator)
	return ctx, func() { _ = chromedp.Cancel(ctx); stopBrowser() }, chromedp.Do(ctx)
}
