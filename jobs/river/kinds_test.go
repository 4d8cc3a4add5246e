package river_test

import (
	"slices"
	"testing"

	"runboard/app"
	"runboard/jobs"
)

// A job that looks lost is not discarded because the leader does not know its kind: another node may work on
// it.
func TestRescue_LeavesJobsOfOtherNodes(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	other := openAt(t, store.Pool().Config().ConnString())
	run := create(t, store, "elsewhere", 1)
	begin(t, store, run)
	start(t, newEngine(store, jobs.Kind{Name: "here", Work: nothing}))
	waitUntil(t, store, "the job to be rescued", func() bool { return jobState(t, store, run) != "running" })
	if states := []string{"available", "retryable"}; !slices.Contains(states, jobState(t, store, run)) {
		t.Errorf("the job of the run is %s", jobState(t, store, run))
	}
	start(t, newEngine(other, jobs.Kind{Name: "elsewhere", Work: nothing}))
	waitForStatus(t, store, run, app.Completed)
}
