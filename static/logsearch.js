// The search within a log. The server looks at a part of the log for each request and says where to go on, so
// that a log of any length can be searched. The page goes on by itself until it has many hits.
import { logEnd, onLines, showLine } from "./log.js";
import { linesIn, offsetOf } from "./loglines.js";
import { find, ids, setText } from "./page.js";

const enough = 1000;     // hits after which the page goes on only when the reader does
const typing = 300;      // ms without a key after which a search begins
const marking = 200;     // ms between two updates of the marks
const tooMany = 1000;    // ms to wait when the server says that there are too many requests

const log = find(ids.log);
const form = find(ids.logSearch);
const field = form?.elements.find;
let search = null; // the current Search

// Search is a search for a text, as far as it has come.
class Search {
  constructor(text) {
    this.text = text;
    this.hits = [];      // {offset, line}, in order
    this.current = -1;   // index of the hit that is shown
    this.next = 0;       // offset at which the search continues, or null at the end of the log
    this.end = 0;        // end of the log when it was searched
    this.working = null; // promise of the request under way
    this.failed = false;
  }

  // more asks for more hits. It reports whether the search came further.
  more() {
    this.working ??= this.request().finally(() => {
      this.working = null;
    });
    return this.working;
  }

  async request() {
    if (this.next === null) {
      if (logEnd() <= this.end) return false;
      this.next = this.end; // the log has grown
    }
    const query = new URLSearchParams({ q: this.text, after: this.next });
    const response = await fetch(`${log.dataset.path}?${query}`, { headers: { Accept: "application/json" } })
      .catch(() => null);
    if (response?.status === 429) {
      await new Promise((resolve) => setTimeout(resolve, tooMany));
      return true;
    }
    this.failed = !response?.ok;
    if (this.failed) return false;
    const found = await response.json();
    const last = this.hits.at(-1)?.offset ?? -1;
    this.hits.push(...found.hits.filter(({ offset }) => offset > last));
    this.next = found.next;
    this.end = found.end;
    return true;
  }

  // status says how the search stands.
  status() {
    const at = this.current + 1;
    const all = this.hits.length;
    if (this.failed) return "No answer from the server";
    if (this.next === null) return all > 0 ? `${at} of ${all.toLocaleString("en")}` : "No hits";
    if (all >= enough) return `${at} of many`;
    const share = this.end > 0 ? Math.floor(100 * this.next / this.end) : 0;
    return all > 0 ? `${at} of ${all}+, ${share}% searched` : `${share}% searched`;
  }
}

function showStatus() {
  const text = search ? search.status() : "";
  const hits = find(ids.logHits);
  setText(hits, text);
  form.toggleAttribute("data-searching", search?.working != null);
  find(ids.logPrevious).disabled = !search || search.hits.length === 0;
}

// begin starts a search. offset is the hit to show first; without it, that is the first one.
async function begin(text, offset = -1) {
  search = text === "" ? null : new Search(text);
  marks.update();
  if (search) await proceed(search, () => search?.hits.some((hit) => hit.offset >= offset), offset);
  showStatus();
}

// proceed searches until it has enough hits, and shows one as soon as it is found.
async function proceed(current, isFound, offset) {
  let shown = false;
  showStatus();
  do {
    const wentOn = await current.more();
    if (current !== search) return;
    if (!shown && isFound()) {
      shown = true;
      await show(Math.max(0, current.hits.findIndex((hit) => hit.offset >= offset)));
    }
    showStatus();
    if (!wentOn) return;
  } while (current === search && current.next !== null && current.hits.length < enough);
  if (!shown && current.hits.length > 0) await show(0);
}

// show shows a hit.
async function show(index) {
  const current = search;
  current.current = index;
  showStatus();
  const { offset, line: number } = current.hits[index];
  const line = await showLine(number ? { line: number } : { offset });
  if (current !== search) return;
  log.querySelector("[data-hit]")?.removeAttribute("data-hit");
  line?.setAttribute("data-hit", "");
  marks.update();
}

// step goes to the next hit, or to the previous one with -1. Behind the last one comes the first.
async function step(direction) {
  const current = search;
  let index = current.current + direction;
  while (index >= current.hits.length) {
    const known = current.hits.length;
    const wentOn = await current.more();
    if (current !== search) return;
    showStatus();
    if (!wentOn || current.next === null && current.hits.length === known) break;
  }
  if (current.hits.length === 0) return;
  if (index < 0 && current.next !== null) return; // the last one is not known
  index = (index + current.hits.length) % current.hits.length;
  await show(index);
  showStatus();
}

// marks are the hits in the lines that are loaded. The browser paints them; the lines stay as they are.
const marks = {
  timer: 0,

  update() {
    clearTimeout(this.timer);
    this.timer = 0;
    if (!CSS.highlights) return;
    CSS.highlights.delete("log-hit");
    CSS.highlights.delete("log-current");
    if (!search) return;
    const pattern = new RegExp(search.text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"), "giu");
    const hits = new Highlight();
    const current = new Highlight();
    for (const line of linesIn(log)) {
      const target = line.hasAttribute("data-hit") ? current : hits;
      for (const range of rangesIn(line, pattern)) target.add(range);
    }
    CSS.highlights.set("log-hit", hits);
    CSS.highlights.set("log-current", current);
  },

  updateSoon() {
    if (!this.timer && search) this.timer = setTimeout(() => this.update(), marking);
  },
};

// rangesIn returns the ranges of a line that a pattern matches. A match may go through several elements.
function rangesIn(line, pattern) {
  const text = line.textContent;
  if (text.search(pattern) < 0) return [];
  const nodes = [];
  const walker = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
  for (let at = 0; walker.nextNode(); at += walker.currentNode.length) {
    nodes.push({ node: walker.currentNode, at });
  }
  const place = (offset) => {
    const { node, at } = nodes.findLast((other) => other.at <= offset);
    return [node, Math.min(offset - at, node.length)];
  };
  return [...text.matchAll(pattern)].map((match) => {
    const range = new Range();
    range.setStart(...place(match.index));
    range.setEnd(...place(match.index + match[0].length));
    return range;
  });
}

// removeServerMarks removes the marks of a page that was found without scripts.
function removeServerMarks() {
  for (const mark of log.querySelectorAll("mark")) {
    const text = document.createElement("span");
    text.className = mark.className;
    text.append(...mark.childNodes);
    mark.replaceWith(text);
  }
}

function start() {
  find(ids.logPrevious).hidden = false;
  let timer = 0;
  const beginSoon = () => {
    clearTimeout(timer);
    timer = setTimeout(() => begin(field.value), typing);
  };
  field.addEventListener("input", beginSoon);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(timer);
    if (search?.text !== field.value) begin(field.value);
    else if (search) step(1);
  });
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.shiftKey) return;
    event.preventDefault();
    if (search?.text === field.value) step(-1);
  });
  find(ids.logPrevious).addEventListener("click", () => {
    if (search) step(-1);
  });
  onLines(() => marks.updateSoon());
  removeServerMarks();
  if (field.value) begin(field.value, Number(field.dataset.hit ?? 0));
  else showStatus();
}

if (log) start();
