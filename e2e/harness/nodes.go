package harness

import (
	"testing"
)

// NewNode is a process of the program on a server that others may share.
func NewNode(t *testing.T, server string, args ...string) *Process {
	t.Helper()
	return NewProcess(t, append([]string{"--database-url", server, "--post-rate", "0", "--upgrade-rate", "0"}, args...)...)
}

func StartNode(t *testing.T, server string, args ...string) *Process {
	t.Helper()
	node := NewNode(t, server, args...)
	node.Start("127.0.0.1:0")
	return node
}
