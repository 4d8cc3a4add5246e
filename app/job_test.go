package app

import (
	"regexp"
	"strings"
	"testing"
)

func TestJob_KindIsAValidName(t *testing.T) {
	t.Parallel()
	valid := regexp.MustCompile(`^[\w][\w\-\[\]<>/.·:+]+$`) // the kinds that River accepts
	seen := map[string]string{}
	for _, kind := range []string{"backup", "Backup", "a", "a.b-c_d", "two words", "zwölf", "+x",
		strings.Repeat("x", 100), strings.Repeat("y", 300)} {
		name := Job{RunKind: kind}.Kind()
		if !valid.MatchString(name) || len(name) >= 128 {
			t.Errorf("the job of the kind %q is called %q", kind, name)
		}
		if other, taken := seen[name]; taken {
			t.Errorf("the kinds %q and %q have the same job, %q", kind, other, name)
		}
		seen[name] = kind
	}
}

func TestQueueOf_SeparatesRuns(t *testing.T) {
	t.Parallel()
	for want, run := range map[string]ProcessRun{
		DefaultQueue:    {Kind: "backup", Crashes: 1},
		QuarantineQueue: {Kind: "backup", Crashes: 2},
		BulkQueue:       {Kind: BulkRetry.Kind(), Crashes: 1},
	} {
		if got := QueueOf(run, 3); got != want {
			t.Errorf("the queue of %+v is %s", run, got)
		}
	}
	if got := QueueOf(ProcessRun{Kind: "backup"}, 1); got != DefaultQueue {
		t.Errorf("the queue of a new run is %s where one crash fails it", got)
	}
}
