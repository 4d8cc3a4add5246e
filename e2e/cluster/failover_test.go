package cluster

import (
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"runboard/db/pgtest"
	"runboard/e2e/harness"
)

// behind returns the URL of a database behind a forwarder.
func behind(t *testing.T, address string, f *harness.Forwarder) string {
	t.Helper()
	parsed, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	parsed.Host, parsed.RawQuery = f.Addr, ""
	return parsed.String()
}

// postTo makes each client create runs on its node until stop is called.
func postTo(nodes []*harness.Process, clients []*harness.CrashClient) (stop func()) {
	over, posting := make(chan struct{}), sync.WaitGroup{}
	for i, c := range clients {
		posting.Go(func() {
			for ; !harness.IsOver(over); time.Sleep(20 * time.Millisecond) {
				_ = c.Post(nodes[i]) // the client repeats unanswered requests
			}
		})
	}
	return func() {
		close(over)
		posting.Wait()
	}
}

// The primary server dies under load. Its standby takes over its address, and only then becomes the primary,
// so the nodes meet a server that takes no writes.
func TestNodes_FollowAFailover(t *testing.T) {
	t.Parallel()
	primary := pgtest.Start(t)
	address := primary.URL()
	standby := primary.StartStandby()
	forwarder := harness.Forward(t, primary.Socket())
	server := behind(t, address, forwarder)
	var nodes []*harness.Process
	for range 2 {
		node := harness.StartNode(t, server, "--delay-min", "0s", "--delay-max", "50ms",
			"--failure-rate", "0", "--max-crashes", "10")
		node.AllowErrors = true
		nodes = append(nodes, node)
	}
	clients := []*harness.CrashClient{{Number: 0}, {Number: 1}}
	stop := postTo(nodes, clients)
	nodes[0].UntilStarted(1)
	primary.Stop()
	forwarder.Switch(standby.Socket())
	for _, node := range nodes {
		harness.Eventually(t, "a node says that it cannot serve",
			node.AnswersUp(http.StatusServiceUnavailable))
	}
	standby.Promote()
	for _, node := range nodes {
		harness.Eventually(t, "a node has come back by itself", node.AnswersUp(http.StatusOK))
	}
	for _, node := range nodes {
		node.UntilStarted(1)
	}
	stop()
	var wanted int64
	for i, c := range clients {
		c.Repeat(nodes[i])
		c.CheckAcknowledged(nodes[1-i])
		wanted += int64(c.Counted)
	}
	nodes[0].WaitUntilDone(wanted)
	checkHistory(t, server)
}
