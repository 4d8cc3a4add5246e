package main

import (
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Settings of the fan-out benchmark.
const (
	fanOutPace   = 220 * time.Millisecond // between two messages; the board sends at most one in 200 ms
	fanOutFrames = 8
	fanOutAlone  = 4   // messages to a single socket, to measure the cost of publishing alone
	smallest     = 100 // bytes; centrifuge's pings are shorter and do not count
)

var fanOutSizes = []int{1000, 5000, 10000}

// broadcaster is a server that sends each published message to all sockets.
type broadcaster struct {
	server  *server
	path    string
	hello   string
	publish func() error
}

// openHub starts a hub in a process of its own. It publishes messages of size bytes. The caller kills it.
func openHub(name string, size int) (broadcaster, error) {
	input, err := os.CreateTemp("", "hub")
	if err != nil {
		return broadcaster{}, err
	}
	defer os.Remove(input.Name())
	if _, err := fmt.Fprintf(input, "%q", name); err != nil {
		return broadcaster{}, err
	}
	s, err := startServer("sh", "-c", `exec "$0" -child hub < "$1"`, os.Args[0], input.Name())
	if err != nil {
		return broadcaster{}, err
	}
	message := strings.Repeat("x", size)
	return broadcaster{s, "/ws", hubs[name].hello, func() error { return publishTo(s.url, message) }}, nil
}

// openBoard starts the board with one delayed run. Publishing cancels and retries the run in turn, and all
// sockets subscribe to the list. The caller kills it.
func (b *bench) openBoard() (broadcaster, error) {
	board, err := b.startBoard("", "--delay-min=1h", "--delay-max=1h")
	if err != nil {
		return broadcaster{}, err
	}
	commands := []string{"cancel", "retry"}
	publish := func() error {
		_, err := board.requestJSON("POST", "/process_runs/1/"+commands[0], url.Values{})
		commands[0], commands[1] = commands[1], commands[0]
		return err
	}
	return broadcaster{board, "/process_runs/live", "", publish}, board.createRuns(1)
}

// kill kills the server and waits for its exit.
func (o broadcaster) kill() {
	_ = o.server.cmd.Process.Kill()
	_ = o.server.cmd.Wait()
}

// publishCost returns the CPU seconds that the server takes to publish one message to a single socket.
func (o broadcaster) publishCost() (float64, error) {
	c, err := openCrowd(o.server.url, o.path, 1, o.hello, func(int, []byte) {})
	if err != nil {
		return 0, err
	}
	defer c.leave()
	time.Sleep(fanOutPace)
	cpu := cpuOf(o.server.pid())
	for range fanOutAlone {
		if err := o.publish(); err != nil {
			return 0, err
		}
		time.Sleep(fanOutPace)
	}
	return (cpuOf(o.server.pid()) - cpu) / fanOutAlone, nil
}

// heard is what a crowd has received. Each socket appends only to its own delays.
type heard struct {
	began, frames, size atomic.Int64
	delays              [][]float64 // by socket, in ms from the call that publishes
}

// record stores a frame that a socket has received, if a message has been published and it is not a ping.
func (h *heard) record(socket int, frame []byte) {
	if start := h.began.Load(); start > 0 && len(frame) >= smallest {
		h.delays[socket] = append(h.delays[socket], float64(time.Now().UnixNano()-start)/1e6)
		h.frames.Add(1)
		h.size.Store(int64(len(frame)))
	}
}

// await waits up to five seconds until this many frames have arrived.
func (h *heard) await(frames int) {
	deadline := time.Now().Add(5 * time.Second)
	for h.frames.Load() < int64(frames) && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
}

// longest returns for each message the time until the last socket had it, in ms.
func (h *heard) longest() []float64 {
	longest := make([]float64, fanOutFrames)
	for _, some := range h.delays {
		for i, one := range some {
			longest[i] = max(longest[i], one)
		}
	}
	return longest
}

// measure publishes messages to a crowd of this size at a fixed pace, and then kills the server. It fails
// unless each socket receives each message.
func (o broadcaster) measure(sockets int) (sample, error) {
	defer o.kill()
	alone, err := o.publishCost()
	if err != nil {
		return nil, err
	}
	h := &heard{delays: make([][]float64, sockets)}
	c, err := openCrowd(o.server.url, o.path, sockets, o.hello, h.record)
	if err != nil {
		return nil, err
	}
	defer c.leave()
	time.Sleep(time.Second) // until the initial frames have arrived
	cpu := cpuOf(o.server.pid())
	for i := range fanOutFrames {
		h.began.Store(time.Now().UnixNano())
		if err := o.publish(); err != nil {
			return nil, err
		}
		time.Sleep(fanOutPace)
		h.await((i + 1) * sockets)
	}
	used := cpuOf(o.server.pid()) - cpu
	if n := h.frames.Load(); n != int64(fanOutFrames*sockets) {
		return nil, fmt.Errorf("%d of %d frames came", n, fanOutFrames*sockets)
	}
	all := slices.Concat(h.delays...)
	return sample{
		"cpu": (used/fanOutFrames - alone) / float64(sockets) * 1e6,
		"all": used / fanOutFrames / float64(sockets) * 1e6,
		"p50": percentile(all, 50), "p99": percentile(all, 99), "size": float64(h.size.Load()),
		"most": float64(sockets) / percentile(h.longest(), 50) * 1000,
	}, nil
}

// fanOut compares the cost of a delivery on Runboard and on the hubs. All hubs send frames as large as
// Runboard's.
func (b *bench) fanOut() (string, error) {
	names := append([]string{"Runboard"}, hubNames...)
	rows := [][]string{{"", "sockets", "server CPU a delivery, µs", "spread", "ratio to the limit",
		"with the publishing, µs", "p50, ms", "p99, ms", "deliveries/s at most"}}
	bytes := 0
	for _, sockets := range fanOutSizes {
		all := map[string]samples{}
		for range b.rounds {
			for _, name := range names {
				measured, err := b.fanOutRound(name, sockets, bytes)
				if err != nil {
					return "", fmt.Errorf("%s: %w", name, err)
				}
				if name == "Runboard" {
					bytes = int(measured["size"])
				}
				all[name] = append(all[name], measured)
			}
		}
		limit := all[hubNames[0]].median("cpu")
		for _, name := range names {
			one := all[name]
			rows = append(rows,
				[]string{name, group(float64(sockets), 0), group(one.median("cpu"), 1), one.spread("cpu", 1),
					group(one.median("cpu")/limit, 2), group(one.median("all"), 1),
					group(one.median("p50"), 1), group(one.median("p99"), 1), group(one.median("most"), 0)})
		}
	}
	return fmt.Sprintf("One frame of %d bytes every %v to all sockets, from the call that publishes it to "+
		"the read. Runboard's call is a cancel or a retry, "+
		"including the commit and the rendering. The CPU time of publishing to a single socket is "+
		"subtracted and shown separately. At most: the sockets divided by the time until the last of them "+
		"has read the frame. Goal: 1.2 times the limit.\n\n%s%s", bytes, fanOutPace, table(rows),
		versions()), nil
}

// fanOutRound measures one server with this many sockets. size is the size of the hubs' messages in bytes;
// the board ignores it.
func (b *bench) fanOutRound(name string, sockets, size int) (sample, error) {
	open := func() (broadcaster, error) { return openHub(name, size) }
	if name == "Runboard" {
		open = b.openBoard
	}
	o, err := open()
	if err != nil {
		return nil, err
	}
	measured, err := o.measure(sockets)
	fmt.Fprintf(os.Stderr, "%d, %s: %v\n", sockets, name, measured)
	return measured, err
}
