package harness

// Flags for simulated work: work that takes no time, work slow enough to see each state of a run, and work
// between these.
var (
	AtOnce    = []string{"--delay-min", "0s", "--delay-max", "0s"}
	InSteps   = []string{"--delay-min", "2s", "--delay-max", "2500ms"}
	InAMoment = []string{"--delay-min", "300ms", "--delay-max", "600ms"}
)
