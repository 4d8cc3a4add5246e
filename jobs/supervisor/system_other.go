//go:build !linux

package supervisor

import (
	"errors"
	"syscall"
)

// adoptOrphans fails: only Linux can promise that nothing is left of a command.
func adoptOrphans() error { return errors.New("commands run on Linux only") }

func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func descendants(int) []int { return nil }
