// Forms and buttons: the label of the start button, and a guard against double clicks.
import { find, ids } from "./page.js";

// startLabel returns the label of the button of a form that starts runs.
export function startLabel(form) {
  const { noun, nouns } = form.dataset;
  const count = form.elements.count.value;
  return `Start ${count} ${count === "1" ? noun : nouns}`;
}

// The label follows the number in the form.
document.addEventListener("input", ({ target }) => {
  const form = find(ids.start);
  if (!form || target !== form.elements.count) return;
  form.querySelector("button").textContent = startLabel(form);
});

// A double or triple click sends one request. The server answers within milliseconds, so waiting for the
// answer does not catch the second click. The time counts from the previous click, not from the last request:
// otherwise the third of three slow clicks, or a held key, would send again.
const doubleClickTime = 500; // ms between two clicks of a double click, at most
const lastClick = new WeakMap(); // time of the last click on a button or a cell

function stopDoubleClick(event, element) {
  const previous = lastClick.get(element) ?? -doubleClickTime;
  lastClick.set(element, event.timeStamp);
  if (event.timeStamp - previous >= doubleClickTime) return;
  event.preventDefault();
  event.stopImmediatePropagation();
}
document.addEventListener("submit", (event) => {
  // A question in a dialog has a button of its own for the same form.
  if (event.target.method === "post") stopDoubleClick(event, event.submitter ?? event.target);
}, true);

// All buttons in one place share one guard: "Cancel" may become "Retry" under the pointer.
document.addEventListener("click", (event) => {
  const button = event.target.closest(`button[hx-post], button[form=${ids.rowActions}]`);
  if (button) stopDoubleClick(event, button.closest("td") ?? button.parentElement);
}, true);
