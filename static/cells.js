// What frames bring: the newest state of a cell wins, what is as before stays, the focus stays in the row,
// and notices about older states go away.
import { onBeforeSwap, onConnected, onRequest, onSwap, targetOf } from "./events.js";
import { changingCells, find, ids, rowsOf, runOf, statusID } from "./page.js";

// A page can briefly have two sockets, so an older cell may arrive after a newer one. The page keeps the
// newer one, and with it the other cells of the run: only the status cell has the version. The first frame of
// a new socket always wins, even with lower versions: the database may have been replaced.
let isFirstFrame = false;
onConnected(() => { isFirstFrame = true; });

// isOlder reports whether a status cell is older than the one on the page.
function isOlder(incoming) {
  const present = find(incoming.id);
  return present !== null && Number(present.dataset.version) > Number(incoming.dataset.version);
}

onBeforeSwap(({ isFrame, tasks }) => {
  if (isFirstFrame && isFrame) {
    isFirstFrame = false;
    return;
  }
  const fragments = tasks.map(({ fragment }) => fragment).filter((fragment) => fragment?.querySelectorAll);
  const statusCells = fragments.flatMap((fragment) => [...fragment.querySelectorAll("[data-version]")]);
  for (const run of statusCells.filter(isOlder).map(runOf)) {
    for (const cell of fragments.flatMap((fragment) => changingCells(fragment, run))) {
      const present = find(cell.id);
      if (present) cell.replaceWith(present.cloneNode(true));
    }
  }
});

// isShown reports whether a part of a frame is what the page shows. htmx marks the elements that it has set
// up.
function isShown({ target, fragment, swapSpec }) {
  const part = fragment.firstElementChild;
  return swapSpec.style === "outerMorph" && target && rowsOf(part).length === 0 &&
    target.outerHTML.replaceAll(' data-htmx-powered="true"', "") === part?.outerHTML;
}

// Most frames repeat the warnings and most counts. Each swap sets up its part anew, which takes longer than
// to compare it.
onBeforeSwap((swap) => {
  if (!swap.isFrame) return;
  const { tasks } = swap;
  tasks.splice(0, tasks.length, ...tasks.filter((task) => !isShown(task)));
});

// A swap may remove the button that has the focus. The focus then moves to the run's link in the same row, so
// that keyboard users need not start from the top of the page again.
let focusedCell = null;
document.addEventListener("focusin", ({ target }) => {
  focusedCell = target.matches("td.actions :is(button, summary)") ? target.closest("td") : null;
});
onSwap(() => {
  if (!focusedCell?.isConnected || document.activeElement !== document.body) return;
  focusedCell.parentElement.querySelector("a").focus({ preventScroll: true });
});

// A notice about a run is removed when that run changes again, and any notice when the user opens another
// list.
onSwap(() => {
  const notice = find(ids.notice)?.querySelector("[data-run]");
  const cell = notice && find(statusID(notice.dataset.run));
  if (cell && Number(cell.dataset.version ?? Infinity) > Number(notice.dataset.version)) notice.remove();
});
onRequest((context) => {
  const { method, action } = context.request;
  const opensList = method === "GET" && targetOf(context)?.id === ids.live;
  const isAnother = new URL(action, location.href).href !== location.href.replace(/#.*/, "");
  if (opensList && isAnother) find(ids.notice)?.replaceChildren();
});
