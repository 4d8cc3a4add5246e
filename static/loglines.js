// The lines of a log, as the page shows them: blocks of lines, each with the range of offsets it covers
// (data-from, data-to). A line may have several parts, each with the offset at which it begins, and has
// data-open until it ends. Its first child links to it, if its number is known.
import { find, lineID } from "./page.js";

export const offsetOf = (part) => Number(part.dataset.offset);
export const fromOf = (block) => Number(block.dataset.from);
export const toOf = (block) => Number(block.dataset.to);
const streamOf = (line) => line.dataset.stream ?? "";

// linesIn returns the lines in an element; linesOf returns those of a block.
export const linesIn = (element) => [...element.querySelectorAll(".lines > [data-offset]")];
export const linesOf = (block) => [...block.querySelectorAll(":scope > [data-offset]")];

// numberOf returns the number of a line, or 0 if it is not known.
export const numberOf = (line) => Number(linkOf(line)?.dataset.line ?? 0);
export const linkOf = (line) => line.querySelector(":scope > a[data-line]");
export const findLine = (number) => find(lineID(number));

// lastNumber returns the largest number of the lines, or 0.
export const lastNumber = (lines) => lines.reduce((last, line) => Math.max(last, numberOf(line)), 0);

// partsOf returns the later parts of a line, which are elements in it.
const partsOf = (line) => [...line.querySelectorAll(":scope > [data-offset]")];

// isText reports whether a child of a line is part of its text.
const isText = (node) => !node.matches?.("a[data-line], time, [data-offset]");

// clearText removes the text of a line, with all parts.
function clearText(line) {
  for (const node of [...line.childNodes]) {
    if (isText(node) || node.dataset.offset !== undefined) node.remove();
  }
}

// textOf returns the text of a line, as it was written.
export const textOf = (line) => line.textContent;

// continueLine appends parts to a line. It removes the line break that gives an empty line its height.
function continueLine(line, parts, isOpen) {
  line.querySelector(":scope > br")?.remove();
  for (const part of parts) {
    part.querySelector(":scope > br")?.remove();
    if (part.dataset.replaces !== undefined) clearText(line);
    const added = document.createElement("span");
    added.dataset.offset = part.dataset.offset;
    added.append(...[...part.childNodes].filter(isText));
    line.append(added);
  }
  line.toggleAttribute("data-open", isOpen);
}

// takeApart returns the parts of a line as separate elements, the line itself first, and empties it.
function takeApart(line) {
  const later = partsOf(line);
  for (const part of later) part.remove();
  return [line, ...later];
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
    const parts = partsOf(line).filter((part) => offsetOf(part) >= end);
    if (present && parts.length > 0) join(parts);
    line.remove();
  } else if (stream === "server") {
    for (const open of openLines.values()) open.removeAttribute("data-open"); // the attempt has ended
    openLines.clear();
  } else if (present) {
    join(takeApart(line));
    line.remove();
  }
}

// mergeBlock removes from a new block what the log has up to the offset end, and joins its lines with the
// open ones of the log. It reports whether anything is left to be added.
export function mergeBlock(log, block, end) {
  const openLines = new Map([...log.querySelectorAll("[data-open]")].map((line) => [streamOf(line), line]));
  for (const line of linesOf(block)) mergeLine(line, openLines, end);
  block.dataset.from = Math.max(fromOf(block), end);
  return linesOf(block).length > 0;
}

// joinFirstBlock joins the open lines of the first block with their continuations in the blocks after it.
export function joinFirstBlock(log) {
  const lines = linesIn(log);
  for (const line of linesOf(log.firstElementChild).filter((line) => line.hasAttribute("data-open"))) {
    const later = lines.slice(lines.indexOf(line) + 1);
    const next = later.find((other) => [streamOf(line), "server"].includes(streamOf(other)));
    if (!next || streamOf(next) !== streamOf(line) || numberOf(next) !== numberOf(line)) continue;
    const isOpen = next.hasAttribute("data-open");
    continueLine(line, takeApart(next), isOpen);
    next.remove();
  }
}

// removeFirstBlock removes the first block. Parts of its lines that belong to the next one go there.
export function removeFirstBlock(log) {
  const block = log.firstElementChild;
  const next = block.nextElementSibling;
  for (const line of linesOf(block).reverse()) {
    const parts = partsOf(line).filter((part) => offsetOf(part) >= toOf(block));
    if (parts.length === 0) continue;
    const isOpen = line.hasAttribute("data-open");
    clearText(line);
    line.dataset.offset = parts[0].dataset.offset;
    continueLine(line, parts, isOpen);
    const first = next.querySelector(":scope > [data-offset]");
    if (first) first.before(line);
    else next.append(line);
  }
  block.remove();
}

// removeLastBlock removes the last block, and from the other lines the parts that belong to it.
export function removeLastBlock(log) {
  log.lastElementChild.remove();
  const end = toOf(log.lastElementChild);
  for (const line of linesOf(log.lastElementChild)) {
    for (const part of partsOf(line)) {
      if (offsetOf(part) < end) continue;
      part.remove();
      line.setAttribute("data-open", "");
    }
  }
}
