package cluster

import "time"

// MaxFetch is the most jobs of one fetch.
const MaxFetch = maxFetch

// SetSnoozeAfter sets how long a bulk run works before it is snoozed.
func (e *Engine) SetSnoozeAfter(d time.Duration) { e.overrides.snoozeAfter = d }

// SetUnknownAfter sets how long a started run must not have been held before it is rescued.
func (e *Engine) SetUnknownAfter(d time.Duration) { e.overrides.unknownAfter = d }
