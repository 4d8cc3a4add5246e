//go:build !linux

package postgres

import "syscall"

// setUserTimeout does nothing: the system has no such option.
func setUserTimeout(string, string, syscall.RawConn) error { return nil }
