// The buttons above a log: wrap long lines, show the times of lines, and copy.
import { onLines } from "./log.js";
import { linesIn, linkOf, textOf } from "./loglines.js";
import { markedLines } from "./loglinks.js";
import { find, ids, setText } from "./page.js";

const log = find(ids.log);

function remembered(name) {
  try {
    return localStorage.getItem(name);
  } catch { // storage is blocked
    return null;
  }
}

function remember(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch { // the choice lasts as long as the page
  }
}

// startSwitch makes a button turn something on and off, and remembers the choice in this browser.
function startSwitch(button, name, initially, show) {
  const set = (on) => {
    button.setAttribute("aria-pressed", on);
    show(on);
  };
  button.hidden = false;
  set((remembered(name) ?? initially) === "on");
  button.addEventListener("click", () => {
    const on = button.getAttribute("aria-pressed") !== "true";
    remember(name, on ? "on" : "off");
    set(on);
  });
}

// Times, in the zone of the reader.
const clock = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23",
});

// addTimes adds the times to the lines that have none. They are texts of the style, so that they are neither
// copied nor found.
function addTimes() {
  if (!log.hasAttribute("data-times")) return;
  for (const line of log.querySelectorAll("[data-at]:not(:has(> time))")) {
    const at = new Date(Number(line.dataset.at));
    const time = document.createElement("time");
    time.dateTime = at.toISOString();
    time.title = `${time.dateTime.replace("T", " ").replace("Z", "")} UTC`;
    time.dataset.text = clock.format(at);
    const link = linkOf(line);
    if (link) link.after(time);
    else line.prepend(time);
  }
}

// write puts a text on the clipboard. Browsers offer navigator.clipboard only to encrypted and local pages.
async function write(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "visually-hidden";
  document.body.append(area);
  const focused = document.activeElement;
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  focused?.focus();
  if (!copied) throw new Error("cannot copy");
  return undefined;
}

async function copy(button) {
  const marked = markedLines();
  const lines = marked.length > 0 ? marked : linesIn(log);
  let text = "Nothing to copy";
  if (lines.length > 0) {
    try {
      await write(lines.map((line) => `${textOf(line)}\n`).join(""));
      text = `Copied ${lines.length.toLocaleString("en")} ${lines.length === 1 ? "line" : "lines"}`;
    } catch {
      text = "The browser does not allow copying";
    }
  }
  setText(find(ids.logNews), text);
  button.dataset.done = text;
  setTimeout(() => {
    delete button.dataset.done;
    setText(find(ids.logNews), "");
  }, 3000);
}

if (log) {
  startSwitch(find(ids.logWrap), "log.wrap", "on", (on) => log.toggleAttribute("data-nowrap", !on));
  startSwitch(find(ids.logTimes), "log.times", "off", (on) => {
    log.toggleAttribute("data-times", on);
    addTimes();
  });
  onLines(addTimes);
  const button = find(ids.logCopy);
  button.hidden = false;
  button.addEventListener("click", () => copy(button));
}
