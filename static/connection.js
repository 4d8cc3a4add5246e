// The badge with the state of the connection. It says "Live" only if the server has sent something within the
// last 35 s.
import { announceStatus } from "./announce.js";
import { onConnected, onConnecting, onDisconnected, onMessage, onSwap } from "./events.js";
import { deletedParts, find, findStatusCell, ids, isPaused, runOf, runPartID, setText } from "./page.js";
import { showRun } from "./run.js";

const silenceLimit = 35_000; // ms without a message until the connection is lost; heartbeats come every 15 s
const connectLimit = 15_000; // ms that a socket may take to open

const states = { // data-state and text of the badge
  live: ["live", "Live"],
  paused: ["live", "Paused"],
  connecting: ["connecting", "Connecting…"],
  background: ["connecting", "Paused in the background"],
  draining: ["connecting", "Server is shutting down…"],
  restarting: ["offline", "Server restarting. Reconnecting…"],
  offline: ["offline", "Reconnecting…"],
  silent: ["offline", "No answer from the server. Reconnecting…"],
  noNetwork: ["offline", "Offline. This device has no network."],
  refused: ["offline", "Updates stopped. Reload the page."],
  deleted: ["offline", "Updates stopped: the run was deleted."],
};
const retriedCodes = [1000, 1001, 1005, 1006, 1011, 1012, 1013, 1014]; // hx-ws reconnects after these

let connection = null; // the connection object of hx-ws
let isOpen = false;
let lastMessageAt = 0; // by performance.now()
let loss = null;       // state to show until the page is live again
let dialled = { socket: null, at: 0 }; // the socket that is being opened, and since when

const isDraining = () => find(ids.server)?.dataset.state === "draining";
const isSilent = () => performance.now() - lastMessageAt >= silenceLimit;
const restsInBackground = () => document.hidden && Boolean(connection?.config.pauseOnBackground);

function currentState() {
  if (loss === "refused" || loss === "deleted") return loss;
  if (isOpen && !isSilent()) {
    if (isDraining()) return "draining";
    return isPaused() ? "paused" : "live";
  }
  if (!navigator.onLine) return "noNetwork";
  if (restsInBackground()) return "background";
  return loss ?? (isDraining() ? "restarting" : "connecting");
}

// Screen readers do not announce the badge while the page opens, but they do announce later changes.
let wasLive = false;
function show() {
  const badge = find(ids.connection);
  if (!badge) return;
  const state = currentState();
  const [value, text] = states[state];
  if (wasLive || value === "offline") badge.removeAttribute("aria-live");
  badge.dataset.state = value;
  badge.toggleAttribute("data-draining", state === "draining");
  setText(badge, text);
  wasLive ||= value === "live";
}

// reconnect makes hx-ws open another socket by simulating a lost connection. A real close would wait for an
// answer from a server that does not respond.
function reconnect(why) {
  loss = why;
  isOpen = false;
  clearTimeout(connection?.timer); // otherwise hx-ws would open two sockets
  connection?.socket?.dispatchEvent(new CloseEvent("close", { code: 1006 }));
  show();
}

// hasSlept detects that the computer slept, after which its connections may be dead. During sleep one of the
// browser's two clocks may stop, so they drift apart.
let drift = Date.now() - performance.now();
function hasSlept() {
  const before = drift;
  drift = Date.now() - performance.now();
  return Math.abs(drift - before) > 5000;
}

function check() {
  if (hasSlept()) {
    reconnect(loss);
    return;
  }
  const socket = connection?.socket;
  if (socket !== dialled.socket) dialled = { socket, at: performance.now() };
  const isLate = performance.now() - dialled.at >= connectLimit;
  const isStuck = socket?.readyState === WebSocket.CONNECTING && isLate;
  if (isStuck || isOpen && isSilent()) reconnect("silent");
  else show();
}
setInterval(check, 1000);
document.addEventListener("visibilitychange", check);

onConnecting((opening) => {
  connection = opening;
  show();
});
onConnected((opened) => {
  connection = opened;
  if (loss) find(ids.notice)?.querySelector(".outage")?.remove(); // the user can now repeat what was refused
  find(ids.server)?.removeAttribute("data-state");
  isOpen = true;
  loss = null;
  lastMessageAt = performance.now();
  show();
});
onMessage(() => {
  lastMessageAt = performance.now();
  show();
});
onSwap(show); // the server may be shutting down
onDisconnected(({ connection: closed, reason, code }) => {
  if (closed !== connection) return;
  isOpen = false;
  if (reason !== "closed") {
    connection = null; // its region was swapped; the new region connects
  } else if (!retriedCodes.includes(code)) {
    loss = code === 1008 && find(ids.deleted) ? "deleted" : "refused";
    if (loss === "deleted") showDeleted();
  } else if (!restsInBackground()) {
    loss = isDraining() || code === 1012 ? "restarting" : loss ?? "offline";
  }
  show();
});
addEventListener("offline", () => {
  lastMessageAt = -Infinity; // until a message proves otherwise: a server on this device stays reachable
  show();
});
addEventListener("online", () => reconnect(null));
show();

// An error page of a server that was not available opens the page that was asked for. It waits a moment, so
// that a page that fails again and again does not flicker.
const reloadDelay = 1000; // ms
if (find(ids.main)?.hasAttribute("data-reload")) {
  onMessage(() => setTimeout(() => location.reload(), reloadDelay));
}

// showDeleted marks the run as deleted if the socket closed before it got the frame that says so.
function showDeleted() {
  const warning = find(ids.deleted);
  if (!warning.hidden) return;
  warning.hidden = false;
  const cell = findStatusCell();
  for (const name of ["data-status", "data-version", "data-at"]) cell.removeAttribute(name);
  cell.innerHTML = '<span class="badge">deleted</span>';
  const run = runOf(cell);
  const title = find(runPartID(run, "title"));
  title.textContent = `deleted #${run}`;
  delete title.dataset.status;
  for (const part of deletedParts) find(runPartID(run, part))?.remove();
  announceStatus();
  showRun();
}
