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

// sample is the result of one round of one contender: values by the name of the metric.
type sample map[string]float64

// samples are the results of all rounds of one contender.
type samples []sample

// median returns the median of a metric, the lower one of an even number of rounds, or 0 without values.
func (s samples) median(name string) float64 {
	values := s.sorted(name)
	if len(values) == 0 {
		return 0
	}
	return values[(len(values)-1)/2]
}

// sorted returns the values of a metric in ascending order.
func (s samples) sorted(name string) (values []float64) {
	for _, one := range s {
		if value, ok := one[name]; ok {
			values = append(values, value)
		}
	}
	slices.Sort(values)
	return values
}

// spread formats the lowest and the highest value of a metric with this many decimals.
func (s samples) spread(name string, digits int) string {
	values := s.sorted(name)
	if len(values) == 0 {
		return "–"
	}
	return group(values[0], digits) + " – " + group(values[len(values)-1], digits)
}

// group formats a number with this many decimals and commas between the thousands.
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

// percentile returns the value that percent % of values do not exceed, or 0 without values. It sorts values.
func percentile(values []float64, percent int) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[(len(values)*percent+99)/100-1]
}

// ownCPU returns the CPU time that this process has used, in seconds.
func ownCPU() float64 {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

// cpuOf returns the CPU time that a process and its living descendants have used, in seconds. It returns 0
// for pid 0, the pid of a contender without a server.
func cpuOf(pid int) (seconds float64) {
	if pid == 0 {
		return 0
	}
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	for _, task := range tasks { // in ns; stat counts in hundredths of a second
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

// memoryOf returns the anonymous resident memory of a process, in MB.
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

// inChild runs one of children in a process of its own, so that earlier measurements do not affect it.
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
