// Keeps the list still under the eyes of whoever reads it. Cells change where they are; but while the reader has
// scrolled, selected or ticked something, or works in the list, no row comes or goes: new ones wait behind a bar that says
// how many there are, as they do on later pages. And the whole page can be paused.
"use strict";

(() => {
  let paused = null; // since when, and how many frames have not been shown
  let strays = [];   // ids of the rows that are kept although they are not in the newest list
  const find = (id) => document.getElementById(id);

  // reading reports whether rows that move would disturb: the list is out of its place, or in use.
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
    if (bar.hidden && text !== "") find("summary").textContent = `${text}. A button above the list shows them.`; // once, and not each number
    bar.hidden = text === "";
    if (bar.textContent !== text) bar.textContent = text;
  }

  // hold makes of a new list the one that is there, with the cells of the new one. It returns what is to be said of it.
  // Of new runs it only knows those in the new list: when they are all that is in it, and it goes on, there may be more.
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

  // Strays are not in what the socket brings, so they are asked for: they change where they are, too.
  setInterval(() => {
    strays = strays.filter((id) => find(`process_run_${id}`));
    if (strays.length === 0 || paused || document.hidden || !find("connection").matches("[data-state=live], [data-draining]")) return;
    const ids = strays.map((id) => `id=${id}`).join("&");
    htmx.ajax("GET", `/process_runs?${ids}`, { source: "#new_runs", target: "#process_runs", swap: "none" });
  }, 1000);

  // later says on later pages, to which new runs do not come, by how many the list has grown since the page was opened.
  function later() {
    const bar = find("new_runs");
    if (!bar || !find("page_newest") || strays.length > 0) return;
    const { count, more } = find("matches").dataset;
    if (more !== undefined) return; // there are more than were counted
    const size = Number(count ?? document.querySelector(".counts a[aria-current] b").textContent.replaceAll(",", ""));
    bar.dataset.size ??= size;
    const grown = size - Number(bar.dataset.size);
    announce(grown > 0 ? countOf(grown) : "");
  }

  document.addEventListener("htmx:before:swap", (event) => {
    if (!event.target.hasAttribute?.("hx-ws:connect")) return;
    const tasks = event.detail.tasks ?? [];
    if (tasks.every(({ target }) => ["heartbeat", "server"].includes(target?.id))) return; // it says nothing of the list
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
    if (pager >= 0) tasks.splice(pager, 1); // it belongs to the other list
  });

  // show fetches the list as it is now. The socket stays: its address is the same.
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
