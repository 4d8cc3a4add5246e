package postgres

import (
	"time"

	"golang.org/x/sys/unix"
)

// uptime returns the time since boot. It includes the time in which the machine was suspended, which Go's
// monotonic clock omits, and cannot be set.
func uptime() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return time.Since(processStart)
	}
	return time.Duration(now.Nano())
}
