package river

import "time"

// PauseAfter has actions go on for so long at once.
func (e *Engine) PauseAfter(d time.Duration) { e.snoozeAfter = d }

// ForgottenAfter has jobs released that have not been in hand for so long.
func (e *Engine) ForgottenAfter(d time.Duration) { e.forgottenAfter = d }
