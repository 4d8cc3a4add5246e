// The state of the connection: the badge, requests without an answer, and busy buttons. The badge says "Live"
// only if the server has sent something within the last 35 s.
"use strict";

(() => {
  const silence = 35_000; // ms without a message until the connection is lost; heartbeats come every 15 s
  const opening = 15_000; // ms that a socket may take to open

  const states = { // of the badge: data-state and text
    live: ["live", "Live"],
    connecting: ["connecting", "Connecting…"],
    resting: ["connecting", "Paused in the background"],
    draining: ["connecting", "Server is shutting down…"],
    restarting: ["offline", "Server restarting. Reconnecting…"],
    offline: ["offline", "Reconnecting…"],
    silent: ["offline", "No answer from the server. Reconnecting…"],
    network: ["offline", "Offline. This device has no network."],
    refused: ["offline", "Updates stopped. Reload the page."],
    deleted: ["offline", "Updates stopped: the run was deleted."],
  };
  const retried = [1000, 1001, 1005, 1006, 1011, 1012, 1013, 1014];
  const find = (id) => document.getElementById(id);

  let connection = null; // the connection object of hx-ws
  let open = false;
  let heard = 0;         // time of the last message, by performance.now()
  let loss = null;       // state to show until the page is live again
  let drains = false;    // whether the server is shutting down
  let dialled = { socket: null, at: 0 }; // the socket that is being opened, and since when

  function now() {
    if (loss === "refused" || loss === "deleted") return loss;
    if (open && performance.now() - heard < silence) return drains ? "draining" : "live";
    if (!navigator.onLine) return "network";
    if (document.hidden && connection?.config.pauseOnBackground) return "resting";
    return loss ?? (drains ? "restarting" : "connecting");
  }

  // Screen readers do not announce the badge while the page opens, but they do announce later changes.
  let settled = false;
  function show() {
    const badge = find("connection");
    if (!badge) return;
    const state = now(), [value] = states[state];
    const words = state === "live" && document.querySelector("#pause[aria-pressed=true]") ? "Paused" : states[state][1];
    if (settled || value === "offline") badge.removeAttribute("aria-live");
    badge.dataset.state = value;
    badge.toggleAttribute("data-draining", state === "draining");
    if (badge.textContent !== words) badge.textContent = words;
    settled ||= state === "live";
  }

  // redial makes hx-ws open another socket by simulating a lost connection. A real close would wait for an
  // answer from a server that does not respond.
  function redial(why) {
    loss = why;
    open = false;
    clearTimeout(connection?.timer); // otherwise hx-ws would open two sockets
    connection?.socket?.dispatchEvent(new CloseEvent("close", { code: 1006 }));
    show();
  }

  // slept detects that the computer slept, after which its connections may be dead. During sleep one of the
  // browser's two clocks may stop, so they drift apart.
  let drift = Date.now() - performance.now();
  function slept() {
    const before = drift;
    drift = Date.now() - performance.now();
    return Math.abs(drift - before) > 5000;
  }

  function look() {
    if (slept()) {
      redial(loss);
      return;
    }
    const socket = connection?.socket;
    if (socket !== dialled.socket) dialled = { socket, at: performance.now() };
    if (open && performance.now() - heard >= silence) redial("silent");
    else if (socket?.readyState === WebSocket.CONNECTING && performance.now() - dialled.at >= opening) redial("silent");
    else show();
  }
  setInterval(look, 1000);

  function hear() {
    heard = performance.now();
    document.querySelector(".no-answer")?.remove();
  }

  document.addEventListener("htmx:ws:before:connection", ({ detail }) => {
    connection = detail.connection;
    show();
  });
  document.addEventListener("htmx:ws:after:connection", ({ detail }) => {
    connection = detail.connection;
    // The user can now repeat what the server refused.
    if (loss) document.querySelector("#notice .outage")?.remove();
    [open, loss, drains] = [true, null, false];
    find("server")?.removeAttribute("data-state");
    hear();
    show();
  });
  document.addEventListener("htmx:ws:before:message:incoming", ({ detail: { message } }) => {
    hear();
    if (String(message.data).startsWith('<span id="server" data-state="draining"')) drains = true;
    show();
  });
  document.addEventListener("htmx:ws:close", ({ detail: { connection: closed, reason, code } }) => {
    if (closed !== connection) return;
    open = false;
    if (reason !== "closed") { // its region was swapped; the new region connects
      connection = null;
    } else if (!retried.includes(code)) {
      loss = code === 1008 && find("deleted") ? "deleted" : "refused";
      if (loss === "deleted") showDeleted();
    } else if (!(document.hidden && connection.config.pauseOnBackground)) {
      loss = drains || code === 1012 ? "restarting" : loss ?? "offline";
    }
    show();
  });
  addEventListener("offline", () => {
    heard = -Infinity; // until a message proves otherwise: a server on this device stays reachable
    show();
  });
  addEventListener("online", () => redial(null));
  document.addEventListener("visibilitychange", look);
  document.addEventListener("DOMContentLoaded", () => {
    drains = find("server")?.dataset.state === "draining";
    show();
  });

  // showDeleted marks the run as deleted if the socket closed before it got the frame that says so.
  function showDeleted() {
    const gone = find("deleted");
    if (!gone.hidden) return;
    gone.hidden = false;
    const cell = document.querySelector(".facts td[data-status]");
    for (const name of ["data-status", "data-version", "data-at"]) cell.removeAttribute(name);
    cell.innerHTML = '<span class="badge">deleted</span>';
    document.querySelector("tbody[id$=_facts]").replaceChildren();
    document.dispatchEvent(new Event("runboard:deleted"));
  }

  // A request without an answer is reported in place of the answer. The message stays until the server sends
  // anything.
  document.addEventListener("htmx:error", ({ detail: { ctx } }) => {
    if (!ctx?.request || ctx.response) return;
    const place = find("notice");
    const text = document.createElement("p");
    text.className = "error unanswered";
    text.textContent = "No answer from the server.";
    if (ctx.request.signal?.reason === "timeout" && ctx.request.method !== "GET") text.textContent += " It may still do what was asked.";
    place?.replaceChildren(text);
  });
  document.addEventListener("htmx:before:response", ({ detail: { ctx } }) => {
    document.querySelector(".no-answer")?.remove();
    ctx.outage = ctx.response.status === 503;
  });
  document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
    if (ctx.outage) find("notice")?.querySelector(".error, #message")?.classList.add("outage");
  });

  // A pressed button is busy until its request has ended, even if its cell is swapped meanwhile.
  const busy = new Map(); // buttons by request
  function mark() {
    for (const button of busy.values()) button.setAttribute("aria-busy", "true");
  }
  document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => {
    const button = ctx.request.submitter ?? ctx.sourceEvent?.target?.closest?.("button");
    if (!button) return;
    busy.set(ctx, button);
    mark();
  });
  document.addEventListener("htmx:after:swap", mark);
  document.addEventListener("htmx:finally:request", ({ detail: { ctx } }) => {
    const button = busy.get(ctx);
    busy.delete(ctx);
    if (button && ![...busy.values()].includes(button)) button.removeAttribute("aria-busy");
  });
})();
