// Estimates the server's clock. The browser's own may be wrong by minutes, and may be set while the page is
// open.
"use strict";

(() => {
  // The page carries the time of its render, which was between request and response. Heartbeats carry the
  // time, too.
  const [navigation] = performance.getEntriesByType("navigation");
  const drawn = Number(document.querySelector("meta[name=server-time]").content);
  // Server time minus performance.now(), in ms.
  let ahead = drawn - (navigation.requestStart + navigation.responseStart) / 2;

  // serverNow returns the estimated time of the server, in ms since the epoch.
  window.serverNow = () => ahead + performance.now();

  // A heartbeat takes a moment to arrive, so it only corrects errors of a second or more, as after the
  // computer slept.
  document.addEventListener("htmx:ws:before:message:incoming", ({ detail: { message } }) => {
    const [, at] = String(message.data).match(/^<span id="heartbeat" data-at="(\d+)"/) ?? [];
    if (!at || Math.abs(Number(at) - window.serverNow()) < 1000) return;
    ahead = Number(at) - performance.now();
    document.dispatchEvent(new Event("runboard:clock"));
  });
})();
