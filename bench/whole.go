package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Settings of the whole-path benchmark.
const (
	wholeClients = 8
	wholePosts   = 2400 // requests of all clients together
	wholeCount   = 10   // runs created by each request
)

// wholePath measures from the first request to the frame that shows the last run as done. It compares the
// board with its queue alone and with the Rails example.
func (b *bench) wholePath() (string, error) {
	at, err := b.servers.start()
	if err != nil {
		return "", err
	}
	withRails := hasRails()
	var ours, alone, rails samples
	for range b.rounds {
		for _, one := range []struct {
			measured *samples
			round    func() (sample, error)
		}{
			{&ours, b.wholeRound},
			{&alone, func() (sample, error) { return b.childRound("queue", contenders[0], at) }},
			{&rails, func() (sample, error) { return b.railsRound(at) }},
		} {
			if one.measured == &rails && !withRails {
				continue
			}
			measured, err := one.round()
			if err != nil {
				return "", err
			}
			fmt.Fprintf(os.Stderr, "whole path: %v\n", measured)
			*one.measured = append(*one.measured, measured)
		}
	}
	return wholeText(ours, alone, rails), nil
}

// wholeText formats the results. rails is empty if the example was not run.
func wholeText(ours, alone, rails samples) string {
	row := func(name string, measured samples) []string {
		return []string{name, group(measured.median("rate"), 0), measured.spread("rate", 0),
			group(measured.median("cpu"), 0)}
	}
	rows := [][]string{
		{"", "runs/s", "spread", "CPU a run, µs"},
		row("Runboard, 100 workers, synchronous=full", ours), row("its queue alone", alone),
	}
	compared := "The Rails example was not run: ruby-rails, puma and ruby-pg could not be installed."
	if len(rails) > 0 {
		rows = append(rows, row("Rails example", rails))
		compared = fmt.Sprintf("Of the Rails example (bench/rails: ActiveJob and ActionCable with their "+
			"async adapters on PostgreSQL, one puma with five threads, %d runs; "+
			"CPU time including PostgreSQL's): %.0f times (goal: 100), at 1/%.0f of its CPU time a run "+
			"(goal: 1/100).", railsPosts*wholeCount,
			ours.median("rate")/rails.median("rate"), rails.median("cpu")/ours.median("cpu"))
	}
	return fmt.Sprintf("`POST count=%d` from %d clients with %d connections, without delay, until a "+
		"watching socket shows the last run done.\n\n%s\n"+
		"Of its queue alone: %.2f (goal: 0.3). %s\n", wholeCount, wholeClients, wholeClients, table(rows),
		ours.median("rate")/alone.median("rate"), compared)
}

// wholeRound measures the board once.
func (b *bench) wholeRound() (sample, error) {
	board, err := b.startBoard("", "--workers=100")
	if err != nil {
		return nil, err
	}
	defer board.stop()
	last, done := []byte(fmt.Sprintf(`<b id="count_completed">%s</b>`, group(wholePosts*wholeCount, 0))),
		make(chan struct{})
	once := sync.OnceFunc(func() { close(done) })
	watcher, err := openCrowd(board.url, "/process_runs/live", 1, "", func(_ int, frame []byte) {
		if bytes.Contains(frame, last) {
			once()
		}
	})
	if err != nil {
		return nil, err
	}
	defer watcher.leave()
	return measureWholePath(done, wholePosts*wholeCount, wholePosts,
		func() float64 { return cpuOf(board.pid()) }, func() error { return board.createRuns(wholeCount) })
}

// measureWholePath has the clients call post this many times in all, and measures until done is closed, which
// must happen within a minute of the last call. cpu returns the CPU seconds used so far.
func measureWholePath(
	done <-chan struct{}, runs, posts int, cpu func() float64, post func() error,
) (sample, error) {
	began, used := time.Now(), cpu()
	var clients sync.WaitGroup
	var left atomic.Int64
	left.Store(int64(posts))
	failed := make(chan error, wholeClients)
	for range wholeClients {
		clients.Go(func() {
			for left.Add(-1) >= 0 {
				if err := post(); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	clients.Wait()
	select {
	case err := <-failed:
		return nil, err
	case <-done:
	case <-time.After(time.Minute):
		return nil, errors.New("the last frame does not come")
	}
	return sample{"rate": float64(runs) / time.Since(began).Seconds(),
		"cpu": (cpu() - used) / float64(runs) * 1e6}, nil
}
