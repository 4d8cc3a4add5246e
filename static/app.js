// The little that HTML cannot say: times that go on by themselves, what is read out, and two guards. Without this file
// the page still works, by reload.
"use strict";

(() => {
  // Times, in the words of the server (templates/functions.go).
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
    for: (s) => lasting(Math.max(0, s)),
    in: (s) => (s < 0 ? `in ${lasting(-s)}` : "any moment"),
    stopping: (s) => (s < 5 ? "cancelling…" : `cancelling… no reaction for ${lasting(s)}`),
  };
  setInterval(() => {
    if (document.querySelector("#pause[aria-pressed=true]")) return; // on a page that stands still they do, too
    const live = document.querySelector("#connection:is([data-state=live], [data-draining])");
    for (const time of document.querySelectorAll("time[data-tick]")) {
      if (!live && time.dataset.tick !== "ago") continue; // whether that goes on is not known
      const seconds = Math.floor((serverNow() - Date.parse(time.dateTime)) / 1000);
      const text = phrases[time.dataset.tick](seconds);
      if (time.textContent !== text) time.textContent = text;
    }
  }, 1000);

  // Whoever points at a rough time is told the exact one. Rows are sent without: they are many.
  document.addEventListener("mouseover", (event) => {
    const time = event.target.closest("time[data-tick=ago]:not([title])");
    if (time) time.title = new Date(time.dateTime).toUTCString().replace("GMT", "UTC");
  });

  // The button says how many it starts.
  document.addEventListener("input", (event) => {
    if (event.target.name !== "count") return;
    const count = event.target.value;
    event.target.form.querySelector("button").textContent = `Start ${count} ${count === "1" ? "process" : "processes"}`;
  });

  // Whoever hears the page is told now and then how it goes: each change would be more than anybody can listen to.
  setInterval(() => {
    const summary = document.getElementById("summary"), progress = document.getElementById("progress");
    const done = progress?.textContent.trim();
    if (!summary || !done) return;
    const text = `${done}, ${document.getElementById("count_failed").textContent} failed`;
    if (summary.textContent !== text) summary.textContent = text;
  }, 5000);

  const say = (text) => { document.getElementById("summary").textContent = text; };

  // The page of a run tells of each change of its status: in its title, which is seen in the background, and to readers
  // who hear the page.
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

  // A reader who hears the page and searches is told what is found.
  document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
    if (ctx.request && ctx.sourceElement?.matches?.(".find, .find *")) say(document.getElementById("matches").textContent || "All runs are shown.");
  });

  // A notice is about a moment. It goes when the run that it speaks of changes again, or another list is asked for.
  document.addEventListener("htmx:after:swap", () => {
    const notice = document.querySelector("#notice [data-run]");
    const cell = notice && document.getElementById(`process_run_${notice.dataset.run}_status`);
    if (cell && Number(cell.dataset.version ?? Infinity) > Number(notice.dataset.version)) notice.remove();
  });
  document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => {
    if (ctx.request.method === "GET" && ctx.target?.id === "live") document.getElementById("notice")?.replaceChildren();
  });

  // A choice is at once what is looked for; words are when Enter is pressed.
  document.addEventListener("change", (event) => {
    if (event.target.matches(".find select")) event.target.form.requestSubmit();
  });

  // a double or triple click is one request. The server would answer each within milliseconds, so
  // waiting for the answer does not catch the second one. The time counts from the click before, not
  // from the one that was sent: else the third of three slow clicks, or a key that is held, would send again.
  const pause = 500; // ms, the time within which two clicks count as a double one
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

  // In a cell that counts for all its buttons: "Cancel" may become "Retry" under the pointer.
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[hx-post]");
    if (button) once(event, button.closest("td"));
  }, true);

  // A button goes when it has no more use, and must not take the focus with it: whoever works by keyboard
  // would have to begin at the top. It goes to the run's link in the same row, or else to the cell.
  let cell = null; // of the button that has the focus
  document.addEventListener("focusin", (event) => {
    cell = event.target.matches("td[data-status] button") ? event.target.closest("td") : null;
  });
  document.addEventListener("htmx:after:swap", () => {
    if (!cell?.isConnected || document.activeElement !== document.body) return;
    const link = cell.parentElement.querySelector("a");
    if (!link) cell.tabIndex = -1;
    (link ?? cell).focus({ preventScroll: true });
  });

  // A page can for a moment have two sockets, and then an older cell can come after a newer one.
  // What is on the page stays when it is newer; but what a new socket says first is always right,
  // even after the database has been replaced.
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
