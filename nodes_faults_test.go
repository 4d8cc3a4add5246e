package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"runboard/db/pgtest"
)

func TestABrowserOnOneNodeSeesWhatAnotherDoes(t *testing.T) {
	t.Parallel()
	server := pgtest.URL(t)
	here, there := startProgram(t, on(server)), startProgram(t, on(server))
	seen, socket := screen{}, watch(t, here, "/process_runs/live")
	seesAll := func(runs int) {
		t.Helper()
		newExpect(t, there).POST("/process_runs").WithFormField("count", "5").Expect()
		eventually(t, "all is shown", func() error {
			seen.apply(t, socket.Expect().TextMessage().Body().Raw())
			if n := seen.count("completed"); n < runs {
				return fmt.Errorf("%d are", n)
			}
			return nil
		})
	}
	seesAll(5)

	// Cut off from the bells of others, it hears again of what happens, and of what has happened meanwhile.
	database := inside(t, server)
	const listeners = "FROM pg_stat_activity WHERE datname = current_database() AND query ILIKE 'listen%'"
	if n := number(t, database, "SELECT count(pg_terminate_backend(pid)) "+listeners); n == 0 {
		t.Fatal("nobody listens")
	}
	seesAll(10)
}

// The server of the database goes away and comes back under load.
func TestNodesComeBackWithTheirServer(t *testing.T) {
	t.Parallel()
	cluster := pgtest.Start(t)
	server := cluster.URL()
	var nodes []*binary
	for range 2 {
		node := startNode(t, server, "--delay-min", "0s", "--delay-max", "50ms", "--failure-rate", "0", "--run-timeout", "5s", "--max-crashes", "10")
		node.complains = true
		nodes = append(nodes, node)
	}
	clients := []*crashClient{{number: 0}, {number: 1}}
	stop, posting := make(chan struct{}), sync.WaitGroup{}
	for i, c := range clients {
		posting.Go(func() {
			for ; !over(stop); time.Sleep(20 * time.Millisecond) {
				_ = c.post(nodes[i]) // whatever is not answered is asked for again
			}
		})
	}
	for range 2 {
		nodes[0].untilStarted(1)
		cluster.Stop()
		for _, node := range nodes {
			eventually(t, "a node says that it cannot serve", node.answersUp(http.StatusServiceUnavailable))
		}
		cluster.Restart()
		for _, node := range nodes {
			eventually(t, "a node has come back by itself", node.answersUp(http.StatusOK))
		}
	}
	close(stop)
	posting.Wait()
	var wanted int64
	for i, c := range clients {
		c.repeat(nodes[i])
		c.checkAcknowledged(nodes[1-i])
		wanted += int64(c.counted)
	}
	allDone(t, nodes[0], wanted)
}

// answersUp returns nil when the node says with this status whether it can serve.
func (b *binary) answersUp(status int) func() error {
	return func() error {
		request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, b.url+"/up", nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		if err := response.Body.Close(); err != nil || response.StatusCode != status {
			return fmt.Errorf("the answer is %s, %v", response.Status, err)
		}
		return nil
	}
}

// All nodes are started anew, one after the other, while others go on: nobody is told a lie, and nothing counts as a crash.
func TestNodesAreStartedAnewOneByOne(t *testing.T) {
	t.Parallel()
	server := pgtest.URL(t)
	args := []string{"--delay-min", "0s", "--delay-max", "100ms", "--failure-rate", "0", "--drain-timeout", "50ms"}
	nodes := []*binary{startNode(t, server, args...), startNode(t, server, args...), startNode(t, server, args...)}
	stop, posting, clients := make(chan struct{}), sync.WaitGroup{}, make([]*crashClient, 3)
	for i := range clients {
		clients[i] = &crashClient{number: i}
		addresses := []*binary{nodes[i].in(t), nodes[(i+1)%3].in(t)} // whose address stays
		posting.Go(func() {
			for n := 0; !over(stop); time.Sleep(10 * time.Millisecond) {
				if clients[i].post(addresses[n%2]) != nil {
					n++ // the other one, with the same request
				}
			}
		})
	}
	for _, node := range nodes {
		node.untilStarted(1)
		node.signal(syscall.SIGTERM)
		if status := node.wait(); status != 0 {
			t.Errorf("a node ended with %d", status)
		}
		node.restart()
	}
	close(stop)
	posting.Wait()
	var wanted int64
	for _, c := range clients {
		c.repeat(nodes[0])
		c.checkAcknowledged(nodes[0])
		wanted += int64(c.counted)
	}
	allDone(t, nodes[0], wanted)
	database := inside(t, server)
	if n := number(t, database, "SELECT count(*) FROM process_runs WHERE crashes > 0 OR status <> 2"); n != 0 {
		t.Errorf("%d of %d runs suffered", n, wanted)
	}
	if number(t, database, "SELECT count(*) FROM run_events WHERE note LIKE 'interrupted%'") == 0 {
		t.Error("nothing was interrupted, so this has tested little")
	}
}
