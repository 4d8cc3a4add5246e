// The scripts of the pages. Without them the pages still work, by reload.
// The first ones are imports of the others: the browser loads them at the same time, and not after those.
import "./page.js";
import "./events.js";
import "./clock.js";
import "./connection.js";
import "./notices.js";
import "./requests.js";
import "./cells.js";
import "./announce.js";
import "./run.js";
import "./times.js";
import "./forms.js";
import "./freeze.js";
import "./rows.js";
import "./filters.js";
import "./bulk.js";
import "./kinds.js";
import "./triage.js";
import "./shortcuts.js";
import "./latency.js";
