package postgres

import (
	"context"
	"net"
	"time"
)

// tcpUserTimeout is how long a server may fail to acknowledge data before the connection is closed. TCP alone
// would wait for a quarter of an hour, or for ever.
const tcpUserTimeout = 30 * time.Second

// dial connects to the server with keep-alive probes and tcpUserTimeout.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{
		Control: setUserTimeout,
		KeepAliveConfig: net.KeepAliveConfig{
			Enable: true, Idle: tcpUserTimeout / 3, Interval: tcpUserTimeout / 6, Count: 4,
		},
	}
	return dialer.DialContext(ctx, network, address)
}
