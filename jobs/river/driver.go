package river

import (
	"context"
	"fmt"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"runboard/app"
)

// driver is River's driver for pgx with a different listener and executor.
type driver struct {
	*riverpgxv5.Driver
	node *node
}

// GetListener implements riverdriver.Driver.
func (d driver) GetListener(params *riverdriver.GetListenenerParams) riverdriver.Listener {
	return listener{d.Driver.GetListener(params)}
}

// GetExecutor implements riverdriver.Driver.
func (d driver) GetExecutor() riverdriver.Executor { return executor{d.Driver.GetExecutor(), d.node} }

// listener wraps the errors of Listen. If the text of an error ends like that of a closed connection,
// River takes it for its own shutdown. During a start it would then run without a queue, or without ever
// leading, and log nothing.
type listener struct{ riverdriver.Listener }

// Listen implements riverdriver.Listener.
func (l listener) Listen(ctx context.Context, topic string) error {
	if err := l.Listener.Listen(ctx, topic); err != nil {
		return fmt.Errorf("%w: cannot listen", err)
	}
	return nil
}

// executor fetches the jobs of the kinds that are offered now. River itself learns its kinds when it starts.
// For the same reason it has one handler for the jobs of all runs, under the kind runJob.
type executor struct {
	riverdriver.Executor
	node *node
}

// runJob is the kind under which River has the handler of runs.
var runJob = app.Job{}.Kind()

// JobGetAvailable implements riverdriver.Executor. It starts the runs of the jobs, if they may start at once:
// one statement does what else takes four for each run.
func (e executor) JobGetAvailable(
	ctx context.Context, params *riverdriver.JobGetAvailableParams,
) (*riverdriver.JobGetAvailableResult, error) {
	switch params.Queue {
	case app.QuarantineQueue:
		return e.fetchRuns(ctx, params)
	case app.DefaultQueue:
		started, left, err := e.node.startJobs(ctx, params.MaxToLock)
		if err != nil || left == 0 {
			return &riverdriver.JobGetAvailableResult{Jobs: started}, err
		}
		others := *params
		others.MaxToLock -= len(started)
		fetched, err := e.fetchRuns(ctx, &others)
		if err != nil {
			if len(started) == 0 {
				return nil, err
			}
			fetched = &riverdriver.JobGetAvailableResult{} // the next fetch reports the error
		}
		fetched.Jobs = append(started, fetched.Jobs...)
		return fetched, nil
	}
	return e.Executor.JobGetAvailable(ctx, params)
}

// fetchRuns fetches jobs of runs without starting the runs.
func (e executor) fetchRuns(
	ctx context.Context, params *riverdriver.JobGetAvailableParams,
) (*riverdriver.JobGetAvailableResult, error) {
	ofRuns := *params
	ofRuns.Kind = e.node.kinds.fetched()
	fetched, err := e.Executor.JobGetAvailable(ctx, &ofRuns)
	if err != nil {
		return nil, err
	}
	for _, job := range fetched.Jobs {
		job.Kind = runJob
	}
	return fetched, nil
}

// JobSetStateIfRunningMany implements riverdriver.Executor. The jobs of started runs no longer exist. River does
// not notify of a job that it returns to its queue, but polls.
func (e executor) JobSetStateIfRunningMany(
	ctx context.Context, params *riverdriver.JobSetStateIfRunningManyParams,
) ([]*rivertype.JobRow, error) {
	existing := e.node.withoutStarted(params)
	if len(existing.ID) == 0 {
		return nil, nil
	}
	jobs, err := e.Executor.JobSetStateIfRunningMany(ctx, existing)
	if err != nil {
		return nil, err
	}
	returned := map[string]bool{}
	for _, job := range jobs {
		if job.State == rivertype.JobStateAvailable {
			returned[job.Queue] = true
		}
	}
	for queue := range returned {
		e.node.Store.NotifyQueue(queue)
	}
	return jobs, nil
}

// JobGetStuck implements riverdriver.Executor. River would discard jobs of kinds that it does not know, but
// another node may work on them.
func (e executor) JobGetStuck(
	ctx context.Context, params *riverdriver.JobGetStuckParams,
) ([]*rivertype.JobRow, error) {
	stuck, err := e.Executor.JobGetStuck(ctx, params)
	for _, job := range stuck {
		if job.Queue == app.DefaultQueue || job.Queue == app.QuarantineQueue {
			job.Kind = runJob
		}
	}
	return stuck, err
}
