package main

import (
	"bytes"
	"fmt"
	"sync"
	"time"
)

// Settings of the whole path.
const (
	wholeClients = 8
	wholePosts   = 2400 // of all of them together
	wholeCount   = 10   // runs in each
)

// wholePath measures from the first request to the frame that shows the last run done.
func (b *bench) wholePath() (string, error) {
	var all samples
	for range b.rounds {
		one, err := b.wholeRound()
		if err != nil {
			return "", err
		}
		all = append(all, one)
	}
	rows := [][]string{
		{"", "runs/s", "spread", "CPU a run, µs"},
		{"Runboard, 100 workers, synchronous=full", group(all.median("rate"), 0), all.spread("rate", 0), group(all.median("cpu"), 0)},
	}
	queue, err := inChild("queue", childSettings{Contender: contenders[0].Name, Dir: b.dir})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("`POST count=%d` from %d clients with %d connections, without delay, until a watching socket shows the last run done.\n\n%s\n"+
		"Of the queue alone in the same minute (%s runs/s): %.2f (to reach: 0.3). The Rails example, ActiveJob and ActionCable on PostgreSQL, "+
		"did 134 runs/s at 7,000 to 12,000 µs on a machine like this; it was not run again, so take that for an order of magnitude: "+
		"%.0f times (to reach: 100).\n", wholeCount, wholeClients, wholeClients, table(rows), group(queue["rate"], 0),
		all.median("rate")/queue["rate"], all.median("rate")/134), nil
}

func (b *bench) wholeRound() (sample, error) {
	board, err := b.startBoard("", "--workers=100")
	if err != nil {
		return nil, err
	}
	defer board.stop()
	last, done := []byte(fmt.Sprintf(`<b id="count_completed">%s</b>`, group(wholePosts*wholeCount, 0))), make(chan struct{})
	once := sync.OnceFunc(func() { close(done) })
	watcher, err := gatherCrowd(board.url, "/process_runs/live", 1, "", func(_ int, frame []byte) {
		if bytes.Contains(frame, last) {
			once()
		}
	})
	if err != nil {
		return nil, err
	}
	defer watcher.leave()
	began, cpu := time.Now(), cpuOf(board.pid())
	var clients sync.WaitGroup
	failed := make(chan error, wholeClients)
	for range wholeClients {
		clients.Go(func() {
			for range wholePosts / wholeClients {
				if err := board.begin(wholeCount); err != nil {
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
		return nil, fmt.Errorf("the last frame does not come")
	}
	runs := float64(wholePosts * wholeCount)
	return sample{"rate": runs / time.Since(began).Seconds(), "cpu": (cpuOf(board.pid()) - cpu) / runs * 1e6}, nil
}
