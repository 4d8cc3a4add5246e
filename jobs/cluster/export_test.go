package cluster

import "time"

// SetSnoozeAfter sets how long a bulk run works before it is snoozed.
func (e *Engine) SetSnoozeAfter(d time.Duration) { e.overrides.snoozeAfter = d }

// SetUnknownAfter sets how long a started run must not have been held before it is rescued.
func (e *Engine) SetUnknownAfter(d time.Duration) { e.overrides.unknownAfter = d }
