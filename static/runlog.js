// The scripts of the log. Only pages with a log load them.
// The first one is an import of the others: the browser loads it at the same time, and not after those.
import "./loglines.js";
import "./log.js";
import "./loglinks.js";
import "./logtools.js";
import "./logsearch.js";
