package main

const (
	suite  = "./db/postgres TestPostgreSQLIsAStore/"
	shared = "./db/postgres "
	river  = "./jobs/river "
)

// severalNodes are the fences where several nodes share the runs. A parameter that a statement had must stay in it: without
// it the statement would not do anything, and any test would see that.
var severalNodes = []fence{
	{"nodes: a start expects a waiting run", "db/postgres/transition.go", "`status = 0 AND version = expected AND", "`version = expected AND", suite + "Refused"},
	{"nodes: a start expects what was handed out", "db/postgres/transition.go", "AND version = expected AND (assigned = 0 OR job = assigned)`", "AND expected > 0 AND assigned >= 0`", river + "ForAJobThatItHadBefore"},
	{"nodes: a completion expects a started run", "db/postgres/transition.go", "`status = 1 AND fencing_token = expected AND", "`fencing_token = expected AND", suite + "Refused"},
	{"nodes: a completion expects its own claim", "db/postgres/transition.go", "`status = 1 AND fencing_token = expected AND", "`status = 1 AND expected > 0 AND", suite + "Refused"},
	{"nodes: a completion heeds wishes", "db/postgres/transition.go", " AND cancel_requested_at = 0", "", suite + "Cancel"},
	{"nodes: nobody is left without an answer by a panic", "db/postgres/coalescer.go", "	err := errPanicked\n	defer func() {", "	var err error\n	defer func() {", shared + "ForManyFails"},
	{"nodes: what ends is a started run", "db/postgres/transition.go", "!found || current.run.Status != app.Started || ", "!found || ", suite + "Refused"},
	{"nodes: what ends is ended by its own claim", "db/postgres/transition.go", " || current.run.FencingToken != run.FencingToken", "", suite + "Refused"},
	{"nodes: a run that loses too many workers fails", "db/postgres/transition.go", "app.Crash(current.run, tx.store.options.MaxCrashes, tx.time())", "app.Crash(current.run, 1000, tx.time())", shared + "WhoseWorkerIsLost"},
	{"nodes: a job is its run's newest", "db/postgres/cluster.go", "case row.Job != job || app", "case app", shared + "EachRunThatComesToWait"},
	{"nodes: a run that is over has no job", "db/postgres/cluster.go", "row.Job != job || app.Status(row.Status).Final()", "row.Job != job", shared + "AJobGoesTheWay"},
	{"nodes: what another one has mended is left alone", "db/postgres/orphans.go", "now.job); err != nil || lives {", "now.job); err != nil {", shared + "OfTwoThatMend"},
	{"nodes: a living node keeps its runs", "db/postgres/orphans.go", "tx.isAlive(now.node); err != nil || alive {", "tx.isAlive(now.node); err != nil || alive && now.node < 0 {", shared + "Heartbeat_LeavesAlone"},
	{"nodes: River does not decide which node is lost", "db/postgres/transition.go", "err == nil && alive", "err == nil && alive && current.node < 0", shared + "Heartbeat_LeavesAlone"},
	{"nodes: a node that was taken for lost stops its work", "db/postgres/heartbeat.go", "p.store.lease.lose()", "_ = p.store.lease.lose", shared + "Lease_EndsWhenOthers"},
	{"nodes: a lease ends by itself", "db/postgres/lease.go", "uptime()-l.renewed >= l.lasts", "uptime()-l.renewed >= 1000*l.lasts", shared + "Lease_IsOver"},
	{"nodes: a clock that is set loses no node", "db/postgres/heartbeat.go", "overdue && uptime()-known.since >= p.store.options.Heartbeat.unchangedFor()", "overdue", shared + "AClockThatIsSet"},
	{"nodes: only final runs are dropped", "db/postgres/commands.go", "AND status IN (2, 3, 4) RETURNING id", "RETURNING id", suite + "Actions"},
	{"nodes: an action leaves alone what it was not for in its preview", "db/postgres/commands.go", "current.run); err != nil || entered {", "current.run); err != nil || entered && false {", suite + "Actions"},
	{"nodes: an action that is cancelled while it pauses ends", "db/postgres/job.go", "if err != nil || !found || running {", "if err != nil || !found {", river + "CancelledWhileItPauses"},
	{"nodes: a key makes runs once", "db/postgres/create.go", "if !first {", "if !first && request.Count < 0 {", suite + "Create_with"},
	{"nodes: the number of waiting runs has a limit", "db/postgres/create.go", "counts[app.Created], count, tx.store.options.MaxPending", "counts[app.Created], count, 0", suite + "Create_under"},
	{"nodes: the bell makes up for what was not heard", "db/postgres/notify.go", "backoff = reconnectFirst\n		s.changes.Notify()\n", "backoff = reconnectFirst\n", shared + "ThatCannotHear"},

	{"nodes: work is not gone on with whose worker is lost", "jobs/river/delivery.go", "run.Status == app.Started && job.Attempt > 1", "run.Status == app.Started && job.Attempt < 0", river + "ThatRiverTakesForLost"},
	{"nodes: what is put aside has not lost its worker", "jobs/river/delivery.go", "run.Status == app.Started && job.Attempt > 1", "run.Status == app.Started", river + "SeveralPieces"},
	{"nodes: a job that no run has is over", "jobs/river/delivery.go", "case code == app.CodeConflict, code == app.CodeNotFound:", "case code == app.CodeNotFound:", river + "ThatNoRunHas"},
	{"nodes: runs and suspects share the workers", "jobs/river/delivery.go", "if h.slots == nil {", "if h.slots == nil || delivered != nil {", river + "ShareTheWorkers"},
	{"nodes: who has no place keeps that in line", "jobs/river/delivery.go", "Duration: time.Until(job.ScheduledAt)", "Duration: 0 * time.Until(job.ScheduledAt)", river + "WithoutAPlace"},
	{"nodes: only kinds are taken that are there", "jobs/river/engine.go", "FetchOnlyKnownKinds:  true", "FetchOnlyKnownKinds:  false", river + "ThatHasItsKind"},
	{"nodes: work may finish when a node stops", "jobs/river/engine.go", "		_ = sleep(working, e.DrainTimeout)\n", "", river + "LetsItsWorkFinish"},
	{"nodes: people are heeded before the start is done", "jobs/river/engine.go", "	watchers.Go(func() { n.watchCancellations(watching) }) // from before the first job until after the last\n	deadline, release := stopDeadline(working)\n	defer release()\n	client := n.start(deadline)\n",
		"	deadline, release := stopDeadline(working)\n	defer release()\n	client := n.start(deadline)\n	watchers.Go(func() { n.watchCancellations(watching) })\n", river + "HalfStartedHeeds"},
}
