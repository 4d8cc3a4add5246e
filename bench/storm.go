package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Settings of the storm benchmark.
const (
	stormSockets = 1000
	stormTime    = 15 * time.Second
	stormCount   = 100             // runs created by a request
	stormPushed  = 5000            // changes a second that the hubs push
	stormPushing = 3 * time.Second // short, because the hubs queue what they cannot send in memory
	stormCell    = 270             // digits in a change, which is then as long as a status cell, 300 bytes
)

// stormPaces are the runs created a second; each changes three times.
var stormPaces = []int{1700, 5000}

// stormView is what one socket has received.
type stormView struct {
	newest int64     // time of the newest change, Unix ms
	behind []float64 // age of the oldest new change in each frame, ms
}

// record stores how old the oldest change in a frame is, of those newer than the frames before. now is in
// Unix ms.
func (v *stormView) record(frame []byte, now int64) {
	oldest, newest := int64(0), v.newest
	for {
		_, rest, found := bytes.Cut(frame, []byte(`data-at=`))
		if !found {
			break
		}
		text := bytes.TrimLeft(rest[:min(len(rest), 20)], `\"`) // hubs that send JSON escape the quote
		text, _, _ = bytes.Cut(bytes.ReplaceAll(text, []byte(`\`), nil), []byte(`"`))
		at, _ := strconv.ParseInt(string(text), 10, 64)
		if at > v.newest && (oldest == 0 || at < oldest) {
			oldest = at
		}
		newest, frame = max(newest, at), rest
	}
	if oldest > 0 && v.newest > 0 {
		v.behind = append(v.behind, float64(now-oldest))
	}
	v.newest = newest
}

// storm measures how far sockets are behind while runs change fast, and the hubs under the same number of
// changes.
func (b *bench) storm() (string, error) {
	rows := [][]string{{"runs/s", "changes/s", "behind p50, ms", "behind p99, ms",
		"frames a second and socket", "largest frame, bytes", "server, cores"}}
	for _, pace := range stormPaces {
		var all samples
		for range b.rounds {
			one, err := b.stormRound(pace)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(os.Stderr, "storm: %v\n", one)
			all = append(all, one)
		}
		if pace == stormPaces[0] {
			err := updateSummary("1,000 open pages during 5,000 changes a second",
				fmt.Sprintf("at most %.0f ms behind, for 99 of 100 frames, at %.2f of a core",
					all.median("p99"), all.median("cores")))
			if err != nil {
				return "", err
			}
		}
		rows = append(rows,
			[]string{group(all.median("runs"), 0), group(3*all.median("runs"), 0),
				group(all.median("p50"), 0), group(all.median("p99"), 0),
				group(all.median("frames"), 1), group(all.median("largest"), 0),
				group(all.median("cores"), 2)})
	}
	pushed, err := b.pushed()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s sockets on the newest page for %v while runs are started, done and completed. "+
		"Behind is the age, when a "+
		"frame has been read, of its oldest change that earlier frames did not have. Goal: 400 ms at p99, "+
		"one core, 16,384 bytes.\n\n%s\n"+
		"Peers that push every one of %s changes a second to the same sockets, for %v, must send %s frames "+
		"a second:\n\n%s%s",
		group(stormSockets, 0), stormTime, table(rows), group(stormPushed, 0), stormPushing,
		group(stormPushed*stormSockets, 0), pushed, versions()), nil
}

// pushed compares hubs that push every change.
func (b *bench) pushed() (string, error) {
	rows := [][]string{{"", "frames/s", "behind p50, ms", "behind p99, ms", "server, cores"}}
	all := map[string]samples{}
	for range b.rounds {
		for _, name := range hubNames {
			one, err := pushedRound(name)
			if err != nil {
				return "", fmt.Errorf("%s: %w", name, err)
			}
			fmt.Fprintf(os.Stderr, "pushed by %s: %v\n", name, one)
			all[name] = append(all[name], one)
		}
	}
	for _, name := range hubNames {
		one := all[name]
		rows = append(rows,
			[]string{name, group(one.median("frames"), 0), group(one.median("p50"), 0),
				group(one.median("p99"), 0), group(one.median("cores"), 2)})
	}
	return table(rows), nil
}

// pushedRound measures one hub.
func pushedRound(name string) (sample, error) {
	o, err := openHub(name, 0)
	if err != nil {
		return nil, err
	}
	defer o.kill()
	views, frames := make([]stormView, stormSockets), atomic.Int64{}
	c, err := openCrowd(o.server.url, o.path, stormSockets, o.hello, func(socket int, frame []byte) {
		frames.Add(1)
		views[socket].record(frame, time.Now().UnixMilli())
	})
	if err != nil {
		return nil, err
	}
	time.Sleep(time.Second)
	frames.Store(0)
	began, cpu := time.Now(), cpuOf(o.server.pid())
	response, err := http.Get(fmt.Sprintf("%s/storm?pace=%d&ms=%d", o.server.url, stormPushed,
		stormPushing.Milliseconds()))
	if err != nil {
		return nil, err
	}
	_ = response.Body.Close()
	took, used := time.Since(began).Seconds(), cpuOf(o.server.pid())-cpu
	sent := float64(frames.Load())
	c.leave()
	behind := behindOf(views)
	return sample{"frames": sent / took, "p50": percentile(behind, 50), "p99": percentile(behind, 99),
		"cores": used / took}, nil
}

// behindOf returns the ages in all views, in ms.
func behindOf(views []stormView) (behind []float64) {
	for i := range views {
		behind = append(behind, views[i].behind...)
	}
	return behind
}

// stormRound measures the board while pace runs a second are created.
func (b *bench) stormRound(pace int) (sample, error) {
	board, err := b.startBoard("", "--workers=100")
	if err != nil {
		return nil, err
	}
	defer board.stop()
	views, frames, largest := make([]stormView, stormSockets), atomic.Int64{}, atomic.Int64{}
	c, err := openCrowd(board.url, "/process_runs/live", stormSockets, "", func(socket int, frame []byte) {
		frames.Add(1)
		if size := int64(len(frame)); size > largest.Load() {
			largest.Store(size)
		}
		views[socket].record(frame, time.Now().UnixMilli())
	})
	if err != nil {
		return nil, err
	}
	time.Sleep(time.Second)
	frames.Store(0)
	began, cpu := time.Now(), cpuOf(board.pid())
	err = board.createAtPace(pace, stormTime)
	took, used := time.Since(began).Seconds(), cpuOf(board.pid())-cpu
	page, _ := board.requestJSON("GET", "/process_runs", nil)
	time.Sleep(time.Second)
	c.leave()
	behind := behindOf(views)
	return sample{
		"runs": float64(page.Counts["completed"]) / took, "p50": percentile(behind, 50),
		"p99":    percentile(behind, 99),
		"frames": float64(frames.Load()) / took / stormSockets, "largest": float64(largest.Load()),
		"cores": used / took,
	}, err
}

// createAtPace creates pace runs a second for a time, waits for the requests, and returns the first error. It
// does not wait until the runs are done.
func (s *server) createAtPace(pace int, lasting time.Duration) error {
	var requests sync.WaitGroup
	failed := make(chan error, 1)
	ticks := time.NewTicker(time.Second * stormCount / time.Duration(pace))
	defer ticks.Stop()
	for end := time.Now().Add(lasting); time.Now().Before(end); <-ticks.C {
		requests.Go(func() {
			if err := s.createRuns(stormCount); err != nil {
				select {
				case failed <- err:
				default:
				}
			}
		})
	}
	requests.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}
