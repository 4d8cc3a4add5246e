// How long it takes from the commit of a change to the moment this tab shows it, for the last minute. The figure is made
// here, because only here is known when something is seen; it asks the server nothing.
"use strict";

(() => {
  const most = 5000;     // samples that are kept: a minute of five frames a second has room for few more
  const period = 60_000; // ms, how long a sample counts

  let skew = 0; // how far the server's clock is ahead of what clock.js takes it for, in ms

  let samples = [];      // {at, delay} in ms, the oldest first
  let shown = new Map(); // the version of each run on the page
  let waited = false;    // whether new rows were kept back by calm.js
  let old = true;        // whether the next frame may show what changed long ago: the first of a socket, or after a pause
  let next = 0;          // the painting that is waited for
  const lookAnew = () => { old = true; };
  document.addEventListener("htmx:ws:after:connection", lookAnew);
  document.addEventListener("click", (event) => { if (event.target.id === "pause") lookAnew(); });
  document.addEventListener("runboard:clock", () => { [skew, samples] = [0, []]; });
  document.addEventListener("visibilitychange", () => cancelAnimationFrame(next)); // what is hidden is painted when it is not

  const idOf = (cell) => Number(cell.id.split("_")[2]);

  // newest is above which number a run that is new on the page has just changed. Others may only move up to where one
  // went, or come into a list that says more than how runs are.
  function newest() {
    const asked = new URLSearchParams(location.search);
    if (waited || asked.get("after") || asked.get("until") || asked.get("q")) return Infinity;
    return shown.size === 0 ? 0 : Math.min(...shown.keys());
  }

  // look notes what the page shows, and returns when that was made which it did not show before.
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

  // sample notes how old changes are that have just been painted. None is seen before it is made: if it seems so, the
  // clocks differ by more than was thought.
  function sample(times) {
    const at = serverNow();
    for (const time of times) {
      skew = Math.max(skew, time - at);
      samples.push({ at, delay: at + skew - time });
    }
  }

  document.addEventListener("htmx:after:swap", (event) => {
    const times = look();
    if (event.detail.ctx.request || !event.target.hasAttribute?.("hx-ws:connect")) return; // a link that is gone is told of its answer there
    if (!old && times.length > 0) next = requestAnimationFrame(() => setTimeout(sample, 0, times)); // which is after the painting
    old = false;
  });
  document.addEventListener("DOMContentLoaded", look);

  const words = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);

  setInterval(() => {
    const place = document.getElementById("delay"), since = serverNow() - period;
    samples = samples.filter(({ at }) => at > since).slice(-most);
    if (!place) return;
    const delays = samples.map(({ delay }) => delay).sort((a, b) => a - b);
    const within = (part) => words(delays[Math.ceil(part * delays.length) - 1]);
    const text = delays.length === 0 ? "" : `Updates in ${within(0.5)} (p99 ${within(0.99)})`;
    if (place.textContent !== text) place.textContent = text;
  }, 1000);
})();
