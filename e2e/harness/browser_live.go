package harness

// Work that takes no time, work whose every state can be seen, and something between.
var (
	AtOnce    = []string{"--delay-min", "0s", "--delay-max", "0s"}
	InSteps   = []string{"--delay-min", "2s", "--delay-max", "2500ms"}
	InAMoment = []string{"--delay-min", "300ms", "--delay-max", "600ms"}
)
