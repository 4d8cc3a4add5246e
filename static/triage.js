// The page of failures: frames with the changed groups, times in the zone of the reader, keys of the form for
// a note, and announcements to screen readers.
import { announce } from "./announce.js";
import { onBeforeSwap, onSwap } from "./events.js";
import { find, ids } from "./page.js";
import { fieldInUTC, fieldInZone } from "./times.js";

// A frame has only the ids of groups that are still the same. The swap then sees that nothing has changed.
onBeforeSwap(({ tasks }) => {
  for (const { fragment } of tasks) {
    for (const kept of fragment?.querySelectorAll?.("li[data-kept]") ?? []) {
      const present = find(kept.id);
      if (present) kept.replaceWith(present.cloneNode(true));
    }
  }
});

// Without this script, a field for a time is in UTC, and its label says so. With it, the field is in the zone
// of the reader, and the form sends UTC.
const timeField = (form) => form.querySelector("input[type=datetime-local]");

function showInZone(form) {
  const zone = form.querySelector("[data-zone]");
  if (!zone?.textContent) return; // done
  const field = timeField(form);
  if (field.value) field.value = fieldInZone(field.value);
  zone.textContent = "";
}

function showFormsInZone() {
  for (const form of document.querySelectorAll(`#${ids.confirm} form`)) showInZone(form);
}
showFormsInZone();
onSwap(showFormsInZone);

document.addEventListener("formdata", ({ target, formData }) => {
  const field = target.closest(`#${ids.confirm}`) && timeField(target);
  if (field?.value) formData.set(field.name, fieldInUTC(field.value));
});

// A click beside the dialog closes it, but not once the user has typed something.
document.addEventListener("click", (event) => {
  const dialog = find(ids.confirm);
  const text = dialog?.querySelector("textarea");
  if (event.target === dialog && text && text.value !== text.defaultValue) event.stopImmediatePropagation();
}, true);

// In the field for a note, the Enter key ends a line: Ctrl+Enter or Cmd+Enter saves. Escape leaves, as in a
// dialog.
document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  if (!target.matches?.(`#${ids.confirm} textarea`) || event.isComposing) return;
  if (key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    if (!event.repeat) target.form.requestSubmit();
  }
  if (key === "Escape") target.form.querySelector("a[role=button]")?.click(); // none in a dialog
});

// The number of failures is announced when it changes, but not more often than a user can follow.
const announceTime = 5000; // ms between two announcements, at least
const summaryOf = () => find(ids.failures)?.firstElementChild?.textContent ?? "";
let announced = summaryOf();
if (announced) {
  setInterval(() => {
    const summary = summaryOf();
    if (summary === announced) return;
    announced = summary;
    announce(summary.split(".")[0]);
  }, announceTime);
}
