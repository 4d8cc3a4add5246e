// The little that HTML cannot say: the connection badge, times that go on by themselves, and two
// guards. Without this file the page still works, by reload.
"use strict";

(() => {
  // The badge. After a loss htmx announces the next try at once and then waits, so "connecting" is
  // only shown as long as nothing has failed yet.
  const words = {
    live: "Live",
    connecting: "Connecting…",
    offline: "Offline. Trying again…",
    refused: "Not live. Reload the page.",
  };
  const retried = [1000, 1001, 1005, 1006, 1011, 1012, 1013, 1014];

  function show(state) {
    const badge = document.getElementById("connection");
    if (!badge) return;
    badge.dataset.state = state === "refused" ? "offline" : state;
    badge.textContent = words[state];
  }

  let failed = false;
  document.addEventListener("htmx:ws:before:connection", () => { if (!failed) show("connecting"); });
  document.addEventListener("htmx:ws:after:connection", () => { failed = false; show("live"); });
  document.addEventListener("htmx:ws:close", (event) => {
    if (event.detail.reason !== "closed") return; // its region was swapped: the next one connects
    failed = true;
    show(retried.includes(event.detail.code) ? "offline" : "refused");
  });

  // Who is not answered is told so, where the answer would have stood, until the server is back.
  document.addEventListener("htmx:error", ({ detail: { ctx } }) => {
    if (!ctx?.request || ctx.response) return;
    const place = document.getElementById("notice");
    const text = document.createElement("p");
    text.className = "error unanswered";
    text.textContent = "The server does not answer.";
    place?.replaceChildren(text);
  });
  document.addEventListener("htmx:ws:after:connection", () => document.querySelector(".unanswered")?.remove());

  // Times, in the words of the server (templates/functions.go).
  function lasting(seconds) {
    if (seconds < 60) return `${seconds} s`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
    if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
    return `${Math.floor(seconds / 86400)} days`;
  }
  const phrases = {
    ago: (s) => (s < 5 ? "just now" : `${lasting(s)} ago`),
    for: (s) => lasting(Math.max(0, s)),
    in: (s) => (s < 0 ? `in ${lasting(-s)}` : "any moment"),
    stopping: (s) => (s < 5 ? "cancelling…" : `cancelling… not responding for ${lasting(s)}`),
  };
  setInterval(() => {
    if (document.querySelector("#pause[aria-pressed=true]")) return; // on a page that stands still they do, too
    for (const time of document.querySelectorAll("time[data-tick]")) {
      const seconds = Math.floor((Date.now() - Date.parse(time.dateTime)) / 1000);
      const text = phrases[time.dataset.tick](seconds);
      if (time.textContent !== text) time.textContent = text;
    }
  }, 1000);

  // Whoever points at a rough time is told the exact one. Rows are sent without: they are many.
  document.addEventListener("mouseover", (event) => {
    const time = event.target.closest("time[data-tick=ago]:not([title])");
    if (time) time.title = new Date(time.dateTime).toUTCString();
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
    const text = `${done}, ${document.getElementById("count_failed").textContent} failed in all`;
    if (summary.textContent !== text) summary.textContent = text;
  }, 5000);

  // A choice is at once what is looked for; words are when Enter is pressed.
  document.addEventListener("change", (event) => {
    if (event.target.matches(".find select")) event.target.form.requestSubmit();
  });

  // A double or triple click is one wish. The server would answer each within milliseconds, so
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
