package jobs

import (
	"context"
	"time"

	"runboard/jobs/command"
)

// leaseRenewal is the interval at which the server renews the lease of a command with its supervisor.
const leaseRenewal = 2 * time.Second

type leaseKey struct{}

// WithLease returns a context for work that other nodes may start again when the lease of this node ends.
// left returns how long the lease still lasts. Soon after its end, the supervisor kills a command by itself,
// because the server may be stopped at that time.
func WithLease(ctx context.Context, left func() time.Duration) context.Context {
	return context.WithValue(ctx, leaseKey{}, left)
}

// leaseOf returns how long a command may run without a renewal, or 0 if there is no limit.
func leaseOf(ctx context.Context) time.Duration {
	left, leased := ctx.Value(leaseKey{}).(func() time.Duration)
	if !leased {
		return 0
	}
	return max(0, left()) + shutdownGrace
}

// renewLease renews the lease of a command until ctx or the lease of this node ends.
func renewLease(ctx context.Context, process *command.Process) {
	for leaseOf(ctx) > shutdownGrace && Sleep(ctx, leaseRenewal) == nil {
		process.Renew(leaseOf(ctx))
	}
}
