// Relative times, such as "5 s ago". They are updated every second, in the words of the server
// (templates/format.go).
import { serverNow } from "./clock.js";
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
  cancelling: (seconds) => (seconds < 5 ? "cancelling…" : `cancelling… no reaction for ${duration(seconds)}`),
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

// The pointer over a rough time shows the exact one. The server does not send it, because every frame would
// be larger.
document.addEventListener("mouseover", ({ target }) => {
  const time = target.closest("time[data-relative=ago]:not([title])");
  if (time) time.title = new Date(time.dateTime).toUTCString().replace("GMT", "UTC");
});
