// Status cells: the newest state wins, the focus stays in the row, and notices about older states go away.
import { onBeforeSwap, onConnected, onRequest, onSwap, targetOf } from "./events.js";
import { find, ids, statusID } from "./page.js";

// A page can briefly have two sockets, so an older cell may arrive after a newer one. The page keeps the
// newer one. The first frame of a new socket always wins, even with lower versions: the database may have
// been replaced.
let isFirstFrame = false;
onConnected(() => { isFirstFrame = true; });
onBeforeSwap(({ isFrame, tasks }) => {
  if (isFirstFrame && isFrame) {
    isFirstFrame = false;
    return;
  }
  for (const { fragment } of tasks) {
    for (const incoming of fragment?.querySelectorAll?.("[data-version]") ?? []) {
      const present = find(incoming.id);
      if (present && Number(present.dataset.version) > Number(incoming.dataset.version)) {
        incoming.replaceWith(present.cloneNode(true));
      }
    }
  }
});

// A swap may remove the button that has the focus. The focus then moves to the run's link in the same row, or
// else to the cell, so that keyboard users need not start from the top of the page again.
let focusedCell = null;
document.addEventListener("focusin", ({ target }) => {
  focusedCell = target.matches("td[data-status] button") ? target.closest("td") : null;
});
onSwap(() => {
  if (!focusedCell?.isConnected || document.activeElement !== document.body) return;
  const link = focusedCell.parentElement.querySelector("a");
  if (!link) focusedCell.tabIndex = -1;
  (link ?? focusedCell).focus({ preventScroll: true });
});

// A notice about a run is removed when that run changes again, and any notice when the user opens another
// list.
onSwap(() => {
  const notice = find(ids.notice)?.querySelector("[data-run]");
  const cell = notice && find(statusID(notice.dataset.run));
  if (cell && Number(cell.dataset.version ?? Infinity) > Number(notice.dataset.version)) notice.remove();
});
onRequest((context) => {
  if (context.request.method === "GET" && targetOf(context)?.id === ids.live) find(ids.notice)?.replaceChildren();
});
