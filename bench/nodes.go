package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// Settings of the benchmark of several nodes.
const (
	nodesRuns = 6000
	nodesEach = 100              // runs created by a request
	nodesRest = 10 * time.Second // until statistics are saved, and nodes and server have come to rest
	nodesIdle = 10               // seconds for which idle nodes are measured
)

// fleet is a number of nodes on one database, or River alone.
type fleet struct {
	name    string
	nodes   int // on PostgreSQL; 0 is one process on SQLite
	workers int // of all nodes together
	watched bool
	alone   bool // River without Runboard
}

var fleets = []fleet{
	{name: "one process, SQLite", workers: 100},
	{name: "River alone, tuned", workers: 100, alone: true},
	{name: "one node", nodes: 1, workers: 100},
	{name: "one node, a page is open", nodes: 1, workers: 100, watched: true},
	{name: "two nodes", nodes: 2, workers: 100},
	{name: "three nodes", nodes: 3, workers: 99},
	{name: "River alone, tuned", workers: 10, alone: true},
	{name: "one node", nodes: 1, workers: 10},
}

// severalNodes compares one to three nodes on PostgreSQL with one process on SQLite, and with River alone on
// the same server.
func (b *bench) severalNodes() (string, error) {
	at, err := b.servers.start()
	if err != nil {
		return "", err
	}
	all := make([]samples, len(fleets))
	pickups := make([]samples, len(nodePickups))
	for round := range b.rounds {
		for i, f := range fleets {
			one, err := b.fleetRound(f, at, fmt.Sprintf("nodes_%d_%d", i, round))
			if err != nil {
				return "", fmt.Errorf("%s: %w", f.name, err)
			}
			fmt.Fprintf(os.Stderr, "%s, %d workers: %v\n", f.name, f.workers, one)
			all[i] = append(all[i], one)
		}
		for i, p := range nodePickups {
			one, err := b.nodePickupRound(p, at, fmt.Sprintf("pickup_%d_%d", i, round))
			if err != nil {
				return "", fmt.Errorf("pick-up, %s: %w", p.name, err)
			}
			fmt.Fprintf(os.Stderr, "pick-up, %s: %v\n", p.name, one)
			pickups[i] = append(pickups[i], one)
		}
	}
	return nodesText(all, pickups), nil
}

// nodesText formats the results.
func nodesText(all, pickups []samples) string {
	rows := [][]string{{"", "workers", "runs/s", "spread", "beside River", "CPU of the nodes, µs a run",
		"CPU of PostgreSQL, µs a run", "WAL, bytes a run", "idle, CPU in all"}}
	for i, f := range fleets {
		s := all[i]
		rows = append(rows, []string{
			f.name, group(float64(f.workers), 0), group(s.median("rate"), 0), s.spread("rate", 0),
			fmt.Sprintf("%.2f", s.median("rate")/besideRiver(all, f.workers)),
			group(s.median("cpu"), 0), group(s.median("server"), 0), group(s.median("wal"), 0),
			fmt.Sprintf("%.1f %%", 100*s.median("idle")),
		})
	}
	waits := [][]string{{"", "p50, ms", "p99, ms", "spread of p50"}}
	for i, p := range nodePickups {
		s := pickups[i]
		waits = append(waits, []string{p.name, group(s.median("p50"), 1), group(s.median("p99"), 1),
			s.spread("p50", 1)})
	}
	return fmt.Sprintf("%s runs that do nothing, started by %d clients in requests for %d each, until "+
		"every one is done. "+
		"All acknowledged writes are on disk (`synchronous=full`). The server is on the same two cores as "+
		"the nodes, with 256 MB of buffers and the settings that it comes with. "+
		"River alone inserts its jobs from %d goroutines in its process, and keeps nothing but the jobs "+
		"(goals for one node: half of it with 100 workers, 0.3 with 10).\n\n%s\n"+
		"Pick-up of one run at a time by idle nodes with %d workers each, from the commit of its creation "+
		"to the first line of the work (goal: p50 5 ms, p99 20 ms):\n\n%s",
		group(nodesRuns, 0), wholeClients, nodesEach, wholeClients, table(rows), pickupWorkers, table(waits))
}

// besideRiver returns the rate of River alone with about this many workers.
func besideRiver(all []samples, workers int) float64 {
	for i, f := range fleets {
		if f.alone && f.workers > workers/2 && f.workers < 2*workers {
			return all[i].median("rate")
		}
	}
	return 0
}

// usage is what a fleet has used so far.
type usage struct{ nodes, server, wal float64 } // CPU seconds, and bytes

// fleetRound starts a fleet on a new database, measures it while it does all runs, and then while it is idle.
func (b *bench) fleetRound(f fleet, at addresses, database string) (sample, error) {
	url := ""
	if f.nodes > 0 || f.alone {
		var err error
		if url, err = newDatabase(at, database); err != nil {
			return nil, err
		}
	}
	if f.alone {
		return inChild("river", riverSettings{URL: url, Workers: f.workers, Server: at.postgresPID()})
	}
	nodes, err := b.startFleet(f, url)
	defer func() {
		for _, node := range nodes {
			node.stop()
		}
	}()
	if err != nil {
		return nil, err
	}
	if f.watched {
		watcher, err := openCrowd(nodes[0].url, "/process_runs/live", 1, "", func(int, []byte) {})
		defer watcher.leave()
		if err != nil {
			return nil, err
		}
	}
	server := at.postgresPID()
	if url == "" {
		server = 0
	}
	used := func() (u usage, err error) {
		for _, node := range nodes {
			u.nodes += cpuOf(node.pid())
		}
		u.server = cpuOf(server)
		u.wal, err = written(url)
		return u, err
	}
	work := func() error {
		if err := beginOn(nodes); err != nil {
			return err
		}
		if url == "" {
			return nodes[0].waitUntilDone(nodesRuns)
		}
		return waitForCount(url, "SELECT n FROM status_counts WHERE status = 2")
	}
	return measureFleet(used, work)
}

// measureFleet measures work, and the idle time after it.
func measureFleet(used func() (usage, error), work func() error) (sample, error) {
	before, err := used()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := work(); err != nil {
		return nil, err
	}
	took := time.Since(began).Seconds()
	after, err := used()
	if err != nil {
		return nil, err
	}
	time.Sleep(nodesRest)
	settled, err := used()
	if err != nil {
		return nil, err
	}
	time.Sleep(nodesIdle * time.Second)
	idle, err := used()
	return sample{
		"rate": nodesRuns / took, "cpu": (after.nodes - before.nodes) / nodesRuns * 1e6,
		"server": (after.server - before.server) / nodesRuns * 1e6,
		"wal":    (after.wal - before.wal) / nodesRuns,
		"idle":   (idle.nodes - settled.nodes + idle.server - settled.server) / nodesIdle,
	}, err
}

// startFleet starts the nodes of a fleet. An empty URL is a new SQLite file. The caller stops the nodes, also
// after an error.
func (b *bench) startFleet(f fleet, url string) (nodes []*server, err error) {
	args := []string{fmt.Sprintf("--workers=%d", f.workers/max(1, f.nodes))}
	if url != "" {
		args = append(args, "--database-url="+url)
	}
	for range max(1, f.nodes) {
		node, err := b.startBoard("", args...)
		if err != nil {
			return nodes, err
		}
		nodes = append(nodes, node)
	}
	return nodes, nil
}

// beginOn creates the runs, with requests to the nodes in turn.
func beginOn(nodes []*server) error {
	var clients sync.WaitGroup
	failed := make([]error, wholeClients)
	for i := range wholeClients {
		clients.Go(func() {
			for n := i; n < nodesRuns/nodesEach && failed[i] == nil; n += wholeClients {
				failed[i] = nodes[n%len(nodes)].createRuns(nodesEach)
			}
		})
	}
	clients.Wait()
	return errors.Join(failed...)
}

// onServer executes a statement on a PostgreSQL server.
func onServer(address, text string) error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, text)
	return errors.Join(err, conn.Close(ctx))
}

// newDatabase creates a database on the server and returns its URL.
func newDatabase(at addresses, name string) (string, error) {
	if err := onServer(at.Postgres, "CREATE DATABASE "+name); err != nil {
		return "", err
	}
	return withDatabase(at.Postgres, name)
}

// waitForCount waits up to five minutes until a query for the number of completed runs returns all of them.
func waitForCount(address, query string) error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	deadline := time.Now().Add(5 * time.Minute)
	for ; time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		var done int
		if err := conn.QueryRow(ctx, query).Scan(&done); err != nil {
			return err
		}
		if done >= nodesRuns {
			return nil
		}
	}
	return errors.New("the runs are not done")
}

// written returns how many bytes of WAL a PostgreSQL server has written since it was initialized, and 0
// without an address.
func written(address string) (bytes float64, err error) {
	if address == "" {
		return 0, nil
	}
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return 0, err
	}
	err = conn.QueryRow(ctx, "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn").Scan(&bytes)
	return bytes, errors.Join(err, conn.Close(ctx))
}

// withDatabase returns the URL of another database on the same server.
func withDatabase(address, name string) (string, error) {
	parsed, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	parsed.Path = "/" + name
	return parsed.String(), nil
}
