//go:build !linux

package command

import (
	"errors"
	"os"
	"sync/atomic"
	"syscall"
)

// errLinux is the error on other systems, where the package could not guarantee to leave no process behind.
var errLinux = errors.New("commands run on Linux only")

var guarded atomic.Bool

const instanceName = "RUNBOARD_INSTANCE"

// Guard does nothing, because commands run on Linux only.
func Guard() error { return nil }

// Sweep does nothing, because commands run on Linux only.
func Sweep(func(string, ...any), ...uint32) {}

// LockDir fails, because commands run on Linux only.
func LockDir(string) (*os.File, error) { return nil, errLinux }

func openModes(string) {}

// GrowPipe does nothing, because commands run on Linux only.
func GrowPipe(*os.File, int) {}

func protect() error      { return errLinux }
func adoptOrphans() error { return errLinux }
func instance() string    { return "" }
func isOurs(int) bool     { return false }

func attributes(*User, *os.File) (*syscall.SysProcAttr, error) { return nil, errLinux }
func socketPair() (_, _ *os.File, err error)                   { return nil, nil, errLinux }

func newCgroup() string          { return "" }
func openCgroup(string) *os.File { return nil }
func killCgroup(string)          {}
func removeCgroup(string)        {}
