// Package app is the domain of Runboard: runs, filters, bulk actions, statistics, errors, and the interfaces
// of the stores. It imports only the standard library; most other packages import it.
//
// # Terms
//
//   - A process run, or run, is one row: one task that a user or a program started.
//   - Its status says how far it has come (see [Status]). Its version counts its visible changes, from 1.
//   - Its kind names the code that does its work.
//   - An attempt is one try at the work. A try that a crash or a shutdown interrupted does not count.
//   - A fencing token is raised with every start of a run. Writes that carry an older token are refused.
//   - The log of a run has the output of all its attempts. An offset is a position in it, in bytes.
//   - A run is requeued if a shutdown interrupted its attempt, and rescued if the process or the node that
//     worked on it died. A failed or cancelled run can be retried.
//   - A run is quarantined, so that it runs alone, if the next crash would fail it.
//   - A batch has the runs that one request created; their ids are consecutive.
//   - A bulk action cancels, retries or deletes many runs. A bulk run performs it, within its preview.
//   - A node is one of several processes that share a database. It works only while it has a lease.
//   - A notification says that something changed, after the commit, and nothing more (see [Notifier]).
//   - A query asks for a list, such as "the newest failed runs"; a page is the answer.
//
// # The life of a run
//
//   - Package handlers and board.Enqueue create it with [Store].Create.
//   - A jobs.Queue or, on several nodes, a cluster.Engine starts it when it is due. A jobs.Executor calls its
//     work function.
//   - [Store].Cancel cancels it, or requests that. Then jobs.Executor.WatchCancellations ends the context of
//     the work.
//   - The executor retries it as jobs/retry.go says, and users with [Store].Retry.
//   - Each of these changes is a function in transition.go. The stores in db apply it and notify.
//   - Package handlers/live reads it again after a notification, and package templates renders it.
package app
