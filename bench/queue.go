package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"
)

// Settings of the queue and pick-up benchmarks.
const (
	queueWorkers  = 100
	queueCall     = 1000 // runs added by one call
	pickupWorkers = 10
	pickupRuns    = 100
	pickupGap     = 10 * time.Millisecond // the longest random pause between two runs
	queuePatience = 2 * time.Minute
)

// queue is a queue of runs that do nothing, on Runboard or on a peer.
type queue interface {
	// start starts this many workers, which call work for each run.
	start(workers int, work func()) error
	// add adds this many runs. It returns when they are as durable as the queue promises.
	add(runs int) error
	// done returns how many runs have ended, with the result saved.
	done() (int, error)
	// stop stops the workers and releases all resources.
	stop()
}

// contender is a queue and the settings of its measurement.
type contender struct {
	Name string
	// Kept says which acknowledged runs survive a power cut.
	Kept string
	// Runs is the number of runs of a measurement. Slow contenders get fewer: each takes some seconds.
	Runs int
	open func(dir string, at addresses) (queue, error)
	// pid returns the process of its database server, or 0 if it has none.
	pid func(at addresses) int
}

// none is the pid of a contender without a server.
func none(addresses) int { return 0 }

// contenders are all queues in the order of the tables. The first two are Runboard, the next two the limit;
// the others are peers.
var contenders = []contender{
	{"Runboard", "everything", 60_000, openRunboard("full"), none},
	{"Runboard, synchronous=normal", "not the last moments", 60_000, openRunboard("normal"), none},
	{"limit: raw group commit of three writes", "everything", 200_000, openRaw("FULL", false), none},
	{"the same, each write awaited", "everything", 60_000, openRaw("FULL", true), none},
	{"River on PostgreSQL, tuned", "everything", 20_000, openRiverPG(time.Millisecond),
		addresses.postgresPID},
	{"River on PostgreSQL", "everything", 5_000, openRiverPG(0), addresses.postgresPID},
	{"River on SQLite, tuned", "not the last moments", 15_000, openRiverSQLite(time.Millisecond), none},
	{"River on SQLite", "not the last moments", 5_000, openRiverSQLite(0), none},
	{"asynq on Redis, fsync always", "everything", 6_000, openAsynq("always"), addresses.redisPID},
	{"asynq on Redis", "not the last second", 15_000, openAsynq("everysec"), addresses.redisPID},
	{"goqite", "not the last moments", 10_000, openGoqite, none},
	{"backlite", "not the last moments", 5_000, openBacklite, none},
}

// childSettings is the input of a child that measures a queue.
type childSettings struct {
	Contender string
	Dir       string
	At        addresses
}

// openContender reads the settings of the child and opens the contender that they name.
func openContender(input *json.Decoder) (c contender, q queue, at addresses, err error) {
	var settings childSettings
	if err := input.Decode(&settings); err != nil {
		return c, nil, at, err
	}
	for _, c := range contenders {
		if c.Name == settings.Contender {
			q, err = c.open(settings.Dir, settings.At)
			return c, q, settings.At, err
		}
	}
	return c, nil, at, fmt.Errorf("there is no %s", settings.Contender)
}

// queueChild measures the throughput of a contender, from the first call of add until all runs are done and
// saved.
func queueChild(input *json.Decoder) (sample, error) {
	c, q, at, err := openContender(input)
	if err != nil {
		return nil, err
	}
	defer q.stop()
	if err := q.start(queueWorkers, func() {}); err != nil {
		return nil, err
	}
	time.Sleep(200 * time.Millisecond) // until the queue is idle
	began, own, server := time.Now(), ownCPU(), cpuOf(c.pid(at))
	for left := c.Runs; left > 0; left -= queueCall {
		if err := q.add(min(left, queueCall)); err != nil {
			return nil, err
		}
	}
	for {
		done, err := q.done()
		if err != nil {
			return nil, err
		}
		if done >= c.Runs {
			break
		}
		if time.Since(began) > queuePatience {
			return nil, fmt.Errorf("%s: %d of %d runs are done", c.Name, done, c.Runs)
		}
		time.Sleep(5 * time.Millisecond)
	}
	took := time.Since(began).Seconds()
	cpu := ownCPU() - own + cpuOf(c.pid(at)) - server
	return sample{"rate": float64(c.Runs) / took, "cpu": cpu / float64(c.Runs) * 1e6}, nil
}

// pickupChild measures the latency of a contender, from the call of add to the first line of the work, one
// run after the other. Times are in ms.
func pickupChild(input *json.Decoder) (sample, error) {
	_, q, _, err := openContender(input)
	if err != nil {
		return nil, err
	}
	defer q.stop()
	picked := make(chan time.Time, 1)
	if err := q.start(pickupWorkers, func() { picked <- time.Now() }); err != nil {
		return nil, err
	}
	var took []float64
	for range pickupRuns {
		time.Sleep(2*time.Millisecond + rand.N(pickupGap))
		began := time.Now()
		if err := q.add(1); err != nil {
			return nil, err
		}
		select {
		case at := <-picked:
			took = append(took, at.Sub(began).Seconds()*1000)
		case <-time.After(queuePatience):
			return nil, errors.New("a run is not picked up")
		}
	}
	return sample{"p50": percentile(took, 50), "p99": percentile(took, 99)}, nil
}

// measureInTurn measures all contenders in turn, round after round, so that a change of the machine's load
// affects all of them. It returns samples by the name of the contender.
func (b *bench) measureInTurn(job string) (map[string]samples, error) {
	at, err := b.servers.start()
	if err != nil {
		return nil, err
	}
	all := map[string]samples{}
	for range b.rounds {
		for _, c := range contenders {
			measured, err := b.childRound(job, c, at)
			if err != nil {
				return nil, err
			}
			fmt.Fprintf(os.Stderr, "%s: %v\n", c.Name, measured)
			all[c.Name] = append(all[c.Name], measured)
		}
	}
	return all, nil
}

// childRound measures one contender in a process and a directory of its own.
func (b *bench) childRound(job string, c contender, at addresses) (sample, error) {
	dir, err := os.MkdirTemp(b.dir, job)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	return inChild(job, childSettings{c.Name, dir, at})
}

// queues compares the throughput of all contenders.
func (b *bench) queues() (string, error) {
	all, err := b.measureInTurn("queue")
	if err != nil {
		return "", err
	}
	ours, best := all[contenders[0].Name].median("rate"), 0.0
	for _, c := range contenders[4:] {
		best = max(best, all[c.Name].median("rate"))
	}
	rows := [][]string{{"", "survives a power cut", "runs/s", "spread", "ratio to Runboard", "CPU a run, µs"}}
	for _, c := range contenders {
		one := all[c.Name]
		rows = append(rows, []string{c.Name, c.Kept, group(one.median("rate"), 0), one.spread("rate", 0),
			group(one.median("rate")/ours, 2), group(one.median("cpu"), 0)})
	}
	limit := all[contenders[2].Name].median("rate")
	if err := updateSummary("Runs that do nothing, each step committed",
		fmt.Sprintf("%s a second, %.1f times the fastest of its peers", group(ours, 0),
			ours/best)); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d workers, runs that do nothing, added in calls of %d, from the first call until "+
		"all are done and saved. "+
		"The CPU time includes that of the servers.\n\n%s\n"+
		"Of the limit: %.2f (goal: 0.6). Of the best peer: %.1f times (goal: 4).\n%s",
		queueWorkers, queueCall, table(rows), ours/limit, ours/best, versions()), nil
}

// pickups compares the latency of all contenders.
func (b *bench) pickups() (string, error) {
	all, err := b.measureInTurn("pickup")
	if err != nil {
		return "", err
	}
	rows := [][]string{{"", "survives a power cut", "p50, ms", "p99, ms", "spread of p50"}}
	for _, c := range contenders {
		one := all[c.Name]
		rows = append(rows,
			[]string{c.Name, c.Kept, group(one.median("p50"), 2), group(one.median("p99"), 2),
				one.spread("p50", 2)})
	}
	ours := all[contenders[0].Name]
	err = updateSummary("From the call to the first line of your work, committed before",
		fmt.Sprintf("%.1f ms, for 99 of 100 at most %.1f ms", ours.median("p50"), ours.median("p99")))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d workers, one run at a time on an idle queue, %d of them a round, from the call "+
		"to the first line of the work "+
		"(goal: p50 1 ms, p99 3 ms).\n\n%s%s", pickupWorkers, pickupRuns, table(rows), versions()), nil
}
