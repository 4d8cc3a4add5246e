// The log on a run's page. Frames and responses bring blocks of lines, with their start and end offset in the
// log (data-from, data-to). This file joins the blocks: it skips what the page has, fetches what is missing,
// and keeps a reader at the end there. A line may arrive in parts; it has data-open until it ends.
"use strict";

(() => {
  const most = 2000;          // lines that are kept while the reader follows the end
  const worthwhile = 1 << 18; // bytes; if more are missing, only the newest lines are fetched
  const nearEnd = 30;         // pixels from the end that count as at the end

  let following = true; // whether the reader is at the end
  let seen = 0;         // last known scroll position
  let newest = 0;       // end offset of the log, as far as known
  let fetching = false;

  const find = () => document.getElementById("log");
  const end = (log) => Number(log.dataset.end);

  function look(log) {
    seen = log.scrollTop;
    document.getElementById("log_follow").hidden = following;
  }

  function toEnd(log) {
    if (following) log.scrollTop = log.scrollHeight;
    look(log);
  }

  // scrolled stops following when the reader scrolls up, but not when the end moves away: the browser only
  // estimates the height of lines out of sight until it lays them out.
  function scrolled(log) {
    const near = log.scrollHeight - log.scrollTop - log.clientHeight < nearEnd;
    following = near || following && log.scrollTop >= seen;
    if (near) look(log);
    else toEnd(log);
    if (following) catchUp(log);
  }

  const rowsOf = (element) => [...element.querySelectorAll(".lines > [data-offset]")];
  const streamOf = (row) => row.dataset.stream ?? "";

  // goOn appends parts to a line. It removes the line break that gives an empty line its height.
  function goOn(row, parts, open) {
    for (const part of [row, ...parts]) part.querySelector(":scope > br")?.remove();
    for (const part of parts) {
      if (part.dataset.replaces !== undefined) row.replaceChildren();
      const added = document.createElement("span");
      added.dataset.offset = part.dataset.offset;
      added.append(...part.childNodes);
      row.append(added);
    }
    row.toggleAttribute("data-open", open);
  }

  // take moves the parts of row, from a new block, that continue a line on the page to that line. A row that
  // stays in the block is a new line. open has the open lines of the page by stream; until is the end offset
  // of the page.
  function take(row, open, until) {
    const has = (part) => Number(part.dataset.offset) < until;
    const stream = streamOf(row), line = open.get(stream);
    const rest = row.firstElementChild ? [...row.querySelectorAll("[data-offset]")] : [];
    if (has(row)) {
      const parts = rest.filter((part) => !has(part));
      if (line && parts.length > 0) {
        goOn(line, parts, row.hasAttribute("data-open"));
        if (!row.hasAttribute("data-open")) open.delete(stream);
      }
      row.remove();
      return;
    }
    if (stream === "server") {
      for (const one of open.values()) one.removeAttribute("data-open"); // the attempt has ended
      open.clear();
    } else if (line) {
      for (const part of rest) part.remove();
      goOn(line, [row, ...rest], row.hasAttribute("data-open"));
      if (!row.hasAttribute("data-open")) open.delete(stream);
      row.remove();
    }
  }

  // keep removes from a block what the page has, and reports whether anything is left. If there is a gap
  // before the block, it returns false for catchUp to fill the gap; but if the gap is large and the reader
  // follows, it drops the lines of the page instead.
  function keep(log, block) {
    const from = Number(block.dataset.from), to = Number(block.dataset.to);
    newest = Math.max(newest, to);
    if (from > end(log)) {
      if (!following || newest - end(log) <= worthwhile) return false; // catchUp fills the gap first
      log.replaceChildren(); // scrolling up loads the lines before it again
      seen = 0;
    }
    const open = new Map([...log.querySelectorAll("[data-open]")].map((row) => [streamOf(row), row]));
    for (const row of [...block.querySelectorAll(":scope > [data-offset]")]) take(row, open, end(log));
    log.dataset.end = Math.max(end(log), to);
    return block.querySelector("[data-offset]") !== null;
  }

  // mend joins the open lines of the first block with their continuations in the blocks after it.
  function mend(log) {
    const first = log.firstElementChild, rows = rowsOf(log);
    for (const row of first.querySelectorAll(":scope > [data-open]")) {
      const after = rows.slice(rows.indexOf(row) + 1);
      const next = after.find((other) => [streamOf(row), "server"].includes(streamOf(other)));
      if (!next || streamOf(next) !== streamOf(row)) continue;
      const rest = [...next.querySelectorAll("[data-offset]")];
      for (const part of rest) part.remove();
      goOn(row, [next, ...rest], next.hasAttribute("data-open"));
      next.remove();
    }
  }

  // catchUp fetches the lines that are missing at the end, one request at a time.
  async function catchUp(log) {
    if (fetching || end(log) >= newest) return;
    const missing = newest - end(log);
    if (!following && missing > worthwhile) return;
    fetching = true;
    try {
      const far = missing > worthwhile;
      await htmx.ajax("GET", log.dataset.path + (far ? "" : `?offset=${end(log)}`), { target: "#log", swap: "beforeend" });
    } finally {
      fetching = false;
    }
    catchUp(log);
  }

  // trim removes old lines while the reader follows. Scrolling up loads them again.
  function trim(log) {
    let lines = rowsOf(log).length;
    while (following && log.children.length > 1) {
      lines -= log.firstElementChild.querySelectorAll(":scope > [data-offset]").length;
      if (lines < most) return;
      log.firstElementChild.remove();
    }
  }

  document.addEventListener("htmx:before:swap", (event) => {
    const log = find();
    for (const { target, fragment, swapSpec } of event.detail.tasks ?? []) {
      if (!log || target !== log || swapSpec.style !== "beforeend") continue;
      for (const block of fragment.querySelectorAll(".lines")) {
        if (!keep(log, block)) block.remove();
      }
    }
  });

  let height = 0, top = 0; // scroll height and position before a swap
  document.addEventListener("htmx:before:request", (event) => {
    if (event.target.matches("#log .earlier")) event.target.disabled = true;
  });
  document.addEventListener("htmx:before:swap", () => {
    const log = find();
    if (log) [height, top] = [log.scrollHeight, log.scrollTop];
  });
  document.addEventListener("htmx:after:swap", (event) => {
    const log = find();
    if (!log) return;
    if (event.target.matches?.("button.earlier")) { // earlier lines: keep the reader at the same line
      mend(log);
      log.scrollTop = top + log.scrollHeight - height;
      return;
    }
    trim(log);
    toEnd(log);
    catchUp(log);
  });

  document.addEventListener("DOMContentLoaded", () => {
    const log = find();
    if (!log) return;
    newest = end(log);
    toEnd(log);
    log.addEventListener("scroll", () => scrolled(log), { passive: true });
    document.getElementById("log_follow").addEventListener("click", () => {
      following = true;
      toEnd(log);
      catchUp(log);
      log.focus({ preventScroll: true });
    });
  });
})();
