// The scripts of the log. Only pages with a log load them.
import "./log.js";
import "./loglinks.js";
import "./logtools.js";
import "./logsearch.js";
