package app

import "time"

// Kind describes a kind of run: what people read about it, its inputs, and the policies of its runs.
type Kind struct {
	Name        string
	Title       string // what people read; empty: the name
	Description string
	Group       string // heading on the page
	Inputs      []Input
	Confirm     string // question that the page asks before a start; {name} stands for the value of an input
	Policy
}

// Policy has the limits of the runs of a kind.
type Policy struct {
	Timeout     time.Duration // of an attempt; 0: that of the board
	Attempts    int           // of a run; 0: that of the board
	Concurrency int           // runs that may be started at once; 0: any number
	// ConcurrencyKey are the inputs whose values are counted separately. Empty: all runs of the kind are counted
	// together.
	ConcurrencyKey []string
}

// Label returns the title of the kind, or else its name.
func (k Kind) Label() string {
	if k.Title != "" {
		return k.Title
	}
	return k.Name
}
