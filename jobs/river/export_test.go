package river

import "time"

// SetSnoozeAfter sets how long a bulk run works before its job is snoozed.
func (e *Engine) SetSnoozeAfter(d time.Duration) { e.overrides.snoozeAfter = d }

// SetForgottenAfter sets how long a job must not have been held before it is released.
func (e *Engine) SetForgottenAfter(d time.Duration) { e.overrides.forgottenAfter = d }
