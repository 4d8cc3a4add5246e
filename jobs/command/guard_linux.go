package command

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// guarded says that this process adopts what dead supervisors leave.
var guarded atomic.Bool

// Guard prepares the process of a server for commands that mean it no good. Its environment disappears from
// /proc/PID/environ, which also a command of root can read; other commands of the same user cannot read its
// memory and descriptors, either; no descriptor that it has inherited reaches a command; and what a
// supervisor leaves that has been killed becomes its child, to be killed as well. So other code must not
// start processes in sessions of their own.
//
// It must be called before anything keeps a value of the environment. The server can go on when it fails.
func Guard() error {
	hidden := hideEnvironment() // before /proc/self/mem is closed to this process as well
	err := protect()
	adopted := adoptOrphans()
	guarded.Store(adopted == nil)
	return errors.Join(hidden, err, adopted)
}

// hideEnvironment moves the environment to where only this process finds it. That it is unset would not be
// enough: what /proc shows is the memory in which it was when the process began.
func hideEnvironment() error {
	begin, end, err := environmentRange()
	if err != nil {
		return fmt.Errorf("the environment cannot be hidden: %w", err)
	}
	variables := os.Environ()
	for i := range variables {
		variables[i] = strings.Clone(variables[i])
	}
	os.Clearenv()
	for _, variable := range variables {
		name, value, _ := strings.Cut(variable, "=")
		_ = os.Setenv(name, value) // it was set before
	}
	memory, err := os.OpenFile("/proc/self/mem", os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("the environment cannot be hidden: %w", err)
	}
	defer memory.Close()
	if _, err := memory.WriteAt(make([]byte, end-begin), begin); err != nil {
		return fmt.Errorf("the environment cannot be hidden: %w", err)
	}
	return nil
}

// environmentRange is where the environment was when the process began.
func environmentRange() (begin, end int64, err error) {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0, 0, err
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const beginField, endField = 47, 48 // env_start and env_end of proc(5), counted from behind the name
	if len(fields) <= endField {
		return 0, 0, errors.New("/proc/self/stat is too short")
	}
	begin, err = strconv.ParseInt(string(fields[beginField]), 10, 64)
	if err != nil {
		return 0, 0, err
	}
	end, err = strconv.ParseInt(string(fields[endField]), 10, 64)
	if err == nil && (begin <= 0 || end < begin || end-begin > 16<<20) {
		err = syscall.EINVAL
	}
	return begin, end, err
}
