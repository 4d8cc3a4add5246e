// The server's clock. The browser's may be wrong by minutes, and may be set while the page is open.
"use strict";

(() => {
  // The page says when it was drawn, which was between the request and its answer; heartbeats say it again.
  const [navigation] = performance.getEntriesByType("navigation");
  const drawn = Number(document.querySelector("meta[name=server-time]").content);
  let ahead = drawn - (navigation.requestStart + navigation.responseStart) / 2; // of performance.now(), in ms

  // serverNow is the time of the server in ms.
  window.serverNow = () => ahead + performance.now();

  // A heartbeat takes a moment to arrive: it only corrects the clock, for instance after the computer has slept.
  document.addEventListener("htmx:ws:before:message:incoming", ({ detail: { message } }) => {
    const [, at] = String(message.data).match(/^<span id="heartbeat" data-at="(\d+)"/) ?? [];
    if (!at || Math.abs(Number(at) - window.serverNow()) < 1000) return;
    ahead = Number(at) - performance.now();
    document.dispatchEvent(new Event("runboard:clock"));
  });
})();
