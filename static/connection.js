// What the page knows of the server: the connection badge, requests that are not answered, and pressed buttons. It says
// "Live" only while something has come from the server a moment ago.
"use strict";

(() => {
  const silence = 35_000; // ms after which a server that says nothing is not there: it has a heartbeat every 15 s
  const opening = 15_000; // ms that a connection may take to open

  const states = { // of the badge: data-state and words
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

  let connection = null; // of hx-ws
  let open = false;
  let heard = 0;         // when something came last, by performance.now()
  let loss = null;       // the state to show until the page is live again
  let drains = false;    // whether the server is shutting down
  let dialled = { socket: null, at: 0 }; // which socket is being opened, and since when

  function now() {
    if (loss === "refused" || loss === "deleted") return loss;
    if (open && performance.now() - heard < silence) return drains ? "draining" : "live";
    if (!navigator.onLine) return "network";
    if (document.hidden && connection?.config.pauseOnBackground) return "resting";
    return loss ?? (drains ? "restarting" : "connecting");
  }

  // The badge is not read out while the page opens, but from then on whenever it changes.
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

  // redial has hx-ws open another socket, as if this one had been cut. To close it would take as long as the server is silent.
  function redial(why) {
    loss = why;
    open = false;
    clearTimeout(connection?.timer); // or there would be two
    connection?.socket?.dispatchEvent(new CloseEvent("close", { code: 1006 }));
    show();
  }

  // A computer that has slept does not know what has become of its connections, nor how long it slept: one of the
  // browser's clocks may have stood still meanwhile.
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
    document.querySelector(".unanswered")?.remove();
  }

  document.addEventListener("htmx:ws:before:connection", ({ detail }) => {
    connection = detail.connection;
    show();
  });
  document.addEventListener("htmx:ws:after:connection", ({ detail }) => {
    connection = detail.connection;
    if (loss) document.querySelector("#notice .outage")?.remove(); // what was refused meanwhile may now be tried again
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
    if (reason !== "closed") { // its region was swapped: the next one connects
      connection = null;
    } else if (!retried.includes(code)) {
      loss = code === 1008 && find("gone") ? "deleted" : "refused";
      if (loss === "deleted") showDeleted();
    } else if (!(document.hidden && connection.config.pauseOnBackground)) {
      loss = drains || code === 1012 ? "restarting" : loss ?? "offline";
    }
    show();
  });
  addEventListener("offline", () => {
    heard = -Infinity; // until something comes all the same, as it does from this very device
    show();
  });
  addEventListener("online", () => redial(null));
  document.addEventListener("visibilitychange", look);
  document.addEventListener("DOMContentLoaded", () => {
    drains = find("server")?.dataset.state === "draining";
    show();
  });

  // showDeleted is for a page whose run was deleted before its socket could be told.
  function showDeleted() {
    const gone = find("gone");
    if (!gone.hidden) return;
    gone.hidden = false;
    const cell = document.querySelector(".facts td[data-status]");
    for (const name of ["data-status", "data-version", "data-at"]) cell.removeAttribute(name);
    cell.innerHTML = '<span class="badge">deleted</span>';
    document.querySelector("tbody[id$=_facts]").replaceChildren();
    document.dispatchEvent(new Event("runboard:deleted"));
  }

  // A request that is not answered is reported where the answer would have stood, until the server answers, whichever way.
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
    document.querySelector(".unanswered")?.remove();
    ctx.outage = ctx.response.status === 503;
  });
  document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
    if (ctx.outage) find("notice")?.querySelector(".error, #message")?.classList.add("outage");
  });

  // A pressed button is busy until its request has ended, also when its cell is drawn anew meanwhile.
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
