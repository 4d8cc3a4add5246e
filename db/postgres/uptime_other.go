//go:build !linux

package postgres

import "time"

// uptime returns how long the process has been running.
func uptime() time.Duration { return time.Since(processStart) }
