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

// Settings of the storm.
const (
	stormSockets = 1000
	stormTime    = 15 * time.Second
	stormCount   = 100             // runs in a request
	stormPushed  = 5000            // changes a second that peers push
	stormPushing = 3 * time.Second // as long as they have memory for what waits
	stormCell    = 270             // bytes of a change, so that it is a status cell's 300
)

// stormPaces are how many runs a second are started; each is changed three times.
var stormPaces = []int{1700, 5000}

// stormView is what one socket has seen.
type stormView struct {
	newest int64     // the time of the newest change, ms
	behind []float64 // how old the oldest change of each frame was, ms
}

// saw notes how old the oldest change in a frame is that was not in the frames before.
func (v *stormView) saw(frame []byte, now int64) {
	oldest, newest := int64(0), v.newest
	for {
		_, rest, found := bytes.Cut(frame, []byte(`data-at=`))
		if !found {
			break
		}
		text := bytes.TrimLeft(rest[:min(len(rest), 20)], `\"`) // peers that speak JSON quote the quote
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

func (b *bench) storm() (string, error) {
	rows := [][]string{{"runs/s", "changes/s", "behind p50, ms", "behind p99, ms", "frames a second and socket", "largest frame, bytes", "server, cores"}}
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
			err := tell("1,000 open pages during 5,000 changes a second", fmt.Sprintf("at most %.0f ms behind, for 99 of 100 frames, at %.2f of a core", all.median("p99"), all.median("cores")))
			if err != nil {
				return "", err
			}
		}
		rows = append(rows, []string{group(all.median("runs"), 0), group(3*all.median("runs"), 0), group(all.median("p50"), 0), group(all.median("p99"), 0),
			group(all.median("frames"), 1), group(all.median("largest"), 0), group(all.median("cores"), 2)})
	}
	pushed, err := b.pushed()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s sockets on the newest page for %v while runs are started, done and completed. Behind is how old the oldest change in a "+
		"frame is when it has been read, of those that were not in the frames before. To reach: 400 ms at p99, one core, 16,384 bytes.\n\n%s\n"+
		"Peers that push every one of %s changes a second to the same sockets, for %v, have to send %s frames a second:\n\n%s%s",
		group(stormSockets, 0), stormTime, table(rows), group(stormPushed, 0), stormPushing, group(stormPushed*stormSockets, 0), pushed, versions()), nil
}

// pushed is what becomes of peers that push every change.
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
		rows = append(rows, []string{name, group(one.median("frames"), 0), group(one.median("p50"), 0), group(one.median("p99"), 0), group(one.median("cores"), 2)})
	}
	return table(rows), nil
}

func pushedRound(name string) (sample, error) {
	o, err := openHub(name, 0)
	if err != nil {
		return nil, err
	}
	defer o.kill()
	views, frames := make([]stormView, stormSockets), atomic.Int64{}
	c, err := gatherCrowd(o.server.url, o.path, stormSockets, o.hello, func(socket int, frame []byte) {
		frames.Add(1)
		views[socket].saw(frame, time.Now().UnixMilli())
	})
	if err != nil {
		return nil, err
	}
	time.Sleep(time.Second)
	frames.Store(0)
	began, cpu := time.Now(), cpuOf(o.server.pid())
	response, err := http.Get(fmt.Sprintf("%s/storm?pace=%d&ms=%d", o.server.url, stormPushed, stormPushing.Milliseconds()))
	if err != nil {
		return nil, err
	}
	_ = response.Body.Close()
	took, used := time.Since(began).Seconds(), cpuOf(o.server.pid())-cpu
	sent := float64(frames.Load())
	c.leave()
	behind := behindOf(views)
	return sample{"frames": sent / took, "p50": percentile(behind, 50), "p99": percentile(behind, 99), "cores": used / took}, nil
}

// behindOf is how old the oldest changes were, of all frames of all sockets.
func behindOf(views []stormView) (behind []float64) {
	for i := range views {
		behind = append(behind, views[i].behind...)
	}
	return behind
}

func (b *bench) stormRound(pace int) (sample, error) {
	board, err := b.startBoard("", "--workers=100")
	if err != nil {
		return nil, err
	}
	defer board.stop()
	views, frames, largest := make([]stormView, stormSockets), atomic.Int64{}, atomic.Int64{}
	c, err := gatherCrowd(board.url, "/process_runs/live", stormSockets, "", func(socket int, frame []byte) {
		frames.Add(1)
		if size := int64(len(frame)); size > largest.Load() {
			largest.Store(size)
		}
		views[socket].saw(frame, time.Now().UnixMilli())
	})
	if err != nil {
		return nil, err
	}
	time.Sleep(time.Second)
	frames.Store(0)
	began, cpu := time.Now(), cpuOf(board.pid())
	err = board.keepStarting(pace, stormTime)
	took, used := time.Since(began).Seconds(), cpuOf(board.pid())-cpu
	page, _ := board.ask("GET", "/process_runs", nil)
	time.Sleep(time.Second)
	c.leave()
	behind := behindOf(views)
	return sample{
		"runs": float64(page.Counts["completed"]) / took, "p50": percentile(behind, 50), "p99": percentile(behind, 99),
		"frames": float64(frames.Load()) / took / stormSockets, "largest": float64(largest.Load()), "cores": used / took,
	}, err
}

// keepStarting starts that many runs a second for a time.
func (s *server) keepStarting(pace int, lasting time.Duration) error {
	var requests sync.WaitGroup
	failed := make(chan error, 1)
	ticks := time.NewTicker(time.Second * stormCount / time.Duration(pace))
	defer ticks.Stop()
	for end := time.Now().Add(lasting); time.Now().Before(end); <-ticks.C {
		requests.Go(func() {
			if err := s.begin(stormCount); err != nil {
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
