package postgres

import (
	"time"

	"golang.org/x/sys/unix"
)

// uptime returns how long the machine has been up, including the time in which it was suspended, which Go's monotonic
// clock leaves out. The clock of the day may be set; this one cannot.
func uptime() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return time.Since(processStart)
	}
	return time.Duration(now.Nano())
}
