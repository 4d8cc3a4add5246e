package main

import "slices"

const (
	store     = "./db/sqlite TestSQLiteIsAStore"
	hub       = "./handlers/live ."
	queue     = "./jobs ."
	overHTTP  = "./e2e/http "
	inBrowser = "./e2e/browser "
	onNodes   = "./e2e/cluster "
	chaos     = "./e2e/chaos "
)

var fences = slices.Concat(oneProcess, severalNodes)

// oneProcess are the fences where one process has the runs, and those that are there in any case.
var oneProcess = []fence{
	{"a start expects a created run", "app/transition.go", "	if run.Status != Created {\n", "	if false {\n", "./app TestTransitions"},
	{"many starts expect waiting runs", "db/sqlite/bulk.go", "AND +status = 0\n", "AND +status < 5\n", store},
	{"many ends expect started runs", "db/sqlite/bulk.go", "AND +status = 1 AND cancel_requested_at = 0", "AND cancel_requested_at = 0", store},
	{"many ends expect their own claims", "db/sqlite/bulk.go", "AND fencing_token = mine.value", "AND mine.value > 0", store},
	{"many ends heed wishes", "db/sqlite/bulk.go", "AND +status = 1 AND cancel_requested_at = 0", "AND +status = 1", store},
	{"a worker changes only its own attempt", "db/sqlite/transition.go", "return current.Status == app.Started && current.FencingToken == run.FencingToken", "return current.Status == app.Started", store},
	{"a report expects its own claim", "db/sqlite/transition.go", "WHERE id = ?4 AND status = 1 AND fencing_token = ?5", "WHERE id = ?4 AND status = 1 AND ?5 > 0", store},
	{"only final runs are dropped", "db/sqlite/prune.go", "AND status IN (2, 3, 4) RETURNING", "RETURNING", store},
	{"the logs of the runs that finished first go first", "db/query/trim.go", "ORDER BY finished_at, run_id", "ORDER BY run_id", store},
	{"an action is done by the run that is started for it", "db/sqlite/bulk_action.go", "if !mine {", "if false {", store},
	{"an action leaves alone what it was not for in its preview", "db/sqlite/bulk_action.go", "action, run); err != nil || entered {", "action, run); err != nil || entered && false {", store},
	{"an action that exceeds its preview is refused", "db/sqlite/bulk_action.go", "	if action.Refused != nil {", "	if action.Refused != nil && false {", store},
	{"the times of runs are checked one by one", "db/query/list.go", `l.require("created_at >= ?", since)`, `l.require("created_at >= ? - 1000000000000", since)`, "./db/sqlite Filter_Finds"},
	{"a key makes runs once", "db/sqlite/create.go", "if first, found, err := tx.findByKey(request); err != nil || found {", "if first, found, err := tx.findByKey(request); err != nil || found && false {", store},
	{"the number of waiting runs has a limit", "db/sqlite/create.go", "return query.CheckCapacity(tx.counts[app.Created], count, maxPending)", "return query.CheckCapacity(tx.counts[app.Created], count, 0)", store},
	{"the bell comes after the commit", "db/sqlite/writer.go", `	if err := w.statements.exec(tx.commit); err != nil {
		return nil, errors.Join(errNoTransaction, err)
	}
	w.applied(tx)`, `	w.applied(tx)
	if err := w.statements.exec(tx.commit); err != nil {
		return nil, errors.Join(errNoTransaction, err)
	}`, "./db/sqlite TestTheBellIsSilent"},
	{"a commit that fails is an error", "db/sqlite/writer.go", "	if err := w.statements.exec(tx.commit); err != nil {", "	if err := w.statements.exec(tx.commit); err != nil && false {", "./db/sqlite FaultOfAnyCall"},
	{"a panic in a write ends that write", "db/sqlite/writer.go", "if panicked := recover(); panicked != nil {", "if panicked := any(nil); panicked != nil {", "./db/sqlite Write|Group"},
	{"an error that is cleared is no longer found", "db/sqlite/search.go", "		DELETE FROM run_search WHERE rowid = old.id * 1048576;", "		SELECT 1;", "./db/sqlite TestSQLiteIsAStore/Search"},
	{"the texts of bulk actions are not found", "db/query/search.go", "return slices.Contains(app.BulkKinds(), kind)", "return slices.Contains(app.BulkKinds(), kind) && false", "./db/sqlite TestSQLiteIsAStore/Search"},
	{"a search for newer runs goes on where it stopped", "app/run.go", "	if p.SearchCursor > 0 && p.Query.Direction == After {", "	if false {", "./db/sqlite TestSQLiteIsAStore/Search"},
	{"a word is found that two parts of a log share", "db/query/log.go", "	if begun := LastWord(p.Before); begun != \"\" {", "	if begun := LastWord(p.Before); begun == \"-\" {", "./db/sqlite TestSQLiteIsAStore/Search"},
	{"what is waited for no longer is not done", "db/sqlite/call_state.go", "return c.state.CompareAndSwap(0, callCancelled)", "return true", "./db/sqlite WaitsForNoLonger"},
	{"what has begun is waited for", "db/sqlite/writer.go", "		return <-request.done // apply", "		return query.Unavailable(ctx.Err()) // its", "./db/sqlite HasBegunIsWaitedFor"},
	{"a file has one process", "db/sqlite/lock.go", "locked, err := lock.TryLock()", "locked, err := true, error(nil)", "./db/sqlite Lock|Process|Second|Another"},
	{"a lost database takes no writes", "db/sqlite/writer.go", "if gone := w.checkFiles(); gone != nil {", "if gone := w.checkFiles(); gone != nil && false {", "./db/sqlite Database_"},
	{"a lost database is noticed", "db/sqlite/writer.go", "			_ = w.checkFiles()\n", "", "./db/sqlite Database_"},
	{"a link is followed to what is not there yet", "db/sqlite/path.go", "			name = real + string(filepath.Separator) + target\n", "			return name, nil\n", "./db/sqlite Link_"},
	{"a database is taken from other users", "db/sqlite/file.go", "info.Mode().Perm()&0o077 == 0", "info.Mode().Perm() != 0", "./db/sqlite Database_"},
	{"a run that crashes too often fails", "app/transition.go", "	if crashes >= maxCrashes {\n", "	if false {\n", "./db/sqlite Crash"},
	{"a panic in work fails its run only", "jobs/executor.go", `		if panicked := recover(); panicked != nil {
			e.Log.Error("work panicked"`, `		if panicked := any(nil); panicked != nil {
			e.Log.Error("work panicked"`, queue},
	{"work waits while its log fills the memory", "jobs/run.go", "if r.stuck || r.lines.size < maxUnsaved {", "if true {", "./jobs WritesFaster"},
	{"work does not wait for lines that are not kept", "jobs/run.go", "	r.lines.trim(limit)\n", "", "./jobs TestReport"},
	{"nothing before a gap in a log is kept", "db/query/log.go", "		dropBefore = last.Stop\n", "", store},
	{"work does not wait for long for the database", "jobs/run.go", "if r.stuck || r.lines.size < maxUnsaved {", "if r.lines.size < maxUnsaved {", "./jobs Report_Drops"},
	{"the first deadline of a command counts", "jobs/command/main.go", "	if s.deadline == nil {\n", "	if true {\n", "./jobs/command ."},
	{"a supervisor that is stopped is continued", "jobs/command/supervisor.go", "_ = p.supervisor.Process.Signal(syscall.SIGCONT)", "_ = syscall.SIGCONT", "./jobs TestCommand_MayStop"},
	{"a supervisor that is kept stopped is killed", "jobs/command/supervisor.go", "if stops >= mostStops || late > interfere {", "if false {", "./jobs TestCommand_CannotKeep"},
	{"the environment of the server is hidden", "jobs/command/guard_linux.go", "hidden := hideEnvironment()", "var hidden error", chaos + "TestServer_Hides"},
	{"a command inherits no descriptors", "jobs/command/system_linux.go", "	return keepDescriptors()\n", "	return nil\n", "./jobs TestCommand_SeesNothing"},
	{"a command that cannot be killed is given up", "jobs/command/main.go", "tried > foreignBound && foreign > 0 && foreign == len(left)", "foreign < 0", "./jobs GivenUp"},
	{"a result in time counts", "jobs/executor.go", "		if errors.Is(cause, ErrTimeout) {\n", "		if false {\n", chaos + "TestServer_Paused"},
	{"a directory in use is not swept", "jobs/command/sweep_linux.go", "	if !unused {\n", "	if !unused && len(dir) == 0 {\n", chaos + "TestServer_Sweeps"},
	{"a start is written before the work begins", "jobs/queue.go", "	return q.Store.StartMany(context.Background(), runs)", "	go func() { _, _ = q.Store.StartMany(context.Background(), runs) }()\n	for i := range runs {\n		runs[i].FencingToken++\n		runs[i].Attempt++\n	}\n	return runs, nil", queue},
	{"a queue that drains hears of cancels", "jobs/queue.go", "	results.Go(func() { d.watchCancellations(draining) })\n", "	_ = draining\n", "./jobs TestQueue"},
	{"a suspect on its last chance is alone", "jobs/dispatcher.go", "case d.finalAttempt(run):\n", "case false:\n", queue},
	{"searches do not hold up the queue", "db/sqlite/read.go", "s.readers[app.ForQueue], waitingRuns", "s.readers[app.ForLong], waitingRuns", "./db/sqlite Reads_"},
	{"searches do not hold up the pages", "db/sqlite/read.go", "		ctx = long(ctx)\n", "", "./db/sqlite Reads_"},
	{"searches do not hold up the hub", "handlers/live/hub.go", "	ctx = app.WithPurpose(ctx, app.ForLive)\n", "", "./handlers/live ."},
	{"suspects do not hide what is behind them", "jobs/dispatcher.go", "limit := prefetchFactor*d.queue.Workers + d.skipped", "limit := prefetchFactor * d.queue.Workers", "./jobs Suspects_"},
	{"a run that is back before its worker is found", "jobs/dispatcher.go", "more = more || assigned && mine.Version != run.Version", "_ = mine", "./jobs Queue_"},
	{"a deadline does not outlast its write", "handlers/ws/netconn.go", "	return c.SetWriteDeadline(time.Time{}) // otherwise", "	return nil // otherwise", "./handlers/ws NetConn_"},
	{"a socket that comes late leaves as well", "handlers/sockets.go", "	s.open[one] = struct{}{}\n	if s.closed {", "	s.open[one] = struct{}{}\n	if false {", "./handlers Socket_"},
	{"a snapshot comes before what follows it", "handlers/live/subscriber.go", "follows := !first && current.number == s.sent+1", "follows := true", hub},
	{"whoever joins sees what is read afterwards", "handlers/live/hub.go", "	v.dirty = true // what the view shows", "	// what the view shows", hub},
	{"what costs much holds nobody up", "handlers/live/hub.go", "cmp.Compare(a.cost(), b.cost())", "0", hub},
	{"what costs much has its turn", "handlers/live/hub.go", "a.renderedAt.Compare(b.renderedAt)", "0", hub},
	{"a panic in one view spares the others", "handlers/live/hub.go", `	defer func() {
		if panicked := recover(); panicked != nil {`, `	defer func() {
		if panicked := any(nil); panicked != nil {`, hub},
	{"a newer cell is not replaced by an older one", "static/app.js", "Number(present.dataset.version) > Number(incoming.dataset.version)", "false", inBrowser + "TestAnOlderCell"},
	{"other sites may not act", "handlers/security.go", `case c.Path() == "/up", o.allows(c):`, `case c.Path() == "/up", c.Method() == fiber.MethodPost, o.allows(c):`, overHTTP + "Site|Origin|BadInput|Cross|WhoMay"},
	{"other sites may not watch", "handlers/security.go", `return canonical(origin) == canonical(scheme+"://"+host)`, `return canonical(origin) != "" && scheme+host != ""`, overHTTP + "OnlyOurPages"},
	{"other sites may not read", "handlers/security.go", `case c.Path() == "/up", o.allows(c):`, `case c.Path() == "/up", c.Method() == fiber.MethodGet, o.allows(c):`, overHTTP + "WhoMay"},
	{"other names are not ours", "handlers/security.go", `if host != "localhost" && !o.hosts[host] && net.ParseIP(host) == nil {`, `if host == "nobody's" {`, overHTTP + "WhoMayDoWhat"},
	{"a password is asked for", "handlers/logins.go", "return known&right == 1", `return known&right == 1 || password != ""`, overHTTP + "Password|Auth|Credentials"},
	{"guesses are limited", "handlers/logins.go", "if wait := l.limit.take(address, now); wait > 0 {", "if wait := l.limit.take(address, now); wait > time.Hour {", "./handlers TestLogins"},
	{"a panic in a handler is an answer", "handlers/server.go", "	r.Use(recover.New(recover.Config{EnableStackTrace: true, StackTraceHandler: s.logPanic}))\n", "	_ = recover.Config{StackTraceHandler: s.logPanic}\n", "./handlers ."},
	{"a write to a socket has a deadline", "handlers/ws/netconn.go", "if err := c.SetWriteDeadline(time.Now().Add(timeout)); err != nil {", "if err := c.SetWriteDeadline(time.Time{}); err != nil {", "./handlers TakesNoFrames"},
	{"a silent peer is cut", "handlers/ws/conn.go", "	return c.socket.SetReadDeadline(time.Now().Add(c.timeouts.PongTimeout))", "	return nil", "./handlers Silent"},
	{"a client that speaks is cut", "handlers/ws/conn.go", "	return errUnexpectedData\n", "	select {}\n", overHTTP + "Speaks"},
	{"a quiet socket has a heartbeat", "handlers/ws/conn.go", "now.Sub(c.lastSent) >= c.timeouts.HeartbeatInterval\n", "false\n", "./handlers TestSocket_Heartbeat"},
	{"a deletion is told", "handlers/live/hub.go", "unchanged := v.isIdleRun() && exists && revision == v.revision", "unchanged := v.isIdleRun() && (!exists || revision == v.revision)", hub},
	{"a log that is not whole ends visibly", "handlers/logs.go", "if over, err := l.send(w); err != nil || !over {", "if over, err := l.send(w); err != nil && !over {", overHTTP + "TestFollow_IsCut"},
	{"sockets have a limit before the upgrade", "handlers/slots.go", "case s.open >= s.max:", "case false:", overHTTP + "SocketsAreCounted"},
}
