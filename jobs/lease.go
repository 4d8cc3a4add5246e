package jobs

import (
	"context"
	"time"

	"runboard/jobs/command"
)

// leaseRenewal is how often the supervisor of a command is told how long the command may still run.
const leaseRenewal = 2 * time.Second

type leaseKey struct{}

// WithLease returns a context for work that other nodes may start again: left tells how long this node may
// still do it. A command is killed by its own supervisor soon after that, because its server may be stopped
// by then.
func WithLease(ctx context.Context, left func() time.Duration) context.Context {
	return context.WithValue(ctx, leaseKey{}, left)
}

// leaseOf returns how long a command may run if its server says no more, or 0 if that has no end.
func leaseOf(ctx context.Context) time.Duration {
	left, leased := ctx.Value(leaseKey{}).(func() time.Duration)
	if !leased {
		return 0
	}
	return max(0, left()) + shutdownGrace
}

// renewLease tells a supervisor how long its command may still run, until ctx or the lease ends.
func renewLease(ctx context.Context, process *command.Process) {
	for leaseOf(ctx) > shutdownGrace && sleep(ctx, leaseRenewal) == nil {
		process.Renew(leaseOf(ctx))
	}
}
