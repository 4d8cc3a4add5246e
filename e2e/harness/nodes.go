package harness

import (
	"testing"
)

// NewNode returns a process, not yet started, that keeps its runs on a PostgreSQL server, which other nodes
// may share.
func NewNode(t *testing.T, server string, args ...string) *Process {
	t.Helper()
	return NewProcess(t, append([]string{"--database-url", server, "--post-rate", "0", "--upgrade-rate", "0"}, args...)...)
}

// StartNode is NewNode with a start on a free port.
func StartNode(t *testing.T, server string, args ...string) *Process {
	t.Helper()
	node := NewNode(t, server, args...)
	node.Start("127.0.0.1:0")
	return node
}
