// Package app is the vocabulary of Runboard: the types that every other package speaks in and the
// interfaces through which they meet. It imports nothing but the standard library, and nothing in
// it does any work.
//
// # Glossary
//
//   - A process run, or run, is one row: one long task that somebody started.
//   - Its status says how far it has come (see [Status]); its version counts the changes that
//     could be seen, from 1.
//   - Its kind names the code that does its work.
//   - An attempt is one try at the work that counts. A try that was interrupted, by a crash or by
//     a shutdown, does not count.
//   - A claim is the right to report on a run. It is renewed at each start, so that whoever holds
//     an older one is refused.
//   - The log of a run is what its work writes, line by line, over all attempts. An offset is a place
//     in it, in bytes from the very first one.
//   - A batch is what one request created: runs with consecutive ids, written together.
//   - The bell says "something changed" after each commit, and nothing more (see [Notifier]).
//   - A flow is how many runs were created, started, completed and so on within some time.
//   - A query is the question that a list answers, for instance "the newest failed runs".
//   - A page is the answer.
package app
