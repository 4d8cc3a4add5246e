// The line numbers of a log are links. A click marks a line, and a click with Shift a range of lines; the
// address then names them: ?line=120-140#L120-L140. The page also opens with such a hash alone.
import { onLines, showLine } from "./log.js";
import { linesIn, linkOf, numberOf } from "./loglines.js";
import { find, ids } from "./page.js";

const log = find(ids.log);
let marked = { first: 0, last: 0, from: 0 }; // from is where a range began

// markedLines returns the marked lines that are loaded.
export const markedLines = () => linesIn(log).filter((line) => line.hasAttribute("data-marked"));

function showMarks() {
  if (marked.first === 0 && !log.querySelector("[data-marked]")) return;
  for (const line of linesIn(log)) {
    const number = numberOf(line);
    line.toggleAttribute("data-marked", number > 0 && number >= marked.first && number <= marked.last);
  }
}

function mark(from, to) {
  marked = { first: Math.min(from, to), last: Math.max(from, to), from };
  showMarks();
}

// address returns the address of the marked lines.
function address() {
  const { first, last } = marked;
  const url = new URL(location.href);
  for (const name of ["offset", "before", "find", "at"]) url.searchParams.delete(name);
  url.searchParams.set("line", first === last ? first : `${first}-${last}`);
  url.hash = first === last ? `L${first}` : `L${first}-L${last}`;
  return url;
}

// showAddress marks the lines that the address names, and scrolls to them.
async function showAddress() {
  const range = location.hash.match(/^#L(\d{1,15})(?:-L?(\d{1,15}))?$/)
    ?? new URLSearchParams(location.search).get("line")?.match(/^(\d{1,15})(?:-(\d{1,15}))?$/);
  if (!range) return;
  mark(Number(range[1]), Number(range[2] ?? range[1]));
  await showLine({ line: marked.first });
  showMarks();
}

function handleClick(event) {
  const link = event.target.closest("a[data-line]");
  if (!link || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  const line = Number(link.dataset.line);
  mark(event.shiftKey && marked.first > 0 ? marked.from : line, line);
  history.replaceState(history.state, "", address());
}

// focusLine moves the focus to the number of a line.
function focusLine(line) {
  const link = line && linkOf(line);
  if (!link) return;
  link.focus({ preventScroll: true });
  line.scrollIntoView({ block: "nearest" });
}

function firstVisible() {
  const { top } = log.getBoundingClientRect();
  return linesIn(log).find((line) => line.getBoundingClientRect().bottom > top + 1);
}

// The links are no stops of the Tab key: there are too many. Enter leads from the log to them, and the arrow
// keys from one to the next.
function handleKey(event) {
  const line = event.target.closest("a[data-line]")?.parentElement;
  if (!line) {
    if (event.key !== "Enter" || event.target !== log) return;
    focusLine(markedLines()[0] ?? firstVisible());
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const lines = linesIn(log);
    focusLine(lines[lines.indexOf(line) + (event.key === "ArrowDown" ? 1 : -1)]);
  } else if (event.key === "Escape") {
    log.focus({ preventScroll: true });
  } else {
    return;
  }
  event.preventDefault();
}

if (log) {
  onLines(showMarks);
  log.addEventListener("click", handleClick);
  log.addEventListener("keydown", handleKey);
  addEventListener("hashchange", showAddress);
  showAddress();
}
