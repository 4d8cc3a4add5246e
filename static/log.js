// The log on a run's page. Frames and responses bring blocks of lines, with their start and end offset in the
// log (data-from, data-to). This script joins the blocks: it skips what the page has, fetches what is missing,
// and keeps a reader at the end there. A line may arrive in parts; it has data-open until it ends.
import { onBeforeSwap, onRequest, onSwap } from "./events.js";
import { find, ids } from "./page.js";

const maxLines = 2000;      // lines that are kept while the reader follows the end
const maxCatchUp = 1 << 18; // bytes; if more are missing, only the newest lines are fetched
const nearEnd = 30;         // pixels from the end that count as at the end

let following = true;  // whether the reader is at the end
let scrollPosition = 0; // last known
let knownEnd = 0;      // end offset of the log, as far as known
let fetching = false;

// endOf returns the end offset of the lines on the page.
const endOf = (log) => Number(log.dataset.end);
const offsetOf = (part) => Number(part.dataset.offset);
const streamOf = (line) => line.dataset.stream ?? "";
const linesOf = (element) => [...element.querySelectorAll(".lines > [data-offset]")];
const linesOfBlock = (block) => [...block.querySelectorAll(":scope > [data-offset]")];

function rememberScroll(log) {
  scrollPosition = log.scrollTop;
  find(ids.logFollow).hidden = following;
}

function scrollToEnd(log) {
  if (following) log.scrollTop = log.scrollHeight;
  rememberScroll(log);
}

// handleScroll stops following when the reader scrolls up, but not when the end moves away: the browser only
// estimates the height of lines out of sight until it lays them out.
function handleScroll(log) {
  const isNear = log.scrollHeight - log.scrollTop - log.clientHeight < nearEnd;
  following = isNear || following && log.scrollTop >= scrollPosition;
  if (isNear) rememberScroll(log);
  else scrollToEnd(log);
  if (following) catchUp(log);
}

// continueLine appends parts to a line. It removes the line break that gives an empty line its height.
function continueLine(line, parts, isOpen) {
  for (const part of [line, ...parts]) part.querySelector(":scope > br")?.remove();
  for (const part of parts) {
    if (part.dataset.replaces !== undefined) line.replaceChildren();
    const added = document.createElement("span");
    added.dataset.offset = part.dataset.offset;
    added.append(...part.childNodes);
    line.append(added);
  }
  line.toggleAttribute("data-open", isOpen);
}

// detachParts returns the later parts of a line, which are elements in it, and removes them from the line.
function detachParts(line) {
  const parts = [...line.querySelectorAll("[data-offset]")];
  for (const part of parts) part.remove();
  return parts;
}

// mergeLine moves the parts of a line of a new block that continue a line on the page to that line. A line
// that stays in the block is new. openLines has the open lines of the page by stream; end is the end offset
// of the page.
function mergeLine(line, openLines, end) {
  const stream = streamOf(line);
  const present = openLines.get(stream);
  const isOpen = line.hasAttribute("data-open");
  const join = (parts) => {
    continueLine(present, parts, isOpen);
    if (!isOpen) openLines.delete(stream);
  };
  if (offsetOf(line) < end) {
    const parts = [...line.querySelectorAll("[data-offset]")].filter((part) => offsetOf(part) >= end);
    if (present && parts.length > 0) join(parts);
    line.remove();
  } else if (stream === "server") {
    for (const open of openLines.values()) open.removeAttribute("data-open"); // the attempt has ended
    openLines.clear();
  } else if (present) {
    join([line, ...detachParts(line)]);
    line.remove();
  }
}

// mergeBlock removes from a block what the page has, and reports whether anything is left. If there is a gap
// before the block, it returns false for catchUp to fill the gap; but if the gap is large and the reader
// follows, it drops the lines of the page instead.
function mergeBlock(log, block) {
  const from = Number(block.dataset.from);
  const to = Number(block.dataset.to);
  knownEnd = Math.max(knownEnd, to);
  if (from > endOf(log)) {
    if (!following || knownEnd - endOf(log) <= maxCatchUp) return false;
    log.replaceChildren(); // scrolling up loads the lines before it again
    scrollPosition = 0;
  }
  const openLines = new Map([...log.querySelectorAll("[data-open]")].map((line) => [streamOf(line), line]));
  for (const line of linesOfBlock(block)) mergeLine(line, openLines, endOf(log));
  log.dataset.end = Math.max(endOf(log), to);
  return linesOfBlock(block).length > 0;
}

// joinEarlierLines joins the open lines of the first block with their continuations in the blocks after it.
function joinEarlierLines(log) {
  const lines = linesOf(log);
  for (const line of log.firstElementChild.querySelectorAll(":scope > [data-open]")) {
    const following = lines.slice(lines.indexOf(line) + 1);
    const next = following.find((other) => [streamOf(line), "server"].includes(streamOf(other)));
    if (!next || streamOf(next) !== streamOf(line)) continue;
    continueLine(line, [next, ...detachParts(next)], next.hasAttribute("data-open"));
    next.remove();
  }
}

// catchUp fetches the lines that are missing at the end, one request at a time.
async function catchUp(log) {
  const missing = knownEnd - endOf(log);
  if (fetching || missing <= 0 || !following && missing > maxCatchUp) return;
  const offset = missing > maxCatchUp ? "" : `?offset=${endOf(log)}`;
  fetching = true;
  try {
    await htmx.ajax("GET", log.dataset.path + offset, { target: `#${ids.log}`, swap: "beforeend" });
  } finally {
    fetching = false;
  }
  catchUp(log);
}

// trim removes old lines while the reader follows. Scrolling up loads them again.
function trim(log) {
  let count = linesOf(log).length;
  while (following && log.children.length > 1) {
    count -= linesOfBlock(log.firstElementChild).length;
    if (count < maxLines) return;
    log.firstElementChild.remove();
  }
}

function start(log) {
  knownEnd = endOf(log);
  scrollToEnd(log);
  log.addEventListener("scroll", () => handleScroll(log), { passive: true });
  find(ids.logFollow).addEventListener("click", () => {
    following = true;
    scrollToEnd(log);
    catchUp(log);
    log.focus({ preventScroll: true });
  });
}

let before = null; // scroll height and position before a swap
onBeforeSwap(({ tasks }) => {
  const log = find(ids.log);
  if (!log) return;
  for (const { target, fragment, swapSpec } of tasks) {
    if (target !== log || swapSpec.style !== "beforeend") continue;
    for (const block of fragment.querySelectorAll(".lines")) {
      if (!mergeBlock(log, block)) block.remove();
    }
  }
  before = { height: log.scrollHeight, top: log.scrollTop };
});
onRequest(({ sourceElement }) => {
  if (sourceElement.matches("button.earlier")) sourceElement.disabled = true;
});
onSwap(({ source }) => {
  const log = find(ids.log);
  if (!log) return;
  if (source?.matches?.("button.earlier")) { // keep the reader at the same line
    joinEarlierLines(log);
    log.scrollTop = before.top + log.scrollHeight - before.height;
    return;
  }
  trim(log);
  scrollToEnd(log);
  catchUp(log);
});

const log = find(ids.log);
if (log) start(log);
