// Small additions to the pages: ticking times, announcements for screen readers, and guards against double
// clicks and outdated cells. Without this file the pages still work, by reload.
"use strict";

(() => {
  // Durations, in the same words as the server (templates/functions.go).
  function rough(seconds) {
    if (seconds < 60) return `${seconds} s`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
    if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
    return `${Math.floor(seconds / 86400)} days`;
  }
  function lasting(seconds) {
    if (seconds < 60) return `${seconds} s`;
    if (seconds < 3600) return two(seconds, 60, "min", 1, "s");
    if (seconds < 172800) return two(seconds, 3600, "h", 60, "min");
    return two(seconds, 86400, "days", 3600, "h");
  }
  function two(seconds, large, unit, small, rest) {
    const left = Math.floor((seconds % large) / small);
    return `${Math.floor(seconds / large)} ${unit}${left ? ` ${left} ${rest}` : ""}`;
  }
  const phrases = {
    ago: (s) => (s < 5 ? "just now" : `${rough(s)} ago`),
    elapsed: (s) => lasting(Math.max(0, s)),
    until: (s) => (s < 0 ? `in ${lasting(-s)}` : "any moment"),
    cancelling: (s) => (s < 5 ? "cancelling…" : `cancelling… no reaction for ${lasting(s)}`),
  };
  setInterval(() => {
    if (document.querySelector("#pause[aria-pressed=true]")) return; // a paused page keeps its times, too
    const live = document.querySelector("#connection:is([data-state=live], [data-draining])");
    for (const time of document.querySelectorAll("time[data-relative]")) {
      if (!live && time.dataset.relative !== "ago") continue; // offline, the run may have changed
      const seconds = Math.floor((serverNow() - Date.parse(time.dateTime)) / 1000);
      const text = phrases[time.dataset.relative](seconds);
      if (time.textContent !== text) time.textContent = text;
    }
  }, 1000);

  // The pointer over a rough time shows the exact one. The server does not send it, because every frame would
  // be larger.
  document.addEventListener("mouseover", (event) => {
    const time = event.target.closest("time[data-relative=ago]:not([title])");
    if (time) time.title = new Date(time.dateTime).toUTCString().replace("GMT", "UTC");
  });

  // The label of the start button follows the number in its form.
  document.addEventListener("input", (event) => {
    if (event.target.name !== "count") return;
    const count = event.target.value;
    event.target.form.querySelector("button").textContent = `Start ${count} ${count === "1" ? "process" : "processes"}`;
  });

  // Screen readers announce a summary every 5 s: announcing each change would never end on a busy board.
  setInterval(() => {
    const summary = document.getElementById("summary"), progress = document.getElementById("progress");
    const done = progress?.textContent.trim();
    if (!summary || !done) return;
    const text = `${done}, ${document.getElementById("count_failed").textContent} failed`;
    if (summary.textContent !== text) summary.textContent = text;
  }, 5000);

  const say = (text) => { document.getElementById("summary").textContent = text; };

  // The page of a run announces each change of status to screen readers, and shows it in the title of the
  // tab.
  let status = null;
  function tellStatus() {
    const cell = document.querySelector(".facts td[id$=_status]");
    if (!cell) return;
    const word = cell.querySelector(".badge").textContent;
    if (status !== null && status !== word) {
      document.title = document.title.replace(/^\S+/, word);
      say(`${document.querySelector("h1").textContent} is ${word}.`);
    }
    status = word;
  }
  for (const event of ["DOMContentLoaded", "htmx:after:swap", "runboard:deleted"]) document.addEventListener(event, tellStatus);

  // Screen readers announce the result of a search.
  document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
    if (ctx.request && ctx.sourceElement?.matches?.(".search, .search *")) say(document.getElementById("matches").textContent || "All runs are shown.");
  });

  // A notice about a run is removed when that run changes again, and any notice when the user asks for
  // another list.
  document.addEventListener("htmx:after:swap", () => {
    const notice = document.querySelector("#notice [data-run]");
    const cell = notice && document.getElementById(`process_run_${notice.dataset.run}_status`);
    if (cell && Number(cell.dataset.version ?? Infinity) > Number(notice.dataset.version)) notice.remove();
  });
  document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => {
    if (ctx.request.method === "GET" && ctx.target?.id === "live") document.getElementById("notice")?.replaceChildren();
  });

  // A select submits the filter form at once; the text field submits on Enter.
  document.addEventListener("change", (event) => {
    if (event.target.matches(".search select")) event.target.form.requestSubmit();
  });

  // A double or triple click sends one request. The server answers within milliseconds, so waiting for the
  // answer does not catch the second click. The time counts from the previous click, not from the last
  // request: otherwise the third of three slow clicks, or a held key, would send again.
  const pause = 500; // ms between two clicks of a double click, at most
  const clicked = new WeakMap();
  function once(event, place) {
    const before = clicked.get(place) ?? -pause;
    clicked.set(place, event.timeStamp);
    if (event.timeStamp - before < pause) {
      event.preventDefault();
      event.stopImmediatePropagation();
    }
  }
  document.addEventListener("submit", (event) => { if (event.target.method === "post") once(event, event.target); }, true);

  // All buttons of a cell share one guard: "Cancel" may become "Retry" under the pointer.
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[hx-post]");
    if (button) once(event, button.closest("td"));
  }, true);

  // A swap may remove the button that has the focus. The focus then moves to the run's link in the same row,
  // or else to the cell, so that keyboard users need not start from the top of the page again.
  let cell = null; // cell of the focused button
  document.addEventListener("focusin", (event) => {
    cell = event.target.matches("td[data-status] button") ? event.target.closest("td") : null;
  });
  document.addEventListener("htmx:after:swap", () => {
    if (!cell?.isConnected || document.activeElement !== document.body) return;
    const link = cell.parentElement.querySelector("a");
    if (!link) cell.tabIndex = -1;
    (link ?? cell).focus({ preventScroll: true });
  });

  // A page can briefly have two sockets, so an older cell may arrive after a newer one. The page keeps the
  // newer one. The first frame of a new socket always wins, even with lower versions: the database may have
  // been replaced.
  let first = false;
  document.addEventListener("htmx:ws:after:connection", () => { first = true; });
  document.addEventListener("htmx:before:swap", (event) => {
    if (first && event.target.hasAttribute("hx-ws:connect")) {
      first = false;
      return;
    }
    for (const { fragment } of event.detail.tasks ?? []) {
      for (const incoming of fragment?.querySelectorAll?.("[data-version]") ?? []) {
        const present = document.getElementById(incoming.id);
        if (present && Number(present.dataset.version) > Number(incoming.dataset.version)) {
          incoming.replaceWith(present.cloneNode(true));
        }
      }
    }
  });
})();
