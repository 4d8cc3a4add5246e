package riverqueue

import "time"

// PauseAfter has actions go on for so long at once.
func (e *Engine) PauseAfter(d time.Duration) { e.pauseAfter = d }
