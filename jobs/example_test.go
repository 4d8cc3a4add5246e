package jobs_test

import (
	"context"
	"fmt"
	"os/exec"

	"runboard/app"
	"runboard/jobs"
)

// backup packs the data directory. The run is failed when it returns an error, whose text the page shows.
func backup(ctx context.Context, run app.ProcessRun, report *jobs.Report) error {
	archive := fmt.Sprintf("backup-%d.tar.gz", run.ID)
	report.Progress(10, "packing")
	out, err := exec.CommandContext(ctx, "tar", "-czf", archive, "data").CombinedOutput()
	if err != nil {
		return fmt.Errorf("tar: %w: %s", err, out)
	}
	return nil
}

func kinds() *jobs.Registry {
	return jobs.NewRegistry(jobs.Kind{Name: "backup", Work: backup})
}

func ExampleKind() {
	fmt.Println(kinds().Names())
	// Output: [backup]
}
