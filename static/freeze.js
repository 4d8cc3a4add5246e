// Keeps the rows of the list in place while the user reads it. Cells are always updated. But while the user
// has scrolled down, selected text or runs, or has the focus in the list, no row appears or disappears: a bar
// above the list says how many new runs there are, as it does on older pages. The user can also pause the
// whole page.
"use strict";

(() => {
  let paused = null; // {since, frames}: when the user paused, and how many frames were dropped since
  let strays = [];   // ids of rows that are kept although they are no longer in the list of the server
  const find = (id) => document.getElementById(id);

  // reading reports whether moving rows would disturb the user: the list is scrolled or in use.
  function reading(list) {
    const selection = getSelection();
    return list.getBoundingClientRect().top < 0 || list.contains(document.activeElement) ||
      list.querySelector("input:checked") !== null || document.querySelector("dialog[open]") ||
      (!selection.isCollapsed && list.contains(selection.anchorNode));
  }

  const idOf = (row) => Number(row.id.split("_").pop());
  const rowsOf = (list) => [...list.querySelectorAll("tr[id]")];

  const countOf = (count, more = "") => (count === 1 && !more ? "1 new run" : `${count}${more} new runs`);

  function announce(text) {
    const bar = find("new_runs");
    if (!bar) return;
    // Announced once, not for each number.
    if (bar.hidden && text !== "") find("summary").textContent = `${text}. A button above the list shows them.`;
    bar.hidden = text === "";
    if (bar.textContent !== text) bar.textContent = text;
  }

  // hold replaces the incoming list by the present rows, with the newer cells of the incoming list. It
  // returns the text of the bar. It counts new runs only in the incoming list, so if all its runs are new and
  // it has an older page (goesOn), there may be more.
  function hold(list, incoming, goesOn) {
    const rows = rowsOf(list), fresh = rowsOf(incoming), last = Math.min(...rows.map(idOf));
    const kept = list.cloneNode(true);
    for (const row of fresh) {
      const cell = kept.querySelector(`#${row.id}_status`);
      const now = row.querySelector(`#${row.id}_status`);
      if (cell && now && Number(now.dataset.version) >= Number(cell.dataset.version)) cell.replaceWith(now.cloneNode(true));
    }
    strays = rows.filter((row) => !incoming.querySelector(`#${row.id}`)).map(idOf);
    const waiting = fresh.filter((row) => !find(row.id) && idOf(row) > last).length;
    incoming.replaceWith(kept);
    if (waiting === 0) return "List changed";
    return countOf(waiting, waiting === fresh.length && goesOn ? "+" : "");
  }

  // Frames do not cover strays, so the page polls their status cells.
  setInterval(() => {
    strays = strays.filter((id) => find(`process_run_${id}`));
    if (strays.length === 0 || paused || document.hidden || !find("connection").matches("[data-state=live], [data-draining]")) return;
    const ids = strays.map((id) => `id=${id}`).join("&");
    htmx.ajax("GET", `/process_runs?${ids}`, { source: "#new_runs", target: "#process_runs", swap: "none" });
  }, 1000);

  // later says on older pages, which get no new rows, by how many runs the list has grown since the page was
  // opened.
  function later() {
    const bar = find("new_runs");
    if (!bar || !find("page_newest") || strays.length > 0) return;
    const { count, capped } = find("matches").dataset;
    if (capped !== undefined) return; // the server stopped counting, so growth is unknown
    const size = Number(count ?? document.querySelector(".counts a[aria-current] b").textContent.replaceAll(",", ""));
    bar.dataset.size ??= size;
    const grown = size - Number(bar.dataset.size);
    announce(grown > 0 ? countOf(grown) : "");
  }

  document.addEventListener("htmx:before:swap", (event) => {
    if (!event.target.hasAttribute?.("hx-ws:connect")) return;
    const tasks = event.detail.tasks ?? [];
    // Heartbeats and drain frames do not concern the list.
    if (tasks.every(({ target }) => ["heartbeat", "server"].includes(target?.id))) return;
    if (paused) {
      paused.frames++;
      event.preventDefault();
      return;
    }
    const list = find("process_runs");
    const task = tasks.find(({ target }) => target && target === list);
    if (!task || rowsOf(list).length === 0) return;
    const incoming = task.fragment.querySelector("#process_runs");
    const moves = rowsOf(incoming).some((row) => !find(row.id)) || rowsOf(list).some((row) => !incoming.querySelector(`#${row.id}`));
    if (!moves || !reading(list)) {
      strays = [];
      announce("");
      return;
    }
    const pager = tasks.findIndex(({ target }) => target?.id === "pager");
    announce(hold(list, incoming, tasks[pager]?.fragment.querySelector("#page_older")));
    if (pager >= 0) tasks.splice(pager, 1); // it belongs to the server's list, not to the kept one
  });

  // show fetches the current list. The socket stays open, because its address is the same.
  async function show() {
    document.activeElement?.blur();
    getSelection().removeAllRanges();
    strays = [];
    announce("");
    await htmx.ajax("GET", location.pathname + location.search, { target: "#live", select: "#live", swap: "outerMorph" });
  }

  function label() {
    const button = find("pause");
    if (!button) return;
    button.setAttribute("aria-pressed", String(paused !== null));
    const seconds = paused && Math.floor((Date.now() - paused.since) / 1000);
    const text = paused ? `Resume (${seconds} s, ${paused.frames} ${paused.frames === 1 ? "update" : "updates"} behind)` : "Pause";
    if (button.textContent !== text) button.textContent = text;
  }
  setInterval(label, 500);

  document.addEventListener("click", async (event) => {
    if (event.target.id === "new_runs") {
      const newest = strays.length === 0 && find("page_newest");
      if (newest) newest.click();
      else await show();
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
    later();
    label();
  });
  document.addEventListener("DOMContentLoaded", later);
})();
