package jobs

import (
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"runboard/app"
)

// twoOutputs returns the outputs of a command with open pipes, and a function that returns the lines of the
// log once both have been copied.
func twoOutputs(t *testing.T) (outputs [2]*output, logged func() []string) {
	t.Helper()
	var lines []string
	run := NewRun(app.ProcessRun{}, func(news app.ProgressUpdate) {
		for _, line := range news.Lines {
			lines = append(lines, line.Stream.String()+" "+line.Text)
		}
	})
	outputs, err := newOutputs(run.output(app.Stdout, nil), run.output(app.Stderr, nil))
	if err != nil {
		t.Fatal(err)
	}
	return outputs, func() []string {
		for _, output := range outputs {
			output.close()
		}
		run.Close()
		return lines
	}
}

func writeTo(t *testing.T, pipe *os.File, text string) {
	t.Helper()
	if _, err := io.WriteString(pipe, text); err != nil {
		t.Fatal(err)
	}
}

func TestOutput_ErrorsStandBelowEarlierOutput(t *testing.T) {
	t.Parallel()
	outputs, logged := twoOutputs(t)
	writeTo(t, outputs[0].to, "one\ntwo\n")
	writeTo(t, outputs[1].to, "it broke\n")
	outputs[1].copy() // its reader is the first to run
	<-outputs[1].copied
	outputs[0].copy()
	want := []string{"stdout one\n", "stdout two\n", "stderr it broke\n"}
	if got := logged(); !slices.Equal(got, want) {
		t.Errorf("the log is %q, want %q", got, want)
	}
}

// A process that survives its command may go on writing.
func TestOutput_NothingIsReadAfterItsEnd(t *testing.T) {
	t.Parallel()
	outputs, logged := twoOutputs(t)
	survivor := outputs[0].to
	outputs[0].copied = make(chan struct{})
	go func() {
		defer close(outputs[0].copied)
		outputs[0].read()
	}()
	writeTo(t, survivor, "one\n")
	outputs[0].end(time.Millisecond)
	<-outputs[0].copied
	writeTo(t, survivor, "two\n")
	writeTo(t, outputs[1].to, "it broke\n")
	outputs[1].copy()
	if got := logged(); !slices.Contains(got, "stderr it broke\n") || slices.Contains(got, "stdout two\n") {
		t.Errorf("the log is %q", got)
	}
}
