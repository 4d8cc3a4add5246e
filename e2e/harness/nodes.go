package harness

import "testing"

// NewNode returns a process, not yet started, that keeps its runs on a PostgreSQL server, which other nodes
// may share.
func NewNode(t testing.TB, server string, args ...string) *Process {
	t.Helper()
	node := NewProcess(t, append([]string{"--post-rate", "0", "--upgrade-rate", "0"}, args...)...)
	node.Database = server
	return node
}

// StartNode starts a node on a free port, and returns when it serves.
func StartNode(t testing.TB, server string, args ...string) *Process {
	t.Helper()
	node := NewNode(t, server, args...)
	node.Start("127.0.0.1:0")
	return node
}
