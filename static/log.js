// The log on a run's page. The page has a window of the log: some blocks of lines without gaps, and so many
// at most that it stays fast. Frames of the socket bring the newest lines; the rest is fetched when the
// reader scrolls to an end of the window, or asks for a line. A reader at the end of the log stays there.
import { onBeforeSwap, onSwap } from "./events.js";
import {
  findLine, fromOf, joinFirstBlock, lastNumber, linesIn, linesOf, mergeBlock, offsetOf, removeFirstBlock,
  removeLastBlock, toOf,
} from "./loglines.js";
import { find, ids, setText } from "./page.js";

const maxLines = 2000;      // lines in the window, apart from those of a block at either end
const maxCatchUp = 1 << 18; // bytes; if more are missing, only the newest lines are fetched
const nearEnd = 30;         // pixels from the end that count as at the end
const nearEdge = 400;       // pixels from the first or last line at which more are fetched
const context = 100;        // lines before a line that was asked for

const log = find(ids.log);
let following = false;  // whether the reader is at the end of the log
let attached = false;   // whether new lines of the log are added to the window
let scrollPosition = 0; // last known
let knownEnd = 0;       // end offset of the log, as far as known
let newestLine = 0;     // number of the newest line, as far as known
let seenLine = 0;       // number of the newest line when the reader was at the end, or 0
let fetching = false;
let replacements = 0;   // how often another part of the log was asked for
const subscribers = [];

// onLines calls a function whenever the lines of the window have changed.
export const onLines = (subscriber) => subscribers.push(subscriber);

// logEnd returns the end offset of the log, as far as known.
export const logEnd = () => knownEnd;

// windowEnd returns the end offset of the window.
const windowEnd = () => Number(log.dataset.to);

// setSize tells the browser about how high a block is as long as it is out of sight.
function setSize(block) {
  const lineHeight = Number.parseFloat(getComputedStyle(log).lineHeight);
  block.style.containIntrinsicBlockSize = `auto ${Math.ceil(linesOf(block).length * lineHeight)}px`;
}

// extendWindow merges a block that continues the window into it. It reports whether the block is to be added.
function extendWindow(block) {
  const end = log.childElementCount > 0 ? windowEnd() : 0;
  const to = Math.max(windowEnd(), toOf(block));
  const isNew = mergeBlock(log, block, end);
  if (isNew) setSize(block);
  else if (log.lastElementChild) log.lastElementChild.dataset.to = to;
  log.dataset.to = to;
  return isNew;
}

// showState updates what the page says about the window.
function showState() {
  const button = find(ids.logFollow);
  button.hidden = following;
  if (following) seenLine = newestLine;
  const count = seenLine > 0 ? newestLine - seenLine : 0;
  const lines = count === 1 ? "line" : "lines";
  setText(button, count > 0 ? `↓ ${count.toLocaleString("en")} new ${lines}` : "↓ Follow");
  log.dataset.later = windowEnd() < knownEnd ? "yes" : "no";
  log.dataset.digits = Math.max(4, String(newestLine).length);
}

// linesChanged is called after each change of the window.
function linesChanged() {
  const colors = find(ids.logColors); // a browser loads it as soon as it is not disabled
  if (colors.disabled && log.querySelector("[class*=fg-], [class*=bg-]")) colors.disabled = false;
  for (const subscriber of subscribers) subscriber();
  if (following) log.scrollTop = log.scrollHeight;
  scrollPosition = log.scrollTop;
  showState();
  loadAtEdges();
}

// loadAtEdges fetches more lines if the reader is near an end of the window.
function loadAtEdges() {
  if (log.clientHeight === 0) return; // nothing is visible
  if (following) catchUp();
  if (log.scrollTop < nearEdge) loadEarlier();
  else if (!following && spaceBelow() < nearEdge) loadLater();
}

// spaceBelow returns how many pixels of the window are below what is visible.
const spaceBelow = () => log.scrollHeight - log.scrollTop - log.clientHeight;

// noticeScroll stops following if the reader has scrolled up since the last change of the window, and the
// event is still to come.
function noticeScroll() {
  if (log.scrollTop < scrollPosition - 1) following = false;
}

// handleScroll stops following when the reader scrolls up, but not when the end moves away: the browser only
// estimates the height of lines out of sight until it lays them out.
function handleScroll() {
  const isAtEnd = spaceBelow() < nearEnd && windowEnd() >= knownEnd;
  following = isAtEnd || following && log.scrollTop >= scrollPosition;
  if (following && !isAtEnd) log.scrollTop = log.scrollHeight;
  scrollPosition = log.scrollTop;
  attached ||= following;
  showState();
  loadAtEdges();
}

// fetchBlock fetches a block of lines, for instance those from "offset=4096" on. It returns null if the
// server does not answer: the next frame or scrolling tries again.
async function fetchBlock(query) {
  const headers = { "HX-Request": "true", "HX-Request-Type": "partial" };
  try {
    const response = await fetch(`${log.dataset.path}?${query}`, { headers });
    if (!response.ok) return null;
    const template = document.createElement("template");
    template.innerHTML = await response.text();
    return template.content.querySelector(".lines");
  } catch {
    return null;
  }
}

// once runs a function that fetches, unless another one does.
async function once(load) {
  if (fetching) return false;
  fetching = true;
  try {
    return await load();
  } finally {
    fetching = false;
  }
}

// prepare merges a new block at the end into the window. It reports whether the block is to be added. If
// there is a gap before the block, it is not, and catchUp fills the gap; but if the gap is large and the
// reader follows, the lines of the window are dropped instead.
function prepare(block) {
  const from = fromOf(block);
  const to = toOf(block);
  knownEnd = Math.max(knownEnd, to);
  newestLine = Math.max(newestLine, lastNumber(linesOf(block)));
  seenLine ||= newestLine;
  if (!attached) return false;
  if (!following && linesIn(log).length > maxLines) {
    attached = false;
    return false;
  }
  if (from > windowEnd() && log.childElementCount > 0) {
    if (!following || knownEnd - windowEnd() <= maxCatchUp) return false;
    log.replaceChildren(); // scrolling up loads the lines before it again
    log.dataset.to = from;
    scrollPosition = 0;
  }
  return extendWindow(block);
}

// keepPlace makes a change that leaves an element where the reader sees it.
function keepPlace(element, change) {
  const before = element.getBoundingClientRect().top;
  change();
  log.scrollTop += element.getBoundingClientRect().top - before;
}

// trimStart removes lines from the start of a window that has grown at its end.
function trimStart() {
  let count = linesIn(log).length;
  while (log.childElementCount > 1) {
    count -= linesOf(log.firstElementChild).length;
    if (count < maxLines) return;
    const next = log.firstElementChild.nextElementSibling;
    if (following) removeFirstBlock(log);
    else keepPlace(next, () => removeFirstBlock(log));
  }
}

// trimEnd removes lines from the end of a window that has grown at its start.
function trimEnd() {
  let count = linesIn(log).length;
  while (log.childElementCount > 1) {
    count -= linesOf(log.lastElementChild).length;
    if (count < maxLines) return;
    removeLastBlock(log);
    log.dataset.to = log.lastElementChild.dataset.to;
    attached = false;
  }
}

// catchUp fetches the lines that are missing at the end.
async function catchUp() {
  const missing = knownEnd - windowEnd();
  if (fetching || !attached || missing <= 0 || !following && missing > maxCatchUp) return;
  const block = await once(() => fetchBlock(missing > maxCatchUp ? "" : `offset=${windowEnd()}`));
  if (!block) return;
  const before = windowEnd();
  append(block);
  if (windowEnd() > before) catchUp();
}

// append adds a block that continues the window.
function append(block) {
  noticeScroll();
  if (prepare(block)) log.append(block);
  if (following) trimStart();
  linesChanged();
}

// loadLater fetches the lines after a window that ends within the log.
async function loadLater() {
  const end = windowEnd();
  if (end >= knownEnd) return;
  const block = await once(() => fetchBlock(`offset=${end}`));
  if (following) catchUp();
  else if (block && end === windowEnd() && linesOf(block).length > 0) addLater(block);
}

function addLater(block) {
  if (fromOf(block) > windowEnd()) log.replaceChildren(); // what was between has been dropped
  if (extendWindow(block)) log.append(block);
  trimStart();
  attached = windowEnd() >= knownEnd;
  linesChanged();
}

// loadEarlier fetches the lines before the window.
async function loadEarlier() {
  const first = log.firstElementChild;
  if (!first?.querySelector(":scope > a.earlier")) return;
  const block = await once(() => fetchBlock(`before=${fromOf(first)}`));
  if (following) catchUp();
  if (!block || first !== log.firstElementChild) return;
  setSize(block);
  keepPlace(linesOf(first)[1] ?? first, () => {
    first.before(block);
    joinFirstBlock(log);
  });
  if (!following) trimEnd();
  linesChanged();
}

// replaceWindow shows another part of the log. It reports whether it does: if it is called again before the
// answer has come, only the last call does.
async function replaceWindow(query) {
  replacements += 1;
  const mine = replacements;
  const block = await fetchBlock(query);
  if (!block || linesOf(block).length === 0 || mine !== replacements) return false;
  const isKnown = findLine(newestLine) !== null;
  setSize(block);
  log.replaceChildren(block);
  log.dataset.to = toOf(block);
  knownEnd = Math.max(knownEnd, toOf(block));
  newestLine = Math.max(newestLine, lastNumber(linesOf(block)));
  if (isKnown || seenLine === 0) seenLine = newestLine;
  attached = windowEnd() >= knownEnd;
  return true;
}

// follow shows the end of the log, and stays there.
async function follow() {
  if (windowEnd() < knownEnd && knownEnd - windowEnd() > maxCatchUp) {
    if (!await replaceWindow("")) return;
  }
  following = true;
  attached = true;
  linesChanged();
  catchUp();
}

// lineAt returns the line of the window at a position: {line} is a number, {offset} is where the line begins.
function lineAt({ line, offset }) {
  if (line) return findLine(line);
  return linesIn(log).find((other) => offsetOf(other) === offset) ?? null;
}

// showLine scrolls to a line, which it loads if necessary, and returns it; or null if there is none.
export async function showLine(position) {
  if (!lineAt(position)) {
    const query = position.line ? `line=${position.line}` : `offset=${position.offset}`;
    if (!await replaceWindow(`${query}&context=${context}`)) return null;
  }
  const line = lineAt(position);
  if (!line) return null;
  following = false;
  linesChanged();
  center(line);
  requestAnimationFrame(() => center(line)); // now the browser knows the heights of the lines above
  return line;
}

function center(line) {
  if (!line.isConnected) return;
  const box = log.getBoundingClientRect();
  const place = line.getBoundingClientRect();
  const margin = Math.min(box.height / 4, 100);
  if (place.top < box.top + margin || place.bottom > box.bottom - margin) {
    log.scrollTop += place.top - box.top - box.height / 3;
  }
  scrollPosition = log.scrollTop;
  log.scrollIntoView({ block: "nearest" });
}

// The keys Home and End lead to the first and the last line of the log.
async function handleKey(event) {
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (event.key === "End") {
    event.preventDefault();
    follow();
  } else if (event.key === "Home") {
    event.preventDefault();
    following = false;
    if (log.querySelector(":scope > :first-child > a.earlier")) await replaceWindow("offset=0");
    log.scrollTop = 0;
    linesChanged();
  }
}

function start() {
  knownEnd = Number(log.dataset.end);
  attached = windowEnd() >= knownEnd;
  for (const block of log.children) setSize(block);
  const isElsewhere = /[?&](line|offset|before|find)=/.test(location.search) || /^#L\d/.test(location.hash);
  following = attached && !isElsewhere;
  if (attached) newestLine = seenLine = lastNumber(linesIn(log));
  linesChanged();
  log.addEventListener("scroll", handleScroll, { passive: true });
  log.addEventListener("keydown", handleKey);
  log.addEventListener("click", (event) => {
    const link = event.target.closest("a.earlier, a.later");
    if (!link) return;
    event.preventDefault();
    if (link.matches(".earlier")) loadEarlier();
    else loadLater();
  });
  find(ids.logFollow).addEventListener("click", () => {
    follow();
    log.focus({ preventScroll: true });
  });
  onBeforeSwap(({ tasks }) => {
    noticeScroll();
    for (const { target, fragment, swapSpec } of tasks) {
      if (target !== log || swapSpec.style !== "beforeend") continue;
      for (const block of fragment.querySelectorAll(".lines")) {
        if (!prepare(block)) block.remove();
      }
    }
  });
  onSwap(({ isFrame }) => {
    if (!isFrame) return;
    if (following) trimStart();
    linesChanged();
    catchUp();
  });
}

if (log) start();
