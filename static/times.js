// Relative times, such as "5 s ago". They are updated every second, in the words of the server
// (templates/format.go).
import { serverNow } from "./clock.js";
import { onBeforeSwap } from "./events.js";
import { isLive, isPaused, setText } from "./page.js";

function roughDuration(seconds) {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} days`;
}

function duration(seconds) {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return inTwoUnits(seconds, 60, "min", 1, "s");
  if (seconds < 172800) return inTwoUnits(seconds, 3600, "h", 60, "min");
  return inTwoUnits(seconds, 86400, "days", 3600, "h");
}

function inTwoUnits(seconds, large, largeName, small, smallName) {
  const rest = Math.floor((seconds % large) / small);
  return `${Math.floor(seconds / large)} ${largeName}${rest ? ` ${rest} ${smallName}` : ""}`;
}

// Formats by data-relative. They get the seconds since the time, negative for a time in the future.
const formats = {
  ago: (seconds) => (seconds < 5 ? "just now" : `${roughDuration(seconds)} ago`),
  elapsed: (seconds) => duration(Math.max(0, seconds)),
  until: (seconds) => (seconds < 0 ? `in ${duration(-seconds)}` : "any moment"),
  left: (seconds) => (seconds < 0 ? `about ${roughDuration(-seconds)} left` : "longer than usual"),
  cancelling: (seconds) => `cancelling…${seconds < 5 ? "" : ` no reaction for ${duration(seconds)}`}`,
};

function update() {
  if (isPaused()) return;
  const live = isLive();
  for (const time of document.querySelectorAll("time[data-relative]")) {
    const { relative } = time.dataset;
    if (!live && relative !== "ago") continue; // the run may have changed meanwhile
    const seconds = Math.floor((serverNow() - Date.parse(time.dateTime)) / 1000);
    setText(time, formats[relative](seconds));
  }
}
setInterval(update, 1000);

// The fields of forms for a time have it in UTC. Scripts show it in the zone of the reader. These functions
// convert the text of a field without setting hours: a clock that is changed has some of them twice, or not
// at all.
export const fieldInZone = (text) => {
  const time = new Date(`${text}Z`);
  return new Date(time - time.getTimezoneOffset() * 60_000).toISOString().slice(0, text.length);
};
export const fieldInUTC = (text) => (text ? new Date(text).toISOString() : "");

// Clock times. The server writes them in UTC; the page shows them in the zone of the reader, with UTC in the
// title.
const zoned = (options) => new Intl.DateTimeFormat("en-GB", options);
const clockTime = { hour: "2-digit", minute: "2-digit", second: "2-digit" };
const date = { day: "numeric", month: "short", year: "numeric" };
const clocks = { // by data-clock
  minute: zoned({ hour: "2-digit", minute: "2-digit" }),
  time: zoned(clockTime),
  exact: zoned({ ...clockTime, fractionalSecondDigits: 3 }),
  day: zoned({ day: "numeric", month: "short" }),
  date: zoned({ ...date, ...clockTime }),
};
const inUTC = (time) => `${zoned({ ...date, ...clockTime, timeZone: "UTC" }).format(time)} UTC`;

function showInZone(root) {
  for (const time of root.querySelectorAll("time[data-clock]")) {
    const at = new Date(time.dateTime);
    setText(time, clocks[time.dataset.clock].format(at));
    time.title = inUTC(at);
  }
}
showInZone(document);
onBeforeSwap(({ tasks }) => {
  for (const { fragment } of tasks) {
    if (fragment?.querySelectorAll) showInZone(fragment);
  }
});

// The pointer over a rough time shows the exact one. The server does not send it, because every frame would
// be larger.
document.addEventListener("mouseover", ({ target }) => {
  const time = target.closest("time[data-relative]:not([title])");
  if (!time) return;
  const at = new Date(time.dateTime);
  time.title = `${clocks.date.format(at)} (${inUTC(at)})`;
});
