package jobs_test

import (
	"context"
	"fmt"
	"os/exec"

	"runboard/jobs"
)

// backup packs the data directory. The run is failed when it returns an error, whose text the page shows.
func backup(ctx context.Context, run *jobs.Run) error {
	run.Progress(10, "packing")
	output := run.Output() // the run's log, which the page shows as it grows
	defer output.Close()
	tar := exec.CommandContext(ctx, "tar", "-cvzf", fmt.Sprintf("backup-%d.tar.gz", run.ID), "data")
	tar.Stdout, tar.Stderr = output, output
	if err := tar.Run(); err != nil {
		return fmt.Errorf("tar: %w", err)
	}
	run.Log("packed")
	return nil
}

func kinds() (*jobs.Registry, error) {
	return jobs.NewRegistry(
		jobs.Kind{Name: "backup", Work: backup},
	)
}

func ExampleKind() {
	registry, err := kinds()
	fmt.Println(registry.Names(), err)
	// Output: [backup] <nil>
}
