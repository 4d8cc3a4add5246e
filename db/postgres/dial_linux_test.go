package postgres

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// It checks the socket options only: closing the connection in time is the kernel's part.
func TestDial_SetsUserTimeoutAndKeepAlive(t *testing.T) {
	t.Parallel()
	server, err := net.Listen("tcp", "127.0.0.1:0")
	ok(t, err)
	defer server.Close()
	conn, err := dial(ctx, "tcp", server.Addr().String())
	ok(t, err)
	defer conn.Close()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	ok(t, err)
	ok(t, raw.Control(func(fd uintptr) {
		for option, want := range map[int]int{unix.TCP_USER_TIMEOUT: int(tcpUserTimeout.Milliseconds()),
			unix.TCP_KEEPIDLE: 10, unix.TCP_KEEPINTVL: 5} {
			if got, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, option); err != nil || got != want {
				t.Errorf("option %d is %d and not %d: %v", option, got, want, err)
			}
		}
	}))
}
