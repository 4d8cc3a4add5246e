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

// guarded reports whether this process adopts the orphans of dead supervisors.
var guarded atomic.Bool

// Guard protects a server process from hostile commands. It clears the environment from
// /proc/PID/environ, which even a command running as root could otherwise read. It stops other commands
// of the same user from reading the server's memory and descriptors, and keeps inherited descriptors from
// reaching commands. It also makes the server adopt what a killed supervisor leaves behind, so that the
// server can kill it. For that reason, other code must not start processes in sessions of their own.
//
// Call Guard before any code keeps a value from the environment. The server may continue if Guard fails.
func Guard() error {
	hidden := hideEnvironment() // before protect closes /proc/self/mem to this process, too
	err := protect()
	adopted := adoptOrphans()
	guarded.Store(adopted == nil)
	return errors.Join(hidden, err, adopted)
}

// hideEnvironment copies the environment to memory that only this process can read, and zeroes the original.
// Unsetting the variables is not enough: /proc shows the memory that held them when the process started.
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
		_ = os.Setenv(name, value) // cannot fail: it was set before
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

// environmentRange returns the address range that held the environment when the process started.
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
