package harness

// TotalOf returns the number of runs in the list.
func TotalOf(b *Process) (n int64) {
	b.T.Helper()
	for _, count := range b.List("/process_runs").Counts {
		n += count
	}
	return n
}
