package river

import "time"

// PauseAfter sets how long a bulk run works before its job is snoozed.
func (e *Engine) PauseAfter(d time.Duration) { e.overrides.snoozeAfter = d }

// ForgottenAfter sets how long a job must not have been in hand before it is released.
func (e *Engine) ForgottenAfter(d time.Duration) { e.overrides.forgottenAfter = d }
