// The page of a run, in places that users also see from elsewhere: the title and the icon of its tab, and a
// notification at the end of the run.
import { serverNow } from "./clock.js";
import { onSwap } from "./events.js";
import { find, findStatusCell, ids, isLive, runOf, runPartID, setText } from "./page.js";

const titleEnd = " · Runboard";
const findTitle = () => document.querySelector("[data-title]");

// The icon shows the status as its badge does, and how far the run is. It has the size of a tab's icon, so it
// is drawn with few strokes. The colours stand out on light and dark tabs.
const icons = {
  created: ["#7c8798", '<circle cx="16" cy="16" r="11" stroke-dasharray="6 4"/>'],
  started: [
    "#2f7df6",
    '<circle cx="16" cy="16" r="11"/><circle cx="16" cy="16" r="5" fill="#2f7df6" stroke="none"/>',
  ],
  completed: ["#1f9d55", '<path d="M6 17l7 7 13-15"/>'],
  failed: ["#dc2f2f", '<path d="M8 8l16 16M24 8L8 24"/>'],
  cancelled: ["#7c8798", '<path d="M6 16h20"/>'],
};

// ring draws how far the run is, from the top on.
function ring(percent) {
  const length = 2 * Math.PI * 12;
  const dashes = `${(length * percent) / 100} ${length}`;
  return '<circle cx="16" cy="16" r="12" stroke-opacity="0.3"/>' +
    `<circle cx="16" cy="16" r="12" transform="rotate(-90 16 16)" stroke-dasharray="${dashes}"/>`;
}

function iconOf({ status, percent }) {
  if (!icons[status]) return null; // the run was deleted
  const [color, shape] = icons[status];
  const drawn = percent === undefined ? shape : ring(Number(percent));
  const style = `fill="none" stroke="${color}" stroke-width="5" stroke-linecap="round"`;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" ${style}>${drawn}</svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}

const iconLink = document.querySelector('link[rel="icon"]');
const plainIcon = iconLink?.href;

function showInTab() {
  const title = findTitle();
  if (!title) return;
  document.title = title.textContent + titleEnd;
  const icon = iconOf(title.dataset) ?? plainIcon;
  if (iconLink.href !== icon) iconLink.href = icon; // browsers fetch it anew with each change
}

// The notification. A page that is not secure cannot ask for it, and some browsers cannot show any.
const finals = ["completed", "failed", "cancelled", undefined]; // a deleted run has no status
const isFinal = () => finals.includes(findStatusCell()?.dataset.status);
function canNotify() {
  return "Notification" in window && window.isSecureContext && Notification.permission !== "denied";
}
let wanted = false;

function showButton() {
  const button = find(ids.tellMe);
  if (!button) return;
  button.hidden = isFinal() || !canNotify();
  button.setAttribute("aria-pressed", String(wanted));
  setText(button, wanted ? "Will tell you when it is done" : "Tell me when it is done");
}

async function toggleNotification() {
  wanted = !wanted && (await Notification.requestPermission()) === "granted";
  showButton();
  notifyAtEnd(); // the run may have ended while the browser asked
}

function notifyAtEnd() {
  if (!wanted || !isFinal()) return;
  wanted = false;
  const cell = findStatusCell();
  const run = runOf(cell);
  const body = find(runPartID(run, "state"))?.innerText ?? "";
  try {
    const notification = new Notification(findTitle().textContent, { body, tag: `runboard-${run}` });
    notification.addEventListener("click", () => {
      window.focus();
      notification.close();
    });
  } catch {
    // Some browsers on phones show notifications only for installed apps.
  }
}

document.addEventListener("click", ({ target }) => {
  if (target.id === ids.tellMe) toggleNotification();
});

// A bar without a known progress moves with the time: up to its mark at the usual duration, and ever slower
// beyond it. The server computes the same (templates/run_state.go).
const usualMark = 0.8;
function moveBar() {
  const bar = document.querySelector("progress[data-since][data-usual]");
  if (!bar || !isLive()) return;
  const share = Math.max(0, serverNow() - Number(bar.dataset.since)) / Number(bar.dataset.usual);
  bar.value = bar.max * (share <= 1 ? usualMark * share : 1 - (1 - usualMark) / share);
}
setInterval(moveBar, 1000);

// A swap may remove the button that has the focus. The focus then moves to the status, so that keyboard users
// need not start from the top of the page again.
let hadFocus = false;
document.addEventListener("focusin", ({ target }) => {
  hadFocus = target.matches(".run-actions .change button");
});
onSwap(() => {
  const cell = findStatusCell();
  if (!hadFocus || !cell || document.activeElement !== document.body) return;
  cell.tabIndex = -1;
  cell.focus({ preventScroll: true });
});

export function showRun() {
  showInTab();
  notifyAtEnd();
  showButton();
}
onSwap(showRun);
showRun();

// A menu closes when the user goes elsewhere.
document.addEventListener("click", ({ target }) => {
  const menu = find(ids.runMenu);
  if (menu?.open && !target.closest(`#${ids.runMenu}`)) menu.open = false;
});
document.addEventListener("keydown", ({ key }) => {
  const menu = find(ids.runMenu);
  if (key !== "Escape" || !menu?.open) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});
