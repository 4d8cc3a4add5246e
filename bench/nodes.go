package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// Settings of the benchmark of several nodes.
const (
	nodesRuns   = 6000
	nodesEach   = 100 // runs created by a request
	nodesIdle   = 5   // seconds for which idle nodes are measured
	nodesPlaces = 30  // workers of all nodes together
)

// fleet is a number of nodes on one database.
type fleet struct {
	name  string
	nodes int // on PostgreSQL; 0 is one process on SQLite
}

var fleets = []fleet{{"one process, SQLite", 0}, {"one node, PostgreSQL", 1}, {"two nodes, PostgreSQL", 2},
	{"three nodes, PostgreSQL", 3}}

// severalNodes compares one process on SQLite with one to three nodes on PostgreSQL.
func (b *bench) severalNodes() (string, error) {
	at, err := b.servers.start()
	if err != nil {
		return "", err
	}
	all := make([]samples, len(fleets))
	for round := range b.rounds {
		for i, f := range fleets {
			one, err := b.fleetRound(f, at, round)
			if err != nil {
				return "", fmt.Errorf("%s: %w", f.name, err)
			}
			all[i] = append(all[i], one)
		}
	}
	rows := [][]string{{"", "runs/s", "spread", "beside SQLite", "CPU of the nodes, µs a run",
		"CPU of PostgreSQL, µs a run", "WAL, bytes a run", "idle, CPU in all"}}
	for i, f := range fleets {
		s := all[i]
		rows = append(rows, []string{
			f.name, group(s.median("rate"), 0), s.spread("rate", 0),
			fmt.Sprintf("%.2f", s.median("rate")/all[0].median("rate")),
			group(s.median("cpu"), 0), group(s.median("server"), 0), group(s.median("wal"), 0),
			fmt.Sprintf("%.1f %%", 100*s.median("idle")),
		})
	}
	return fmt.Sprintf("%s runs that do nothing, started by %d clients in requests for %d each, with %d workers in all, until every one is done. "+
		"All acknowledged writes are on disk (`synchronous=full`). The server is on the same two cores as the nodes, with 256 MB of buffers and the settings that it comes with.\n\n%s",
		group(nodesRuns, 0), wholeClients, nodesEach, nodesPlaces, table(rows)), nil
}

// fleetRound starts a fleet, measures it while it does all runs, and then while it is idle.
func (b *bench) fleetRound(f fleet, at addresses, round int) (sample, error) {
	nodes, err := b.startFleet(f, at, round)
	defer func() {
		for _, node := range nodes {
			node.stop()
		}
	}()
	if err != nil {
		return nil, err
	}
	used := func() (all, server float64) {
		for _, node := range nodes {
			all += cpuOf(node.pid())
		}
		if f.nodes > 0 {
			server = cpuOf(at.postgresPID())
		}
		return all, server
	}
	wal, err := written(at.Postgres)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	cpu, server := used()
	if err := beginOn(nodes); err != nil {
		return nil, err
	}
	if err := nodes[0].waitUntilDone(nodesRuns); err != nil {
		return nil, err
	}
	took := time.Since(began).Seconds()
	cpuAfter, serverAfter := used()
	walAfter, err := written(at.Postgres)
	if err != nil {
		return nil, err
	}
	time.Sleep(nodesIdle * time.Second)
	cpuIdle, serverIdle := used()
	return sample{
		"rate": nodesRuns / took, "cpu": (cpuAfter - cpu) / nodesRuns * 1e6,
		"server": (serverAfter - server) / nodesRuns * 1e6,
		"wal":    (walAfter - wal) / nodesRuns,
		"idle":   (cpuIdle - cpuAfter + serverIdle - serverAfter) / nodesIdle,
	}, nil
}

// startFleet starts the nodes of a fleet, on a new database for each round. The caller stops the nodes, also
// after an error.
func (b *bench) startFleet(f fleet, at addresses, round int) (nodes []*server, err error) {
	args := []string{fmt.Sprintf("--workers=%d", nodesPlaces/max(1, f.nodes))}
	if f.nodes > 0 {
		name := fmt.Sprintf("nodes_%d_%d", f.nodes, round)
		if err := onServer(at.Postgres, "CREATE DATABASE "+name); err != nil {
			return nil, err
		}
		database, err := withDatabase(at.Postgres, name)
		if err != nil {
			return nil, err
		}
		args = append(args, "--database-url="+database)
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

// written returns how many bytes of WAL a PostgreSQL server has written since it was initialized.
func written(address string) (bytes float64, err error) {
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
