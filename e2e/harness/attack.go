package harness

// IsOver reports whether stop is closed.
func IsOver(stop <-chan struct{}) bool {
	select {
	case <-stop:
		return true
	default:
		return false
	}
}
