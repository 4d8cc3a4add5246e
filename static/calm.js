// Keeps the list still under the eyes of whoever reads it. Cells change where they are; but while the reader has
// scrolled, selected or ticked something, or works in the list, new rows wait behind a bar that says how many there are. And
// the whole page can be paused.
"use strict";

(() => {
  let paused = null; // since when, and how many frames have not been shown
  const find = (id) => document.getElementById(id);

  // reading reports whether rows that move would disturb: the list is out of its place, or in use.
  function reading(list) {
    const selection = getSelection();
    return list.getBoundingClientRect().top < 0 || list.contains(document.activeElement) ||
      list.querySelector("input:checked") !== null || find("ask")?.childElementCount > 0 ||
      (!selection.isCollapsed && list.contains(selection.anchorNode));
  }

  const idOf = (row) => Number(row.id.split("_").pop());
  const rowsOf = (list) => [...list.querySelectorAll("tr[id]")];

  function announce(count) {
    const bar = find("new_runs");
    if (!bar) return;
    bar.hidden = count === 0;
    bar.textContent = count === 1 ? "1 new run" : `${count} new runs`;
    bar.dataset.count = count;
  }

  // hold makes of a new list the one that is there, with the cells of the new one. It returns how many rows wait.
  function hold(list, incoming) {
    const newest = Math.max(0, ...rowsOf(list).map(idOf));
    const kept = list.cloneNode(true);
    for (const row of rowsOf(incoming)) {
      const cell = kept.querySelector(`#${row.id}_status`);
      const fresh = row.querySelector(`#${row.id}_status`);
      if (cell && fresh && Number(fresh.dataset.version) >= Number(cell.dataset.version)) cell.replaceWith(fresh.cloneNode(true));
    }
    const waiting = rowsOf(incoming).filter((row) => idOf(row) > newest).length;
    incoming.replaceWith(kept);
    return waiting;
  }

  document.addEventListener("htmx:before:swap", (event) => {
    if (!event.target.hasAttribute?.("hx-ws:connect")) return;
    if (paused) {
      paused.frames++;
      event.preventDefault();
      return;
    }
    const list = find("process_runs"), tasks = event.detail.tasks ?? [];
    const task = tasks.find(({ target }) => target && target === list);
    if (!task || rowsOf(list).length === 0) return;
    const incoming = task.fragment.querySelector("#process_runs");
    const isNew = rowsOf(incoming).some((row) => !find(row.id));
    if (!isNew || !reading(list)) {
      announce(0);
      return;
    }
    announce(hold(list, incoming));
    const pager = tasks.findIndex(({ target }) => target?.id === "pager"); // it belongs to the other list
    if (pager >= 0) tasks.splice(pager, 1);
  });

  // show fetches the list as it is now. The socket stays: its address is the same.
  async function show() {
    document.activeElement?.blur();
    getSelection().removeAllRanges();
    announce(0);
    await htmx.ajax("GET", location.pathname + location.search, { target: "#live", select: "#live", swap: "outerMorph" });
  }

  function label() {
    const button = find("pause");
    if (!button) return;
    button.setAttribute("aria-pressed", String(paused !== null));
    const seconds = paused && Math.floor((Date.now() - paused.since) / 1000);
    const text = paused ? `Go on (${seconds} s and ${paused.frames} ${paused.frames === 1 ? "change" : "changes"} behind)` : "Pause";
    if (button.textContent !== text) button.textContent = text;
  }
  setInterval(label, 500);

  document.addEventListener("click", async (event) => {
    if (event.target.id === "new_runs") {
      await show();
      find("live").scrollIntoView({ block: "start" });
    }
    if (event.target.id === "pause") {
      const was = paused;
      paused = was ? null : { since: Date.now(), frames: 0 };
      label();
      if (was) await show();
    }
  });
  document.addEventListener("htmx:after:swap", () => {
    const bar = find("new_runs");
    if (bar && !bar.dataset.count) announce(0); // the region is another one
    label();
  });
})();
