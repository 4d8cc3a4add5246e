// The log on a run's page. Sockets and requests bring it in blocks that say where in the log they begin and end
// (data-from, data-to). Here they are put together: what is there already is left out, what is missing is
// fetched, and the reader who is at the end stays there. A line may come in parts: then it has data-open until it ends.
"use strict";

(() => {
  const most = 2000;          // lines that are kept while the reader only follows
  const worthwhile = 1 << 18; // bytes: of more than that, only the newest lines are fetched
  const nearEnd = 30;         // pixels from the end that still count as there

  let following = true; // whether the reader is at the end
  let seen = 0;         // how far down the reader was
  let newest = 0;       // where the log ends, as far as anybody has said
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

  // scrolled tells the reader who leaves the end, which is to go up, from the end that goes away: lines that were out of
  // sight are only guessed to be so high until the browser lays them out.
  function scrolled(log) {
    const near = log.scrollHeight - log.scrollTop - log.clientHeight < nearEnd;
    following = near || following && log.scrollTop >= seen;
    if (near) look(log);
    else toEnd(log);
    if (following) catchUp(log);
  }

  const rowsOf = (element) => [...element.querySelectorAll(".lines > [data-at]")];
  const streamOf = (row) => row.dataset.stream ?? "";

  // goOn adds parts to a line. An empty one has a line break, so that it is as high as the others.
  function goOn(row, parts, open) {
    for (const part of [row, ...parts]) part.querySelector(":scope > br")?.remove();
    for (const part of parts) {
      if (part.dataset.replaces !== undefined) row.replaceChildren();
      const added = document.createElement("span");
      added.dataset.at = part.dataset.at;
      added.append(...part.childNodes);
      row.append(added);
    }
    row.toggleAttribute("data-open", open);
  }

  // take moves what continues a line on the page from a row of a new block to that line. What is left of the row is new.
  // open has the lines of the page that go on, by stream; until is how far the page has the log.
  function take(row, open, until) {
    const has = (part) => Number(part.dataset.at) < until;
    const stream = streamOf(row), line = open.get(stream);
    const rest = row.firstElementChild ? [...row.querySelectorAll("[data-at]")] : [];
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

  // keep leaves in a block only what the page does not have. It reports whether anything is left, and remembers
  // when there is a gap before it.
  function keep(log, block) {
    const from = Number(block.dataset.from), to = Number(block.dataset.to);
    newest = Math.max(newest, to);
    if (from > end(log)) {
      if (!following || newest - end(log) <= worthwhile) return false; // the gap is filled first, see catchUp
      log.replaceChildren(); // what is before can be had by scrolling up
      seen = 0;
    }
    const open = new Map([...log.querySelectorAll("[data-open]")].map((row) => [streamOf(row), row]));
    for (const row of [...block.querySelectorAll(":scope > [data-at]")]) take(row, open, end(log));
    log.dataset.end = Math.max(end(log), to);
    return block.querySelector("[data-at]") !== null;
  }

  // mend joins the lines of the first block with what continues them in the blocks after it.
  function mend(log) {
    const first = log.firstElementChild, rows = rowsOf(log);
    for (const row of first.querySelectorAll(":scope > [data-open]")) {
      const after = rows.slice(rows.indexOf(row) + 1);
      const next = after.find((other) => [streamOf(row), "server"].includes(streamOf(other)));
      if (!next || streamOf(next) !== streamOf(row)) continue;
      const rest = [...next.querySelectorAll("[data-at]")];
      for (const part of rest) part.remove();
      goOn(row, [next, ...rest], next.hasAttribute("data-open"));
      next.remove();
    }
  }

  // catchUp fetches what is missing at the end.
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

  // While the reader follows, old lines go: scrolled up to, they come back.
  function trim(log) {
    let lines = rowsOf(log).length;
    while (following && log.children.length > 1) {
      lines -= log.firstElementChild.querySelectorAll(":scope > [data-at]").length;
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

  let height = 0, top = 0; // before earlier lines came
  document.addEventListener("htmx:before:request", (event) => {
    if (event.target.matches("#log .before")) event.target.disabled = true;
  });
  document.addEventListener("htmx:before:swap", () => {
    const log = find();
    if (log) [height, top] = [log.scrollHeight, log.scrollTop];
  });
  document.addEventListener("htmx:after:swap", (event) => {
    const log = find();
    if (!log) return;
    if (event.target.matches?.("button.before")) { // earlier lines: the reader stays with the one that was read
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
