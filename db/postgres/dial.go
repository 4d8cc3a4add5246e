package postgres

import (
	"context"
	"net"
	"time"
)

// silence is after how long a server is taken for gone that is not heard of. Not all that asks has a deadline of its own:
// River looks for jobs without one, and TCP alone would wait for a quarter of an hour, or for ever.
const silence = 30 * time.Second

// dial connects to a server.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{
		Control:         setUserTimeout,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: silence / 3, Interval: silence / 6, Count: 4},
	}
	return dialer.DialContext(ctx, network, address)
}
