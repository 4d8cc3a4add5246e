// Measures the latency from the commit of a change to its display in this tab, over the last minute. Only the
// browser knows when it paints, so it measures here, without requests to the server.
"use strict";

(() => {
  const most = 5000;     // samples that are kept, about as many as five frames a second bring in a minute
  const period = 60_000; // ms that a sample counts

  let skew = 0; // ms that the server's clock is ahead of the estimate of clock.js

  let samples = [];      // {at, delay} in ms, oldest first
  let shown = new Map(); // version of each run on the page, by id
  let waited = false;    // whether freeze.js held new rows back
  let old = true;        // whether the next frame may show old changes: first of a socket, or after a pause
  let next = 0;          // the requested animation frame
  const lookAnew = () => { old = true; };
  document.addEventListener("htmx:ws:after:connection", lookAnew);
  document.addEventListener("click", (event) => { if (event.target.id === "pause") lookAnew(); });
  document.addEventListener("runboard:clock", () => { [skew, samples] = [0, []]; });
  // A hidden tab paints only when it is shown again.
  document.addEventListener("visibilitychange", () => cancelAnimationFrame(next));

  const idOf = (cell) => Number(cell.id.split("_")[2]);

  // newest returns the id above which a run that appears on the page has just been created. A run with a
  // lower id may only have moved into the place of another. If freeze.js held rows back, or the list has newer
  // pages, an upper bound or a search, a run may appear long after its change, so none counts.
  function newest() {
    const asked = new URLSearchParams(location.search);
    if (waited || asked.get("after") || asked.get("until") || asked.get("q")) return Infinity;
    return shown.size === 0 ? 0 : Math.min(...shown.keys());
  }

  // look records the versions on the page, and returns the times of the changes that were not on it before.
  function look() {
    const now = new Map(), times = [], from = newest();
    for (const cell of document.querySelectorAll("td[data-at]")) {
      const id = idOf(cell), version = Number(cell.dataset.version), before = shown.get(id);
      now.set(id, version);
      if (before === undefined ? id > from : version > before) times.push(Number(cell.dataset.at));
    }
    shown = now;
    waited = document.getElementById("new_runs")?.hidden === false;
    return times;
  }

  // sample records the age of changes that have just been painted. A negative age is impossible, so it shows
  // that the estimate of the server's clock is off, and corrects skew.
  function sample(times) {
    const at = serverNow();
    for (const time of times) {
      skew = Math.max(skew, time - at);
      samples.push({ at, delay: at + skew - time });
    }
  }

  document.addEventListener("htmx:after:swap", (event) => {
    const times = look();
    // Only frames count; responses to removed links end up here, too.
    if (event.detail.ctx.request || !event.target.hasAttribute?.("hx-ws:connect")) return;
    // The timeout of an animation frame runs right after the paint.
    if (!old && times.length > 0) next = requestAnimationFrame(() => setTimeout(sample, 0, times));
    old = false;
  });
  document.addEventListener("DOMContentLoaded", look);

  const words = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);

  setInterval(() => {
    const place = document.getElementById("latency"), since = serverNow() - period;
    samples = samples.filter(({ at }) => at > since).slice(-most);
    if (!place) return;
    const delays = samples.map(({ delay }) => delay).sort((a, b) => a - b);
    const within = (part) => words(delays[Math.ceil(part * delays.length) - 1]);
    const text = delays.length === 0 ? "" : `Updates in ${within(0.5)} (p99 ${within(0.99)})`;
    if (place.textContent !== text) place.textContent = text;
  }, 1000);
})();
