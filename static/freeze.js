// Keeps the rows of the list in place while the user reads it. Cells are always updated. But while the user
// has scrolled down, selected text or runs, or has the focus in the list, no row appears or disappears: a bar
// above the list says how many new runs there are, as it does on older pages. The user can also pause the
// whole page.
import { announce } from "./announce.js";
import { onBeforeSwap, onSwap, targetOf } from "./events.js";
import {
  changingCells, find, ids, isLive, isPaused, rowID, rowsOf, runOf, scrollToList, setText, shownCount,
  statusID,
} from "./page.js";
import { reuseRows } from "./rows.js";

// Set while the page is paused: since when, how many frames were dropped since, and whether the next frame is
// the first one of a socket whose list the page has just fetched.
let pause = null;
let detachedRuns = []; // runs whose rows are kept although they are no longer in the list of the server

// isReading reports whether moving rows would disturb the user: the list is scrolled or in use.
function isReading(list) {
  const selection = getSelection();
  return list.getBoundingClientRect().top < 0 || list.contains(document.activeElement) ||
    list.matches(":active") || list.querySelector("input:checked, details[open]") !== null ||
    document.querySelector("dialog[open]") !== null ||
    (!selection.isCollapsed && list.contains(selection.anchorNode));
}

const newRunsText = (count, more = "") => (count === 1 && !more ? "1 new run" : `${count}${more} new runs`);

// showBar shows a text in the bar for new runs, and hides the bar for an empty text.
function showBar(text) {
  const bar = find(ids.newRuns);
  if (!bar) return;
  const isFirst = bar.hidden && text !== "";
  if (isFirst) announce(`${text}. A button above the list shows them.`); // not again for each number
  bar.hidden = text === "";
  setText(bar, text);
}

const versionOf = (statusCell) => Number(statusCell.dataset.version);

// cellTasks returns tasks that bring the present rows up to date with the incoming list, for the task that
// would replace the list. What a run waits for, in its message, changes without a new version.
function cellTasks(task, incoming) {
  const tasks = [];
  for (const row of rowsOf(incoming)) {
    const run = runOf(row);
    const id = statusID(run);
    const present = find(id);
    const rise = present ? versionOf(row.querySelector(`#${id}`)) - versionOf(present) : NaN;
    for (const cell of changingCells(row, run)) {
      const target = find(cell.id);
      const isNewer = rise > 0 || rise === 0 && cell.matches(".message");
      if (!target || !isNewer || target.isEqualNode(cell)) continue;
      const fragment = document.createDocumentFragment();
      fragment.append(cell);
      tasks.push({ ...task, fragment, target });
    }
  }
  return tasks;
}

// newRunsIn returns the text of the bar for an incoming list that is held back. It counts new runs only in
// that list, so if all its runs are new and it has an older page, there may be more.
function newRunsIn(list, incoming, hasOlderPage) {
  const oldest = Math.min(...rowsOf(list).map(runOf));
  const incomingRows = rowsOf(incoming);
  const count = incomingRows.filter((row) => !find(row.id) && runOf(row) > oldest).length;
  if (count === 0) return "List changed";
  return newRunsText(count, count === incomingRows.length && hasOlderPage ? "+" : "");
}

// mergeRunning keeps the rows of the group of running runs, with the newer cells of the incoming group. Its
// rows lie above the list, so none may appear or disappear either. A run that is no longer in the group has
// ended.
function mergeRunning(group, incoming) {
  const merged = group.cloneNode(true);
  for (const row of rowsOf(merged)) {
    const fresh = incoming.querySelector(`#${row.id}`);
    if (fresh) {
      row.replaceWith(fresh.cloneNode(true));
      continue;
    }
    const badge = row.querySelector(".badge");
    badge.removeAttribute("data-status");
    badge.textContent = "ended";
    row.querySelector(".actions").replaceChildren();
    for (const time of row.querySelectorAll(".duration")) time.replaceChildren();
  }
  const heads = [merged, incoming].map((part) => part.querySelector("th[scope=rowgroup]"));
  if (heads[0] && heads[1]) heads[0].replaceWith(heads[1].cloneNode(true));
  incoming.replaceWith(merged);
}

// Frames do not cover detached rows, so the page polls their status cells.
setInterval(() => {
  detachedRuns = detachedRuns.filter((run) => find(rowID(run)));
  if (detachedRuns.length === 0 || pause || document.hidden || !isLive()) return;
  const query = detachedRuns.map((run) => `id=${run}`).join("&");
  htmx.ajax("GET", `/process_runs?${query}`, {
    source: `#${ids.newRuns}`, target: `#${ids.list}`, swap: "none",
  });
}, 1000);

// updateNewCount says on older pages, which get no new rows, by how many runs the list has grown since the
// page was opened.
function updateNewCount() {
  const bar = find(ids.newRuns);
  if (!bar || !find(ids.newestPage) || detachedRuns.length > 0) return;
  const { count, capped } = find(ids.matches).dataset;
  if (capped !== undefined) return; // the server stopped counting, so growth is unknown
  const size = Number(count ?? shownCount().replaceAll(",", ""));
  bar.dataset.size ??= size;
  const growth = size - Number(bar.dataset.size);
  showBar(growth > 0 ? newRunsText(growth) : "");
}

onBeforeSwap((swap) => {
  if (!swap.isFrame) return;
  // Heartbeats and drain frames do not concern the list.
  if (swap.tasks.every(({ target }) => [ids.heartbeat, ids.server].includes(target?.id))) return;
  if (pause?.isFetched) {
    pause.isFetched = false; // the frame has the list as it was fetched, or newer
  } else if (pause) {
    pause.frames++;
    swap.cancel();
    return;
  }
  const list = find(ids.list);
  if (!list) return;
  const group = swap.taskFor(ids.running)?.fragment.querySelector(`#${ids.running}`);
  const incoming = swap.taskFor(ids.list)?.fragment.querySelector(`#${ids.list}`);
  if (!group && !incoming) return;
  const isRead = isReading(list); // costs a layout
  if (group && isRead) mergeRunning(find(ids.running), group);
  else if (group) reuseRows(find(ids.running), group);
  if (!incoming || rowsOf(list).length === 0) return;
  const appear = rowsOf(incoming).some((row) => !find(row.id));
  const disappear = rowsOf(list).some((row) => !incoming.rows.namedItem(row.id));
  if (!appear && !disappear || !isRead) {
    detachedRuns = [];
    showBar("");
    reuseRows(list, incoming);
    return;
  }
  holdBack(swap, list, incoming);
});

// holdBack keeps the rows of the list, and updates only their cells. The pagers belong to the incoming list.
function holdBack(swap, list, incoming) {
  const pagers = [ids.pager, ids.pagerTop].map((id) => swap.taskFor(id)).filter(Boolean);
  const parts = [document, ...pagers.map(({ fragment }) => fragment)];
  const hasOlder = parts.some((part) => part.querySelector(`#${ids.olderPage}`));
  showBar(newRunsIn(list, incoming, hasOlder));
  detachedRuns = rowsOf(list).filter((row) => !incoming.querySelector(`#${row.id}`)).map(runOf);
  const whole = swap.taskFor(ids.list);
  for (const task of [whole, ...pagers]) swap.tasks.splice(swap.tasks.indexOf(task), 1);
  swap.tasks.push(...cellTasks(whole, incoming));
}

async function reload() {
  document.activeElement?.blur();
  getSelection().removeAllRanges();
  await fetchList();
}

// fetchList fetches the current list. The socket stays open, because its address is the same.
async function fetchList() {
  detachedRuns = [];
  showBar("");
  const live = `#${ids.live}`;
  await htmx.ajax("GET", location.pathname + location.search, {
    target: live, select: live, swap: "outerMorph",
  });
}

function labelPauseButton() {
  const button = find(ids.pause);
  if (!button) return;
  button.setAttribute("aria-pressed", String(pause !== null));
  if (!pause) {
    setText(button, "Pause updates");
    return;
  }
  const seconds = Math.floor((Date.now() - pause.since) / 1000);
  const updates = pause.frames === 1 ? "update" : "updates";
  setText(button, `Resume (${seconds} s, ${pause.frames} ${updates} behind)`);
}
setInterval(labelPauseButton, 500);

async function showNewRuns() {
  const newestPage = detachedRuns.length === 0 && find(ids.newestPage);
  if (newestPage) newestPage.click();
  else await reload();
  scrollToList();
}

async function togglePause() {
  const resumes = isPaused();
  pause = resumes ? null : { since: Date.now(), frames: 0, isFetched: false };
  labelPauseButton();
  if (resumes) await reload();
}

document.addEventListener("click", ({ target }) => {
  if (target.id === ids.newRuns) showNewRuns();
  if (target.id === ids.pause) togglePause();
});
// An open question holds back rows, such as that of the run which it has started.
document.addEventListener("close", () => {
  if (find(ids.newRuns)?.hidden === false && !find(ids.newestPage) && !pause && !isReading(find(ids.list))) fetchList();
}, true); // it does not bubble
onSwap(({ isResponse, context }) => {
  // A list that the user fetched in the meantime, such as that of another tab, is the present one.
  if (pause && isResponse && targetOf(context)?.id === ids.live) {
    pause = { since: Date.now(), frames: 0, isFetched: true };
  }
  updateNewCount();
  labelPauseButton();
});
updateNewCount();
