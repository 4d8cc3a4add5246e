package river

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"

	"runboard/app"
)

// startedRuns are the runs that the fetch of their jobs has started, by job, until River has been told that
// the job has ended. Each holds a slot until its worker returns.
type startedRuns struct {
	mu   sync.Mutex
	runs map[int64]startedRun
}

// startedRun is a started run, and the lease under which it was started.
type startedRun struct {
	run   app.ProcessRun
	lease context.Context
}

func (s *startedRuns) add(job int64, run startedRun) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs[job] = run
}

func (s *startedRuns) find(job int64) (run startedRun, found bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	run, found = s.runs[job]
	return run, found
}

// remove reports whether the job was that of a started run, and forgets it.
func (s *startedRuns) remove(job int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, found := s.runs[job]
	delete(s.runs, job)
	return found
}

// startJobs looks at up to most available jobs, and starts as many of their runs as may start at once and have
// a slot. It returns their jobs, which no longer exist, for River to work on. left is the number of jobs that
// River has to fetch.
func (n *node) startJobs(ctx context.Context, most int) (jobs []*rivertype.JobRow, left int, err error) {
	lease, err := n.Store.Lease()
	if err != nil || n.lifecycle.Fetch.Err() != nil {
		return nil, most, nil // River fetches the jobs, and their worker returns them to the queue
	}
	slots := n.takeSlots(most)
	started, left, err := n.Store.StartJobs(ctx, app.JobRequest{
		Kinds: n.kinds.names(), Most: most, Slots: slots,
	})
	n.returnSlots(slots - len(started))
	if err != nil {
		return nil, 0, err
	}
	now := time.Now()
	for _, job := range started {
		n.started.add(job.ID, startedRun{run: job.Run, lease: lease})
		jobs = append(jobs, &rivertype.JobRow{
			ID: job.ID, Kind: runJob, Queue: app.DefaultQueue, State: rivertype.JobStateRunning,
			EncodedArgs: fmt.Appendf(nil, `{"run":%d}`, job.Run.ID),
			Metadata:    []byte("{}"), Attempt: 1, MaxAttempts: math.MaxInt16,
			CreatedAt: job.Run.CreatedAt, ScheduledAt: job.Run.CreatedAt, AttemptedAt: &now,
		})
	}
	return jobs, left, nil
}

// takeSlots takes up to most slots that are free.
func (n *node) takeSlots(most int) (taken int) {
	for taken < most {
		select {
		case n.slots <- struct{}{}:
			taken++
		default:
			return taken
		}
	}
	return taken
}

func (n *node) returnSlots(count int) {
	for range count {
		<-n.slots
	}
}

// withoutStarted returns params without the jobs of started runs, which it forgets.
func (n *node) withoutStarted(
	params *riverdriver.JobSetStateIfRunningManyParams,
) *riverdriver.JobSetStateIfRunningManyParams {
	rest := &riverdriver.JobSetStateIfRunningManyParams{Now: params.Now, Schema: params.Schema}
	for i, job := range params.ID {
		if n.started.remove(job) {
			continue
		}
		rest.ID = append(rest.ID, job)
		rest.Attempt = append(rest.Attempt, params.Attempt[i])
		rest.ErrData = append(rest.ErrData, params.ErrData[i])
		rest.FinalizedAt = append(rest.FinalizedAt, params.FinalizedAt[i])
		rest.MetadataDoMerge = append(rest.MetadataDoMerge, params.MetadataDoMerge[i])
		rest.MetadataUpdates = append(rest.MetadataUpdates, params.MetadataUpdates[i])
		rest.ScheduledAt = append(rest.ScheduledAt, params.ScheduledAt[i])
		rest.State = append(rest.State, params.State[i])
	}
	return rest
}
