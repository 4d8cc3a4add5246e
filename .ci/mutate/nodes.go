package main

const (
	suite  = "./db/postgres TestPostgreSQL_IsStore/"
	shared = "./db/postgres "
	river  = "./jobs/river "
)

// severalNodes are the mutants of a board with PostgreSQL. Each keeps the parameters of its statement in use:
// a statement with an unused parameter fails, and any test would kill the mutant.
var severalNodes = []mutant{
	{"nodes: a start requires a created run", "db/postgres/many.go", "`status = :created AND version = expected AND", "`version = expected AND", suite + "Refused"},
	{"nodes: a start requires the fetched job and version", "db/postgres/many.go", "AND version = expected AND (assigned = 0 OR job = assigned)\n", "AND expected > 0 AND assigned >= 0\n", river + "FormerJobStartsNothing"},
	{"nodes: a completion requires a started run", "db/postgres/many.go", "`status = :started AND fencing_token = expected AND", "`fencing_token = expected AND", suite + "Refused"},
	{"nodes: a completion checks the fencing token", "db/postgres/many.go", "`status = :started AND fencing_token = expected AND", "`status = :started AND expected > 0 AND", suite + "Refused"},
	{"nodes: a completion skips runs with a cancel request", "db/postgres/many.go", " AND cancel_requested_at = 0", "", suite + "Cancel"},
	{"nodes: a panic answers every request of the batch", "db/postgres/coalescer.go", "	err := errPanicked\n	defer func() {", "	var err error\n	defer func() {", shared + "TestCoalescer_Reports"},
	{"nodes: only a started run can end", "app/transition.go", "	if run.Status != Started {\n		return run, Event{}, conflict(run, \"finished\")", "	if false {\n		return run, Event{}, conflict(run, \"finished\")", suite + "Refused"},
	{"nodes: the end of a run checks the fencing token", "db/postgres/transition.go", "!found || current.run.FencingToken != run.FencingToken", "!found", suite + "Refused"},
	{"nodes: a run that loses too many workers fails", "db/postgres/rescue.go", "app.Crash(current.run, tx.store.options.MaxCrashes, tx.time())", "app.Crash(current.run, 1000, tx.time())", shared + "TestRescue_"},
	{"nodes: a run is found only by its current job", "db/postgres/cluster.go", "case row.Job != job || app", "case app", shared + "TestJob_Exists"},
	{"nodes: a final run is not found by its job", "db/postgres/cluster.go", "row.Job != job || app.Status(row.Status).Final()", "row.Job != job", shared + "TestJob_Follows"},
	{"nodes: an orphan rescued by another node is skipped", "db/postgres/rescue.go", "current.job); err != nil || hasNode {", "current.job); err != nil {", shared + "TestRescueOrphans_Concurrent"},
	{"nodes: a live node keeps its runs", "db/postgres/rescue.go", "tx.isAlive(current.node); err != nil || alive {", "tx.isAlive(current.node); err != nil || alive && current.node < 0 {", shared + "TestHeartbeat_Keeps"},
	{"nodes: River does not decide which node is lost", "db/postgres/rescue.go", "err == nil && alive", "err == nil && alive && current.node < 0", shared + "TestHeartbeat_Keeps"},
	{"nodes: a node that was declared lost stops its work", "db/postgres/heartbeat.go", "h.store.lease.lose()", "_ = h.store.lease.lose", shared + "TestLease_EndsWhenNode"},
	{"nodes: a lease expires by itself", "db/postgres/lease.go", "uptime()-l.renewed >= l.lasts", "uptime()-l.renewed >= 1000*l.lasts", shared + "TestLease_Expires"},
	{"nodes: a slow connection is not given up", "db/postgres/open.go", "connectTimeout = 10 * time.Second", "connectTimeout = 5 * time.Second", shared + "TestPool_SlowConnection"},
	{"nodes: a cancelled read is no outage", "db/postgres/read.go", "err := causeOf(ctx, f(ctx))", "err := f(ctx)", shared + "TestHealth_CancelledRead"},
	{"nodes: a rescue that the shutdown refuses is no error", "db/postgres/rescue.go", "err != nil && !s.door.isClosed()", "err != nil && ctx.Err() == nil", shared + "TestClose_RefusedRescue"},
	{"nodes: an error of River is a warning", "jobs/river/log.go", "record.Level = slog.LevelWarn", "record.Level = slog.LevelError", river + "RiversErrors"},
	{"nodes: a clock change does not make a node lost", "db/postgres/heartbeat.go", "overdue && uptime()-known.since >= h.store.options.Heartbeat.unchangedFor()", "overdue", shared + "TestHeartbeat_ClockChange"},
	{"nodes: only final runs are deleted", "db/postgres/prune.go", "AND status IN (:final) RETURNING id", "RETURNING id", suite + "Actions"},
	{"nodes: a bulk action skips runs that were not in its preview", "db/postgres/bulk.go", "	if err != nil || entered {", "	if err != nil || entered && false {", suite + "Actions"},
	{"nodes: a snoozed bulk action can be cancelled", "db/postgres/job.go", "if err != nil || !found || running {", "if err != nil || !found {", river + "CancelledAtTheSnooze"},
	{"nodes: an idempotency key creates runs once", "db/postgres/create.go", "if !isFirst {", "if !isFirst && request.Count < 0 {", suite + "Create_with"},
	{"nodes: secrets are deleted when a run finishes", "db/postgres/migrations/00002_schema.sql", "WHEN (new.inputs > 0 AND new.status > 1) EXECUTE", "WHEN (new.inputs > 0 AND new.status > 2) EXECUTE", suite + "Secret"},
	{"nodes: inputs are deleted with their run", "db/postgres/migrations/00002_schema.sql", "  DELETE FROM run_inputs WHERE run_id = old.id;\n", "", suite + "Inputs"},
	{"nodes: the number of created runs has a limit", "db/postgres/create.go", "counts[app.Created], count, tx.store.options.MaxPending", "counts[app.Created], count, 0", suite + "Create_under"},
	{"nodes: a transaction that ends late is noticed", "db/postgres/changes.go", "if slices.ContainsFunc(before.running, isNews) {", "if slices.ContainsFunc(before.running, isNews) && false {", shared + "TestTransactions_Differ"},
	{"nodes: a pooler without sessions is refused", "db/postgres/session.go", "if process == int(listener.PgConn().PID()) {", "if process != 0 {", shared + "TestSession_PoolerWithoutSessions"},
	{"nodes: a session checks the schema", "db/postgres/session.go", "err == nil && version != schemaVersion", "err == nil && version < schemaVersion", shared + "TestSession_NodeOfOlder"},
	{"nodes: a reconnect notifies of missed changes", "db/postgres/notify.go", "backoff = reconnectFirst\n		s.changes.Notify()\n", "backoff = reconnectFirst\n", shared + "TestNotify_Reconnect"},

	{"nodes: a redelivered started run is rescued", "jobs/river/delivery.go", "run.Status == app.Started && job.Attempt > 1", "run.Status == app.Started && job.Attempt < 0", river + "RequeuesALostRun"},
	{"nodes: a snoozed run is not rescued", "jobs/river/delivery.go", "run.Status == app.Started && job.Attempt > 1", "run.Status == app.Started", river + "IsSnoozedBetweenSlices"},
	{"nodes: a job that its run no longer has is discarded", "jobs/river/delivery.go", "case code == app.CodeConflict, code == app.CodeNotFound:", "case code == app.CodeNotFound:", river + "WithoutARunEnds"},
	{"nodes: normal and quarantined runs share the slots", "jobs/river/delivery.go", "if h.slots == nil {", "if h.slots == nil || delivered != nil {", river + "WithoutASlot"},
	{"nodes: a job without a slot keeps its position", "jobs/river/delivery.go", "Duration: time.Until(job.ScheduledAt)", "Duration: 0 * time.Until(job.ScheduledAt)", river + "WithoutASlot"},
	{"nodes: a node fetches only its own kinds", "jobs/river/driver.go", "ofRuns.Kind = e.kinds.fetched()", "ofRuns.Kind = nil", river + "LeavesUnknownKinds"},
	{"nodes: a start respects the limit of its kind", "db/postgres/limits.go", "		if !may {\n", "		if !may && group.key == \"-\" {\n", shared + "TestLimits_Concurrent"},
	{"nodes: starts of one kind and key wait for each other", "db/postgres/limits.go", "`SELECT pg_advisory_xact_lock(hashtextextended($1::text || chr(1) || $2::text, 15))`", "`SELECT hashtextextended($1::text || chr(1) || $2::text, 15)`", shared + "TestLimits_StartsWait"},
	{"nodes: a start leaves free places to older runs", "db/postgres/limits.go", "AND scheduled_at <= $4 AND sort_id < $5", "AND scheduled_at <= $4 AND sort_id < $5 - 1000000", shared + "TestLimits_Oldest"},
	{"nodes: a held run has a job that waits", "db/postgres/limits.go", "tx.addJobs(true, held)", "tx.addJobs(false, held)", shared + "TestPause_Start"},
	{"nodes: a start sees a pause that its node does not know", "db/postgres/many.go", "			AND NOT EXISTS (SELECT FROM paused_kinds WHERE paused_kinds.kind = process_runs.kind)`", "			`", shared + "TestPause_Start"},
	{"nodes: a completed run lets the next one start", "db/postgres/transition.go", "			s.balanceSoon(run)\n", "", shared + "TestLimits_Oldest"},
	{"nodes: a cancelled run lets the next one start", "db/postgres/transition.go", "	tx.balance(run)\n", "", shared + "TestLimits_Oldest"},
	{"nodes: a sweep finds runs that wait for nothing", "db/postgres/sweep.go", "		if err := s.sweepKind(ctx, name, most); err != nil {", "		if err := s.release(ctx, name, most-most); err != nil {", shared + "TestSweep_Finds"},
	{"nodes: new limits wait for starts by earlier ones", "db/postgres/transition.go", "	defer s.starting.RUnlock()\n", "	s.starting.RUnlock()\n", shared + "TestApplyDefinitions_Waits"},
	{"nodes: a new limit parks available jobs", "db/postgres/sweep.go", "		if err := s.park(ctx, names); err != nil {", "		if err := s.park(ctx, nil); err != nil {", shared + "TestSweep_Applies"},
	{"nodes: work may finish when a node stops", "jobs/lifecycle.go", "		_ = Sleep(working, drainTimeout)\n", "", river + "DrainsRunningWork"},
	{"nodes: cancel requests are seen during startup", "jobs/river/engine.go", "	watchers.Go(func() { n.Runs.WatchCancellations(watching) })\n", "	defer watchers.Go(func() { n.Runs.WatchCancellations(watching) })\n", river + "HalfStartedNodeCancels"},
}
