// The pages of kinds: the field that filters the list of kinds, the preview of a start, and the first wrong
// field of a form.
import { announce } from "./announce.js";
import { onBeforeSwap, onSwap, targetOf } from "./events.js";
import { find, ids } from "./page.js";

// filterKinds shows only the kinds that contain all words of the field.
function filterKinds(field) {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const group of find(ids.kinds).querySelectorAll(".group")) {
    let shown = 0;
    for (const card of group.querySelectorAll(".card")) {
      const text = `${group.dataset.name} ${card.textContent} ${card.dataset.name}`.toLowerCase();
      card.hidden = !words.every((word) => text.includes(word));
      if (!card.hidden) shown++;
    }
    group.hidden = shown === 0;
    count += shown;
  }
  return count;
}

// Frames show all kinds again.
onSwap(({ isFrame }) => {
  const field = find(ids.findKind);
  if (isFrame && field?.value) filterKinds(field);
});

const field = find(ids.findKind);
if (field) {
  field.hidden = false;
  field.addEventListener("input", () => {
    const count = filterKinds(field);
    announce(`${count} ${count === 1 ? "kind" : "kinds"}`);
  });
  field.addEventListener("keydown", ({ key }) => {
    const cards = [...find(ids.kinds).querySelectorAll(".card:not([hidden]) h3 a")];
    if (key === "Enter" && cards.length === 1) cards[0].click();
  });
  if (field.value) filterKinds(field); // restored by the browser
}

// The preview follows the queue: frames come when it changes, many in a second under load.
const refreshTime = 2000; // ms between two refreshes
let refreshedAt = -refreshTime;
let refreshing = false;
function refreshSoon() {
  if (refreshing || !find(ids.preview)) return;
  refreshing = true;
  setTimeout(() => {
    refreshing = false;
    refreshedAt = performance.now();
    find(ids.preview)?.dispatchEvent(new CustomEvent("refresh"));
  }, Math.max(100, refreshedAt + refreshTime - performance.now()));
}
onBeforeSwap((swap) => {
  if (swap.isFrame && !swap.taskFor(ids.heartbeat) && !swap.taskFor(ids.server)) refreshSoon();
});

// A refused form comes back with messages.
onSwap(({ context, isResponse }) => {
  const form = find(ids.start);
  if (!isResponse || !form || targetOf(context) !== form) return;
  (form.querySelector("[aria-invalid=true]") ?? form.querySelector("button")).focus();
});
