// Requests: buttons are busy until the answer is there, and the page says so if none comes.
import {
  onBeforeSwap, onConnected, onMessage, onNoResponse, onRequest, onRequestEnd, onResponse, onSwap,
} from "./events.js";
import { find, ids } from "./page.js";

// The message stays until the server sends anything.
const removeNoAnswer = () => document.querySelector(".no-answer")?.remove();
onNoResponse(({ request }) => {
  const message = document.createElement("p");
  message.className = "error no-answer";
  message.textContent = "No answer from the server.";
  const isTimeout = request.signal?.reason === "timeout";
  if (isTimeout && request.method !== "GET") message.textContent += " It may still do what was asked.";
  find(ids.notice)?.replaceChildren(message);
});
onConnected(removeNoAnswer);
onMessage(removeNoAnswer);

// What the server refused in an outage is marked: connection.js removes it when the server is back.
const refused = new WeakSet(); // contexts of requests
onResponse((context) => {
  removeNoAnswer();
  if (context.response.status === 503) refused.add(context);
});
onSwap(({ context }) => {
  if (!refused.has(context)) return;
  find(ids.notice)?.querySelector(`.error, #${ids.message}`)?.classList.add("outage");
});

// A pressed button is busy until its request has ended, even if its cell is swapped meanwhile.
const busyButtons = new Map(); // by context of the request
function markBusy() {
  for (const button of busyButtons.values()) button.setAttribute("aria-busy", "true");
}
onRequest((context) => {
  const button = context.request.submitter ?? context.sourceEvent?.target?.closest?.("button");
  if (!button) return;
  busyButtons.set(context, button);
  markBusy();
});
onSwap(markBusy);
onRequestEnd((context) => {
  const button = busyButtons.get(context);
  busyButtons.delete(context);
  if (button && ![...busyButtons.values()].includes(button)) button.removeAttribute("aria-busy");
});

// Back and Forward swap the body of a whole page. Its scripts run already, and a second htmx would act twice.
onBeforeSwap(({ tasks }) => {
  for (const { fragment } of tasks) {
    for (const script of fragment?.querySelectorAll("script") ?? []) script.remove();
  }
});
