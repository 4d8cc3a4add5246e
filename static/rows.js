// Rows: a click anywhere opens the run, buttons act on it, the bars of started runs move, and frames change
// rows instead of replacing them.
import { serverNow } from "./clock.js";
import { find, ids, isLive, isPaused, rowsOf } from "./page.js";

// A click that selects text, or ends a selection, opens nothing.
let hadSelection = false;
document.addEventListener("mousedown", () => { hadSelection = !getSelection().isCollapsed; }, true);

// linkOf returns the link of the row that a click opens, or null. Controls keep their clicks.
function linkOf({ target }) {
  const row = target.closest?.(`#${ids.list} tr[id], #${ids.running} tr[id]`);
  if (!row || target.closest("a, button, input, summary, label, .select, .actions")) return null;
  return hadSelection || !getSelection().isCollapsed ? null : row.querySelector("th a");
}
document.addEventListener("click", (event) => {
  const link = linkOf(event);
  if (!link || event.defaultPrevented) return;
  if (event.ctrlKey || event.metaKey || event.shiftKey) open(link.href);
  else link.click();
});
document.addEventListener("auxclick", (event) => {
  const link = event.button === 1 && linkOf(event);
  if (link) open(link.href);
});

// The buttons of rows have no attributes of htmx. It would set up and clean up each of them, and each frame
// of a busy board brings 25: that took a fifth of the page's time. Instead, the submission of their form
// becomes a request of the button. The other buttons of this form have attributes of htmx, which prevents
// their submission.
document.addEventListener("submit", (event) => {
  const { target, submitter } = event;
  if (target.id !== ids.rowActions) return;
  event.preventDefault();
  htmx.ajax("POST", submitter.getAttribute("formaction"), { source: submitter, event });
});

// The bar of a started run shows how much of the usual duration has passed.
function moveBars() {
  if (!isLive() || isPaused()) return;
  for (const bar of document.querySelectorAll("td progress[data-usual]")) {
    const since = Date.parse(bar.parentElement.querySelector("time").dateTime);
    const part = (serverNow() - since) / Number(bar.dataset.usual);
    bar.value = Math.min(100, 100 * part);
    bar.parentElement.classList.toggle("over", part > 1.5);
  }
}
setInterval(moveBars, 1000);

// reuseRows gives rows that are about to disappear the ids of rows that are about to appear. The swap then
// changes their texts and keeps their elements. For new elements, the browser computes style, layout and
// picture anew.
export function reuseRows(present, incoming) {
  const appearing = rowsOf(incoming).filter(({ id }) => !find(id));
  for (const row of rowsOf(present)) {
    if (incoming.rows.namedItem(row.id) || isInUse(row)) continue;
    const [before, after] = [row.id, appearing.shift()?.id];
    if (!after) return;
    for (const element of [row, ...row.querySelectorAll("[id]")]) {
      element.id = element.id.replace(before, after);
    }
  }
}

// isInUse reports whether the user acts on a row. The action must not reach another run.
function isInUse(row) {
  return row.matches(":focus-within, :active, :has([open])") || getSelection().containsNode(row, true);
}
