//go:build !linux

package sqlite

// isMount reports whether path is mounted by itself, which only Linux tells.
func isMount(string) bool { return false }
