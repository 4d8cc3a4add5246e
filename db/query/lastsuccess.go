package query

import "runboard/app"

// lastSuccessRuns is how many completed runs are searched for one with the same inputs.
const lastSuccessRuns = 25

// lastSuccess returns app.RunPage.LastSuccess for a run whose inputs are filled.
func (s *snapshot) lastSuccess(run app.ProcessRun) int64 {
	if run.Status != app.Failed {
		return 0
	}
	limit := 1
	if run.InputCount > 0 {
		limit = lastSuccessRuns
	}
	scan := s.dialect.scanKind(run.Kind, app.Completed)
	completed := s.readRuns(scan.RunsSQL(false), scan.Args(IDRange{Before: run.ID}, limit)...)
	if len(completed) == 0 {
		return 0
	}
	for _, earlier := range s.fillSome(completed) {
		if earlier.InputCount == run.InputCount && earlier.Inputs == run.Inputs {
			return earlier.ID
		}
	}
	return completed[0].ID
}
