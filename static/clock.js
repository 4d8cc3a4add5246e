// Estimates the server's clock. The browser's own may be wrong by minutes, and may be set while the page is
// open.
import { onHeartbeat } from "./events.js";

// The page carries the time of its render, which was between request and response.
const [navigation] = performance.getEntriesByType("navigation");
const renderedAt = Number(document.querySelector("meta[name=server-time]").content);

// Server time minus performance.now(), in ms.
let offset = renderedAt - (navigation.requestStart + navigation.responseStart) / 2;
const subscribers = [];

// serverNow returns the estimated time of the server, in ms since the epoch.
export const serverNow = () => offset + performance.now();

// onClockSet is for corrections of the clock.
export const onClockSet = (subscriber) => subscribers.push(subscriber);

// A heartbeat takes a moment to arrive, so it only corrects errors of a second or more, as after the computer
// slept.
onHeartbeat((time) => {
  if (Math.abs(time - serverNow()) < 1000) return;
  offset = time - performance.now();
  for (const subscriber of subscribers) subscriber();
});
