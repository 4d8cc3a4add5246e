// Measures the latency from the commit of a change to its display in this tab, over the last minute. Only the
// browser knows when it paints, so it measures here, without requests to the server.
import { onClockSet, serverNow } from "./clock.js";
import { onConnected, onSwap } from "./events.js";
import { find, ids, runOf, setText } from "./page.js";

const maxSamples = 5000; // about as many as five frames a second bring in a minute
const period = 60_000;   // ms that a sample counts

let skew = 0;            // ms that the server's clock is ahead of the estimate of clock.js
let samples = [];        // {at, latency} in ms, oldest first
let versions = new Map(); // version of each run on the page, by its number
let hadHiddenRuns = false; // whether freeze.js held new rows back
let isFirstFrame = true; // whether the next frame may show old changes: first of a socket, or after a pause
let nextPaint = 0;       // the requested animation frame

const expectOldChanges = () => { isFirstFrame = true; };
onConnected(expectOldChanges);
document.addEventListener("click", ({ target }) => {
  if (target.id === ids.pause) expectOldChanges();
});
onClockSet(() => {
  skew = 0;
  samples = [];
});
// A hidden tab paints only when it is shown again.
document.addEventListener("visibilitychange", () => cancelAnimationFrame(nextPaint));

// newestKnownRun returns the highest number up to which a run that appears on the page may be an old one: it
// may only have moved into the place of another. If freeze.js held rows back, or the list has newer pages, an
// upper bound or a search, any run may appear long after its change.
function newestKnownRun() {
  const query = new URLSearchParams(location.search);
  if (hadHiddenRuns || query.get("after") || query.get("until") || query.get("q")) return Infinity;
  return versions.size === 0 ? 0 : Math.min(...versions.keys());
}

// readChanges records the versions on the page, and returns the times of the changes that are new on it.
function readChanges() {
  const present = new Map();
  const times = [];
  const newestKnown = newestKnownRun();
  for (const cell of document.querySelectorAll("td[data-at]")) {
    const run = runOf(cell);
    const version = Number(cell.dataset.version);
    const before = versions.get(run);
    present.set(run, version);
    if (before === undefined ? run > newestKnown : version > before) times.push(Number(cell.dataset.at));
  }
  versions = present;
  hadHiddenRuns = find(ids.newRuns)?.hidden === false;
  return times;
}

// addSamples records the age of changes that have just been painted. A negative age is impossible, so it
// shows that the estimate of the server's clock is off, and corrects skew.
function addSamples(times) {
  const at = serverNow();
  for (const time of times) {
    skew = Math.max(skew, time - at);
    samples.push({ at, latency: at + skew - time });
  }
}

readChanges();
onSwap(({ isFrame }) => {
  const times = readChanges();
  if (!isFrame) return;
  // The timeout of an animation frame runs right after the paint.
  if (!isFirstFrame && times.length > 0) {
    nextPaint = requestAnimationFrame(() => setTimeout(addSamples, 0, times));
  }
  isFirstFrame = false;
});

const format = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);

function show() {
  const since = serverNow() - period;
  samples = samples.filter(({ at }) => at > since).slice(-maxSamples);
  const place = find(ids.latency);
  if (!place) return;
  const latencies = samples.map(({ latency }) => latency).sort((a, b) => a - b);
  const percentile = (part) => format(latencies[Math.ceil(part * latencies.length) - 1]);
  setText(place, latencies.length === 0 ? "" : `Updates in ${percentile(0.5)} (p99 ${percentile(0.99)})`);
}
setInterval(show, 1000);
