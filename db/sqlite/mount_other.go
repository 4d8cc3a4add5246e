//go:build !linux

package sqlite

// isMount returns false: only Linux reports mount points.
func isMount(string) bool { return false }
