// Announcements to screen readers.
import { onSwap } from "./events.js";
import { countID, find, findStatusCell, ids, runOf, setText } from "./page.js";

// announce has screen readers read a text. The page of a board or a run has a place for it.
export function announce(text) {
  const place = find(ids.announcement);
  if (place) setText(place, text);
}

// A summary every 5 s: announcing each change would never end on a busy board.
function announceProgress() {
  if (!find(ids.list)) return;
  const count = (status) => find(countID(status))?.textContent ?? "0";
  announce(`${count("started")} started, ${count("created")} created, ${count("failed")} failed`);
}
setInterval(announceProgress, 5000);

// The page of a run announces each change of status. A deleted run has no status.
const statusOf = (cell) => cell?.dataset.status ?? "deleted";
let status = statusOf(findStatusCell());

export function announceStatus() {
  const cell = findStatusCell();
  if (!cell || statusOf(cell) === status) return;
  status = statusOf(cell);
  announce(`Run #${runOf(cell)} is ${status}.`);
}
onSwap(announceStatus);

// The number of runs that a search has found stands above the list, and why there is none in the list.
onSwap(({ isResponse, source }) => {
  if (!isResponse || !source?.matches?.(`#${ids.find}`)) return;
  const matches = find(ids.matches).textContent || "All runs are shown.";
  announce(find(ids.list).querySelector(".empty")?.firstChild.textContent.trim() ?? matches);
});
