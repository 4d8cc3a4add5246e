// Package app is the domain of Runboard: runs, filters, bulk actions, statistics, errors, and the interfaces
// of the stores. It imports only the standard library, and every other package imports it.
//
// # Terms
//
//   - A process run, or run, is one row: one task that a user or a program started.
//   - Its status says how far it has come (see [Status]). Its version counts its visible changes, from 1.
//   - Its kind names the code that does its work.
//   - An attempt is one try at the work. A try that a crash or a shutdown interrupted does not count.
//   - A fencing token is raised with every start of a run. Writes that carry an older token are refused.
//   - The log of a run has the output of all its attempts. An offset is a position in it, in bytes.
//   - A batch has the runs that one request created; their ids are consecutive.
//   - A notification says that something changed, after the commit, and nothing more (see [Notifier]).
//   - A query asks for a list, such as "the newest failed runs"; a page is the answer.
package app
