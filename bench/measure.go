package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// sample is what one round of one contender came to, by the name of what was measured.
type sample map[string]float64

// samples are the rounds of one contender.
type samples []sample

// median is the middle of what was measured under a name.
func (s samples) median(name string) float64 {
	values := s.sorted(name)
	if len(values) == 0 {
		return 0
	}
	return values[(len(values)-1)/2]
}

func (s samples) sorted(name string) (values []float64) {
	for _, one := range s {
		if value, ok := one[name]; ok {
			values = append(values, value)
		}
	}
	slices.Sort(values)
	return values
}

// spread is the lowest and the highest of what was measured under a name, with so many digits behind the point.
func (s samples) spread(name string, digits int) string {
	values := s.sorted(name)
	if len(values) == 0 {
		return "–"
	}
	return group(values[0], digits) + " – " + group(values[len(values)-1], digits)
}

// group writes a number with commas between its thousands.
func group(value float64, digits int) string {
	text := strconv.FormatFloat(value, 'f', digits, 64)
	whole, rest, point := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0 && whole[i-1] != '-'; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if point {
		return whole + "." + rest
	}
	return whole
}

// percentile is the value that so many of 100 do not exceed. It sorts values.
func percentile(values []float64, percent int) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[(len(values)*percent+99)/100-1]
}

// ownCPU is the processor time that this process has used, in seconds.
func ownCPU() float64 {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

// cpuOf is the processor time that another process and its children have used, in seconds; of a process 0, none.
func cpuOf(pid int) (seconds float64) {
	if pid == 0 {
		return 0
	}
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	for _, task := range tasks { // in ns, where stat counts in hundredths of a second
		text, _ := os.ReadFile(task)
		used, _, _ := strings.Cut(string(text), " ")
		ns, _ := strconv.ParseFloat(used, 64)
		seconds += ns / 1e9
	}
	children, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, file := range children {
		text, _ := os.ReadFile(file)
		for _, child := range strings.Fields(string(text)) {
			id, _ := strconv.Atoi(child)
			seconds += cpuOf(id)
		}
	}
	return seconds
}

// memoryOf is how much memory of its own a process has, in MB.
func memoryOf(pid int) float64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kb, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb / 1000
		}
	}
	return 0
}

// inChild measures something in a process of its own, so that nothing of the others is left in it.
func inChild(job string, settings any) (sample, error) {
	input, err := json.Marshal(settings)
	if err != nil {
		return nil, err
	}
	child := exec.Command(os.Args[0], "-child", job)
	child.Stdin, child.Stderr = bytes.NewReader(input), os.Stderr
	output, err := child.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", job, input, err)
	}
	var measured sample
	return measured, json.Unmarshal(output, &measured)
}
