package main

import "slices"

const (
	store     = "./db/sqlite TestSQLite_Is"
	hub       = "./handlers/live ."
	queue     = "./jobs ."
	overHTTP  = "./e2e/http "
	inBrowser = "./e2e/browser "
	onNodes   = "./e2e/cluster "
	chaos     = "./e2e/chaos "
)

var mutants = slices.Concat(oneProcess, severalNodes)

// oneProcess are the mutants of a board with SQLite, and of what both stores share.
var oneProcess = []mutant{
	{"a start requires a created run", "app/transition.go", "	if run.Status != Created {\n", "	if false {\n", "./app TestTransitions"},
	{"a batch of starts changes only created runs", "db/sqlite/many.go", "AND +status = :created\n", "AND +status < 5\n", store},
	{"a batch of completions changes only started runs", "db/sqlite/many.go", "AND +status = :started AND cancel_requested_at = 0", "AND cancel_requested_at = 0", store},
	{"a batch of completions checks the fencing tokens", "db/sqlite/many.go", "AND fencing_token = mine.value", "AND mine.value > 0", store},
	{"a batch of completions skips runs with a cancel request", "db/sqlite/many.go", "AND +status = :started AND cancel_requested_at = 0", "AND +status = :started", store},
	{"a result needs the fencing token of its attempt", "db/sqlite/transition.go", "!found || current.FencingToken != run.FencingToken", "!found", store},
	{"a progress update needs the fencing token", "db/sqlite/log.go", "WHERE id = ?4 AND status = :started AND fencing_token = ?5", "WHERE id = ?4 AND status = :started AND ?5 > 0", store},
	{"only final runs are pruned", "db/sqlite/prune.go", "!found || !run.Status.Final() {", "!found {", store},
	{"logs of the runs that finished first are trimmed first", "db/query/trim.go", "ORDER BY finished_at, run_id", "ORDER BY run_id", store},
	{"only the current attempt advances a bulk action", "db/query/bulkactions.go", "if !mine {", "if !mine && false {", store},
	{"a bulk action skips runs that were not in its preview", "db/sqlite/bulk.go", "	if err != nil || entered {", "	if err != nil || entered && false {", store},
	{"a bulk action larger than its preview is refused", "db/query/bulkactions.go", "	if a.refused != nil {", "	if a.refused != nil && false {", store},
	{"a time filter checks each run", "db/query/list.go", `l.require("created_at >= ?", since)`, `l.require("created_at >= ? - 1000000000000", since)`, "./db/sqlite TestFilter_"},
	{"a group that was quiet for a day returns", "app/failure.go", "f.Runs == 0 || next.Quiet() >= ResolvedAfter", "f.Runs == 0", "./app TestFailAgain_"},
	{"a shorter pause does not replace a recurrence", "app/failure.go", "next.Quiet() <= f.Recurrence.Quiet()", "next.Quiet() < 0", "./app TestFailAgain_"},
	{"a recurrence is saved with the failed run", "db/query/failure.go", "before.FailAgain(FromMillis(group.At)); returned {", "before.FailAgain(FromMillis(group.At)); returned && false {", store},
	{"a mute ends by itself", "db/query/failure.go", "if f.MutedUntil > Millis(now) {", "if f.MutedUntil > 0 {", store},
	{"muted runs do not count as failures", "app/run.go", "return o.Counts[Failed] - o.Muted", "return o.Counts[Failed]", store},
	{"a group with a note is kept", "db/sqlite/failure.go", "WHERE n = 0 AND note = '' AND muted_until <= ? AND last_at < ?", "WHERE n = 0 AND muted_until <= ? AND last_at < ?", "./db/sqlite TestFailures_Keep"},
	{"an idempotency key creates runs once", "db/sqlite/create.go", "	if found {\n", "	if found && false {\n", store},
	{"a mapping of the kinds file has a limit", "board/kindsfile/shape.go", "s.open[last].keys > maxKeys", "s.open[last].keys > 1000*maxKeys", "./board/kindsfile TestFile_RefusesWhatTakesLong"},
	{"the depth of the kinds file has a limit", "board/kindsfile/shape.go", "len(s.open) > maxDepth", "len(s.open) > 1000*maxDepth", "./board/kindsfile TestFile_RefusesWhatTakesLong"},
	{"a name beginning with INPUT_ cannot be set", "board/kindsfile/command.go", "case strings.HasPrefix(name, \"INPUT_\"), strings", "case strings", "./board/kindsfile TestFile_"},
	{"a default is checked as a word of the command", "board/kindsfile/inputs.go", "if !input.Word || input.Default == nil {", "if input.Word || input.Default == nil {", "./board/kindsfile TestFile_"},
	{"env may not split text into words", "jobs/template.go", "g.interpreter == \"env\" && splitOption", "g.interpreter == \"\" && splitOption", "./jobs TestTemplate_"},
	{"a fault of the kinds file replaces nothing", "board/offer.go", "	if err != nil {\n		return nil, err\n	}\n	kinds := slices.Concat", "	if err != nil && len(fromFile) > 0 {\n		return nil, err\n	}\n	kinds := slices.Concat", "./e2e/http TestReload_Replaces"},
	{"the key of secrets must be private", "board/secrets.go", "info.Mode().Perm()&0o077 != 0", "info.Mode().Perm()&0o007 != 0", "./e2e/http TestSecretKey_"},
	{"a simulated kind is offered only with --demo", "board/offer.go", "len(kinds) == 0 || o.config.Demo", "len(kinds) < 3 || o.config.Demo", "./e2e/http TestKindsFile_KindsCome"},
	{"inputs of Enqueue are checked", "board/enqueue.go", "checked, err := app.InputsOfJSON(inputs, object)", "checked, _ := app.InputsOfJSON(inputs, object)", "./board TestEnqueue_ChecksInputs"},
	{"an idempotency key covers the inputs", "db/query/create.go", " || r.Inputs != request.Fingerprint {", " {", store},
	{"a run that had a secret is not retried", "db/query/inputs.go", "err != nil || !had {", "err != nil || had || !had {", store},
	{"secrets are deleted when a run finishes", "db/sqlite/migrations/00001_schema.sql", "WHEN new.inputs > 0 AND new.status > 1 BEGIN", "WHEN new.inputs > 0 AND new.status > 2 BEGIN", store},
	{"deleted secrets are overwritten", "db/sqlite/migrations/00001_schema.sql", "  UPDATE run_secrets SET value = zeroblob(length(value)) WHERE run_id = new.id;\n", "", "./db/sqlite Secret_"},
	{"inputs are deleted with their run", "db/sqlite/migrations/00001_schema.sql", "  DELETE FROM run_inputs WHERE run_id = old.id;\n", "", store},
	{"a search does not find secrets", "db/query/inputs.go", "		if input.Type != app.SecretInput && input.Type != app.FlagInput {", "		if input.Type != app.FlagInput {", store},
	{"a filter by inputs checks every input", "db/query/list.go", "		l.restrict(condition, args...)\n		l.inputs", "		_, _ = condition, args\n		l.inputs", store},
	{"a filter by inputs stops at its limit", "db/query/intersection.go", "	if w.limit <= 0 {", "	if false {", store},
	{"the number of created runs has a limit", "db/sqlite/create.go", "return query.CheckCapacity(tx.counts[app.Created], count, tx.options.MaxPending)", "return query.CheckCapacity(tx.counts[app.Created], count, 0)", store},
	{"subscribers are notified after the commit", "db/sqlite/writer.go", `	if err := tx.Exec("COMMIT"); err != nil {
		return nil, errors.Join(errNoTransaction, err)
	}
	if flushed {
		w.rollups.Forget()
	}
	w.committed(tx)`, `	w.committed(tx)
	if err := tx.Exec("COMMIT"); err != nil {
		return nil, errors.Join(errNoTransaction, err)
	}
	if flushed {
		w.rollups.Forget()
	}`, "./db/sqlite TestNotifier_"},
	{"a failed commit is an error", "db/sqlite/writer.go", `	if err := tx.Exec("COMMIT"); err != nil {`, `	if err := tx.Exec("COMMIT"); err != nil && false {`, "./db/sqlite TestFault_"},
	{"a panic in a write fails only that write", "db/sqlite/writer.go", "if panicked := recover(); panicked != nil {", "if panicked := any(nil); panicked != nil {", "./db/sqlite TestWriter_"},
	{"a search does not find an error that was cleared", "db/sqlite/search.go", "		DELETE FROM run_search WHERE rowid = old.id * 1048576;", "		SELECT 1;", "./db/sqlite TestSQLite_IsStore/Search"},
	{"a search does not find bulk actions", "db/query/search.go", "return slices.Contains(app.BulkKinds(), kind)", "return slices.Contains(app.BulkKinds(), kind) && false", "./db/sqlite TestSQLite_IsStore/Search"},
	{"a run among the running ones is not in the list", "db/query/page.go", "	in := l.within(IDRange{Before: before})", "	in := l.within(allIDs)", "./db/sqlite TestSQLite_IsStore/Around"},
	{"an undo leaves a run alone that has changed", "db/query/undo.go", "	if run.Version == version && run.Status == app.Cancelled {", "	if run.Status == app.Cancelled {", "./db/sqlite TestSQLite_IsStore/Undo"},
	{"an undo changes only what the action cancelled", "db/query/undo.go", "	return is && run.Status == app.Cancelled, err", "	return run.Status == app.Cancelled, err", "./db/sqlite TestSQLite_IsStore/Undo"},
	{"a frame has only the cells that changed", "templates/row.go", "	if before == after {", "	if before != before {", "./templates TestCellsFrame_"},
	{"a search for newer runs resumes where it stopped", "app/page.go", "	if p.SearchCursor > 0 && p.Query.Direction == After {", "	if false {", "./db/sqlite TestSQLite_IsStore/Search"},
	{"a search finds a word split across two log parts", "db/query/logpart.go", "	if begun := LastWord(app.PlainText(p.Before)); begun != \"\" {", "	if begun := LastWord(app.PlainText(p.Before)); begun == \"-\" {", "./db/sqlite TestSQLite_IsStore/Search"},
	{"a cancelled call is not executed", "db/sqlite/call_state.go", "return c.state.CompareAndSwap(0, callCancelled)", "return true", "./db/sqlite TestWriter_SkipsCancelled"},
	{"a caller waits for a call that has begun", "db/sqlite/writer.go", "		return <-request.done // apply", "		return query.Unavailable(ctx.Err()) // its", "./db/sqlite TestWriter_FinishesBegun"},
	{"only one process opens a database file", "db/sqlite/lock.go", "locked, err := lock.TryLock()", "locked, err := true, error(nil)", "./db/sqlite TestLock_"},
	{"a deleted database takes no writes", "db/sqlite/writer.go", "if gone := w.checkFiles(); gone != nil {", "if gone := w.checkFiles(); gone != nil && false {", "./db/sqlite Database_"},
	{"an idle writer notices a deleted database", "db/sqlite/writer.go", "			_ = w.checkFiles()\n", "", "./db/sqlite Database_"},
	{"a symbolic link to a missing file is followed", "db/sqlite/path.go", "			name = real + string(filepath.Separator) + target\n", "			return name, nil\n", "./db/sqlite Link_"},
	{"other users cannot read the database file", "db/sqlite/file.go", "info.Mode().Perm()&0o077 == 0", "info.Mode().Perm() != 0", "./db/sqlite Database_"},
	{"a run that crashes too often fails", "app/transition.go", "	if crashes >= maxCrashes {\n", "	if false {\n", "./db/sqlite TestCrash_"},
	{"a panic in work fails only its run", "jobs/executor.go", `			if panicked := recover(); panicked != nil {
				reason`, `			if panicked := any(nil); panicked != nil {
				reason`, queue},
	{"inputs are checked again before an attempt", "jobs/executor_inputs.go", "	values, err = app.RecheckInputs(kind.Info.Inputs, values)\n", "", "./jobs NoLongerFit"},
	{"a run without its secret fails for good", "jobs/executor_inputs.go", "		case errors.Is(err, app.ErrSecretUnknown):\n", "		case false:\n", "./jobs WithoutItsSecret"},
	{"secrets that two writes split are masked", "jobs/mask.go", "if incomplete && !last {", "if incomplete && last {", "./jobs Mask"},
	{"the second of two secrets that overlap is masked", "jobs/mask.go", "s.masked = max(s.masked, length)", "if s.masked == 0 {\n			s.masked = length\n		}", "./jobs Mask"},
	{"secrets that escape sequences divide are masked", "jobs/lines.go", "text := line.masked(w.run.masker, true) // again", "text := line // again", "./jobs MasksSecretsInAll"},
	{"the supervisor removes the inputs", "jobs/command/main.go", "	for _, dir := range spec.Remove {\n		if result.Left", "	for _, dir := range spec.Remove[:0] {\n		if result.Left", chaos + "TestServer_Removes"},
	{"a cancel request reaches work that begins later", "jobs/executor.go", "		case <-e.cancels.activated():\n", "", "./jobs CancelsWorkThatBegins"},
	{"a kind has its own timeout", "jobs/executor.go", "kind.Info.WithDefaults(e.RunTimeout, e.MaxAttempts)", "app.Policy{}.WithDefaults(e.RunTimeout, e.MaxAttempts)", "./jobs LimitsOfAKind"},
	{"work waits while too much of its log is unsaved", "jobs/run.go", "if r.stuck || r.lines.size < maxUnsaved {", "if true {", "./jobs FastWriterWaits"},
	{"lines beyond the log limit do not block work", "jobs/run.go", "	r.lines.trim(limit)\n", "", "./jobs TestRun_"},
	{"a line that is open before a gap is counted once", "db/query/lineindex.go", "			c.begun--\n", "			_ = number\n", store},
	{"private sequences are not styles", "jobs/terminal.go", "if !private && (before", "if (!private || true) && (before", "./jobs TestLineWriter_KeepsStyles"},
	{"log parts before a gap are dropped", "db/query/logpart.go", "		dropBefore = last.Stop\n", "", store},
	{"work does not wait long for a stuck database", "jobs/run.go", "if r.stuck || r.lines.size < maxUnsaved {", "if r.lines.size < maxUnsaved {", "./jobs StuckDatabase"},
	{"the first deadline of a command is final", "jobs/command/main.go", "	if s.deadline == nil {\n", "	if true {\n", "./jobs/command ."},
	{"a stopped supervisor is continued", "jobs/command/supervisor.go", "_ = p.supervisor.Process.Signal(syscall.SIGCONT)", "_ = syscall.SIGCONT", "./jobs TestCommand_MayStop"},
	{"a supervisor that is stopped again and again is killed", "jobs/command/supervisor.go", "if stops >= maxStops || late > commandOverdue {", "if false {", "./jobs TestCommand_CannotKeep"},
	{"the environment of the server is hidden from commands", "jobs/command/guard_linux.go", "hidden := hideEnvironment()", "var hidden error", chaos + "TestServer_Hides"},
	{"a command inherits no file descriptors", "jobs/command/system_linux.go", "	return keepDescriptors()\n", "	return nil\n", "./jobs TestCommand_SeesNothing"},
	{"a command that cannot be killed is abandoned", "jobs/command/main.go", "tried > foreignKillTimeout && allForeign", "allForeign && foreign < 0", "./jobs UnkillableIsAbandoned"},
	{"a result before the time-out is kept", "jobs/ending.go", "		if errors.Is(end.cause, ErrTimeout) {\n", "		if false {\n", chaos + "TestServer_Paused"},
	{"the sweep skips a run directory in use", "jobs/command/sweep_linux.go", "	if !unused {\n", "	if !unused && len(dir) == 0 {\n", chaos + "TestServer_Sweeps"},
	{"a start is committed before the work begins", "jobs/dispatcher.go", "	started, err := d.queue.Store.StartMany(context.Background(), runs)\n", "	started, err := append([]app.ProcessRun(nil), runs...), error(nil)\n	for i := range started {\n		started[i].FencingToken++\n		started[i].Attempt++\n	}\n	go func() { _, _ = d.queue.Store.StartMany(context.Background(), runs) }()\n", queue},
	{"a draining queue sees cancel requests", "jobs/queue.go", "	watching, stopWatching := context.WithCancel(lifecycle.Work)\n", "	watching, stopWatching := context.WithCancel(lifecycle.Fetch)\n", "./jobs TestQueue"},
	{"one quarantined run is executed at a time", "jobs/prefetch.go", "case quarantined && busy.quarantined != 0:\n", "case false:\n", "./jobs TestQuarantine"},
	{"searches do not delay the queue", "db/sqlite/queue.go", "s.readers[app.ForQueue], dueRuns", "s.readers[app.ForLong], dueRuns", "./db/sqlite Reads_"},
	{"searches do not delay other pages", "db/query/list.go", "		return forLong(ctx)\n", "		return ctx\n", "./db/sqlite Reads_"},
	{"searches do not delay the hub", "handlers/live/hub.go", "	ctx = app.WithPurpose(ctx, app.ForLive)\n", "", "./handlers/live ."},
	{"a run waits while its limit is full", "jobs/prefetch.go", "		case busy.limits.free(run) <= 0:\n", "		case false:\n", "./jobs TestPrefetch_"},
	{"runs of a full kind do not hide others", "jobs/limits.go", "		case l.inKind[name] < policy.Concurrency:\n", "		case l.inKind[name] >= 0:\n", "./jobs TestLimits_"},
	{"runs with a full key do not hide others", "jobs/limits.go", "if key.kind == kind && n >= concurrency {", "if key.kind == kind && n > concurrency {", "./jobs TestLimits_Fetch"},
	{"runs of a paused kind are not fetched", "db/sqlite/queue.go", "AND NOT EXISTS (SELECT 1 FROM paused_kinds WHERE kind = ?%[1]d) ORDER", "ORDER", "./db/sqlite TestSQLite_IsQueueStore"},
	{"prefetched runs of a paused kind do not start", "db/sqlite/many.go", "			AND kind NOT IN (SELECT kind FROM paused_kinds)\n", "", "./db/sqlite TestSQLite_IsQueueStore"},
	{"a run that returns to created is found by its key", "db/sqlite/migrations/00001_schema.sql", "WHEN new.concurrency_key <> '' AND new.status = 0 AND old.status <> 0 BEGIN", "WHEN new.concurrency_key <> '' AND new.status = 9 AND old.status <> 0 BEGIN", "./db/sqlite TestFetchDue_"},
	{"a run that starts leaves its key to the next one", "db/sqlite/migrations/00001_schema.sql", "WHEN new.concurrency_key <> '' AND new.status <> 0 AND old.status = 0 BEGIN", "WHEN new.concurrency_key <> '' AND new.status > 9 AND old.status = 0 BEGIN", "./db/sqlite TestFetchDue_"},
	{"a retry counts by the keys of its kind", "db/query/rekey.go", "	if definitions == nil || run.ConcurrencyKey != \"\" {", "	if definitions == nil || run.ID > 0 {", store + "Store/Kind"},
	{"runs get the keys of a changed kind", "db/sqlite/rekey.go", "			continue\n", "			continue\n		}\n		if kind.Name != \"\" {\n			continue\n", "./db/sqlite TestFetchDue_"},
	{"a frame follows what a run waits for", "handlers/live/view.go", "a.Version == b.Version && a.Waiting == b.Waiting", "a.Version == b.Version", "./handlers/live TestWaiting_"},
	{"a page that changes by itself is read again", "handlers/live/view.go", "		first = loaded.ChangesAt()\n", "		_ = loaded\n", "./handlers/live TestPageView_"},
	{"a timeline has runs that went on after its window", "db/query/timeline.go", "	if !more && !t.Live {\n", "	if !more && t.Live {\n", store},
	{"a timeline leaves out runs that never started", "db/query/timeline.go", "			if run.StartedAt > 0 {\n", "			if run.StartedAt >= 0 {\n", store},
	{"a timeline counts what it cannot draw", "db/query/timeline.go", "	if more && t.fillBins() {\n", "	if false {\n", store},
	{"bars in a row do not overlap", "app/timeline_lanes.go", "	return overlap <= min(", "	return overlap != min(", "./app TestTimeline_"},
	{"a comparison ignores numbers", "app/logcompare.go", "return a == b || LinePattern(a) == LinePattern(b)", "return a == b", "./app TestCompareLogs_"},
	{"a run is not compared with itself", "handlers/compare.go", "	if left == right {\n", "	if false {\n", overHTTP + "TestComparison_Refuses"},
	{"a view is read again when a run becomes due", "handlers/live/hub.go", "			v.dirty, v.polled, v.dueAt = true, true, time.Time{}\n", "			v.dueAt = time.Time{}\n", "./handlers/live TestWaiting_"},
	{"the place of a run is read again", "handlers/live/view.go", "	case r.run.Position.Place > 0:\n", "	case r.run.Position.Place < 0:\n", "./handlers/live TestPosition_"},
	{"paused runs are not before others", "db/query/position.go", "WHERE NOT EXISTS (SELECT 1 FROM paused_kinds WHERE paused_kinds.kind = wanted.kind)\n			AND EXISTS", "WHERE EXISTS", store},
	{"a later attempt begins where the log ended", "db/query/log.go", ".fencing_token <= 1 THEN 0", ".fencing_token <= 9 THEN 0", store},
	{"a forecast needs a full round of workers", "app/forecast.go", "	return ended >= l.Running || ended >= sum.Started\n", "	return ended >= 0\n", "./app TestForecast_"},
	{"quarantined runs do not hide runs behind them", "jobs/prefetch.go", "limit := prefetchFactor*q.Workers + p.heldBack", "limit := prefetchFactor * q.Workers", "./jobs TestQuarantine"},
	{"a run requeued before its worker reports is fetched", "jobs/prefetch.go", "more = more || assigned && mine.Version != run.Version", "_ = mine", "./jobs Queue_"},
	{"a start is confirmed as it was shown", "handlers/create.go", "slices.Equal(given, []string{token}):", "len(given) > 0:", overHTTP + "TestConfirmStart"},
	{"a confirmation covers the definition of a kind", "app/confirm.go", "	add(k.Definition)\n", "", "./app ConfirmToken"},
	{"runs cannot be filtered by a secret", "handlers/params.go", "		if s.isSecret(kind, input) {", "		if false {", overHTTP + "TestInputFilter_Refuses"},
	{"JSON that is not Unicode is refused", "handlers/body.go", "if !json.Valid(body) || !isUnicode(body) {", "if !json.Valid(body) {", "./handlers ParseObject"},
	{"unknown keys of JSON are refused", "handlers/create.go", "		case !slices.Contains(createKeys, name):", "		case false:", overHTTP + "TestInputs_WrongJSON"},
	{"undeclared inputs are refused", "app/input_check.go", "		if !slices.ContainsFunc(inputs, func(i Input) bool { return i.Name == name }) {", "		if false {", "./app InputsOf"},
	{"a spreadsheet begins no cell inside the inputs", "handlers/csv.go", "return strings.ReplaceAll(string(encoded), \";\", `\\u003b`)", "return string(encoded)", overHTTP + "TestExport_CSVHas"},
	{"a write deadline is cleared after the write", "handlers/ws/netconn.go", "	return c.SetWriteDeadline(time.Time{}) // otherwise", "	return nil // otherwise", "./handlers/ws NetConn_"},
	{"a socket opened during shutdown is closed too", "handlers/sockets.go", "	s.open[one] = struct{}{}\n	if s.closed {", "	s.open[one] = struct{}{}\n	if false {", "./handlers Socket_"},
	{"a delta follows only the frame before it", "handlers/live/subscriber.go", "follows := !first && current.number == s.sent+1", "follows := true", hub},
	{"a new subscriber marks its view as dirty", "handlers/live/hub.go", "	v.dirty = true // what the view shows", "	// what the view shows", hub},
	{"searches are rendered last", "handlers/live/hub.go", "cmp.Compare(a.cost(), b.cost())", "0", hub},
	{"the view rendered longest ago is rendered first", "handlers/live/hub.go", "a.renderedAt.Compare(b.renderedAt)", "0", hub},
	{"a panic in one view does not affect other views", "handlers/live/hub.go", `	defer func() {
		if panicked := recover(); panicked != nil {`, `	defer func() {
		if panicked := any(nil); panicked != nil {`, hub},
	{"an older cell does not replace a newer one", "static/cells.js", "Number(present.dataset.version) > Number(incoming.dataset.version)", "false", inBrowser + "TestCells_Older"},
	{"older cells beside an older status do not replace newer ones", "static/cells.js", "changingCells(fragment, run))) {", "changingCells(fragment, run).slice(0, 1))) {", inBrowser + "TestCells_Older"},
	{"a row that the user acts on does not become another run's", "static/rows.js", " || isInUse(row)", "", inBrowser + "TestFrames_DoNotReuse"},
	{"rows hold still while a mouse button is down", "static/freeze.js", `list.matches(":active") || `, "", inBrowser + "TestFrames_HoldStill"},
	{"a preview sends no secrets", "templates/kinds.html", "[name]:not([type=password], ", "[name]:not(", inBrowser + "TestPreview_FollowsTheForm"},
	{"browsers check only patterns that mean the same", "templates/pattern.go", "	if re.Flags&syntax.FoldCase != 0 {", "	if false {", "./templates TestControl_Patterns"},
	{"cross-site posts are refused", "handlers/security.go", `case c.Path() == "/up", o.allows(c):`, `case c.Path() == "/up", c.Method() == fiber.MethodPost, o.allows(c):`, overHTTP + "Site|Origin|BadInput|Cross|Access_"},
	{"cross-site WebSockets are refused", "handlers/security.go", `return canonical(origin) == canonical(scheme+"://"+host)`, `return canonical(origin) != "" && scheme+host != ""`, overHTTP + "TestSocket_RefusesOtherOrigins"},
	{"cross-site reads are refused", "handlers/security.go", `case c.Path() == "/up", o.allows(c):`, `case c.Path() == "/up", c.Method() == fiber.MethodGet, o.allows(c):`, overHTTP + "TestAccess_"},
	{"an unknown host name is refused", "handlers/security.go", `if host != "localhost" && !o.hosts[host] && net.ParseIP(host) == nil {`, `if host == "unknown.example" {`, overHTTP + "TestAccess_"},
	{"a wrong password is refused", "handlers/logins.go", "return known&right == 1", `return known&right == 1 || password != ""`, overHTTP + "Password|Auth|Credentials"},
	{"password guesses are limited", "handlers/login_throttle.go", "	if wait := l.wait(address, now); wait > 0 {", "	if wait := l.wait(address, now); wait > time.Hour {", "./handlers TestLoginThrottle"},
	{"a panic in a handler is answered with an error", "handlers/server.go", "	r.Use(recover.New(recover.Config{EnableStackTrace: true, StackTraceHandler: s.logPanic}))\n", "	_ = recover.Config{StackTraceHandler: s.logPanic}\n", "./handlers ."},
	{"a write to a socket has a deadline", "handlers/ws/netconn.go", "if err := c.SetWriteDeadline(time.Now().Add(timeout)); err != nil {", "if err := c.SetWriteDeadline(time.Time{}); err != nil {", "./handlers TakesNoFrames"},
	{"a silent peer is disconnected", "handlers/ws/conn.go", "	return c.socket.SetReadDeadline(time.Now().Add(c.timeouts.PongTimeout))", "	return nil", "./handlers Silent"},
	{"a client that sends data is disconnected", "handlers/ws/conn.go", "	return errUnexpectedData\n", "	select {}\n", overHTTP + "TestSocket_ClosesAClient"},
	{"an idle socket sends heartbeats", "handlers/ws/conn.go", "now.Sub(c.lastSent) >= c.timeouts.HeartbeatInterval\n", "false\n", "./handlers TestSocket_Heartbeat"},
	{"subscribers are told of a deletion", "handlers/live/hub.go", "unchanged := v.isIdleRun() && exists && revision == v.revision", "unchanged := v.isIdleRun() && (!exists || revision == v.revision)", hub},
	{"an incomplete log response is cut off", "handlers/logs.go", "if over, err := l.send(w); err != nil || !over {", "if over, err := l.send(w); err != nil && !over {", overHTTP + "TestFollow_IsCut"},
	{"the socket limit applies before the upgrade", "handlers/slots.go", "case s.open >= s.max:", "case false:", overHTTP + "TestSocket_CountIsLimited|TestSocket_IsCounted"},
}
