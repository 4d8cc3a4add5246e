// Selection of runs for bulk actions, and the dialog that confirms them. Without this script the checkboxes
// and the form below the list still work, and the confirmation has its own page.
import { onBeforeSwap, onRequestEnd, onSwap, targetOf } from "./events.js";
import { find, ids, setText, shownCount } from "./page.js";

const isCheckbox = (element) => element.matches(`#${ids.list} input[name=id]`);
const checkboxes = () => [...document.querySelectorAll(`#${ids.list} input[name=id]`)];

// The selection survives paging and reloads. Only the user adds runs to it.
const storageKey = "runboard-selected";
let selected = new Set(); // numbers of runs, as strings
let limitReached = false; // whether the user tried to select more than the limit

function load() {
  try {
    selected = new Set(JSON.parse(sessionStorage.getItem(storageKey) ?? "[]"));
  } catch {
    // The browser refuses storage: the selection ends with the page.
  }
}

function save() {
  try {
    sessionStorage.setItem(storageKey, JSON.stringify([...selected]));
  } catch {
    // The browser refuses storage: the selection ends with the page.
  }
}

const limit = () => Number(find(ids.bulk).dataset.limit);

function select(checkbox, on) {
  if (on && !selected.has(checkbox.value) && selected.size >= limit()) {
    limitReached = true;
    on = false;
  }
  if (on) selected.add(checkbox.value);
  else selected.delete(checkbox.value);
  checkbox.checked = on;
}

function clear() {
  selected.clear();
  limitReached = false;
  const form = find(ids.bulk);
  if (form) form.elements.scope.value = "selected";
  save();
  show();
}

// show updates everything that depends on the selection.
function show() {
  const form = find(ids.bulk);
  if (!form) return;
  const here = checkboxes();
  for (const checkbox of here) checkbox.checked = selected.has(checkbox.value);
  const checked = here.filter((checkbox) => checkbox.checked).length;
  showForm(form, checked);
  showSelectAll(here.length, checked);
  showSelectMatching(form, here.length);
  addHiddenFields(form, here);
}

// showForm updates the bar with the number of selected runs and the buttons. Without a selection there is no
// bar, unless the user chooses all runs.
function showForm(form, checked) {
  const count = selected.size;
  const isAll = form.elements.scope.value === "all";
  const isSomething = isAll || count > 0;
  for (const button of form.querySelectorAll("button[name=operation]")) button.disabled = !isSomething;
  find(ids.bulkFold).open = true; // the style hides a bar without a selection
  form.toggleAttribute("data-has-selection", isSomething);
  document.documentElement.toggleAttribute("data-has-selection", isSomething);
  find(ids.clearSelection).hidden = !isSomething;
  const texts = [];
  if (isAll) texts.push(`All ${allText()} selected`);
  else if (count > 0) texts.push(`${count} selected`);
  if (!isAll && count > checked) texts.push(`${count - checked} on other pages`);
  if (limitReached) texts.push(`no more than ${limit()} can be selected; choose all instead`);
  setText(find(ids.selectedCount), texts.join(", "));
}

function showSelectAll(count, checked) {
  const all = find(ids.selectAll);
  all.hidden = false;
  all.disabled = count === 0;
  all.checked = checked > 0 && checked === count;
  all.indeterminate = checked > 0 && checked < count;
}

// allText says how many runs the list has, on all its pages: "1,234 matching".
function allText() {
  const { count, capped } = find(ids.matches).dataset;
  let total = shownCount();
  if (count !== undefined) total = Number(count).toLocaleString("en-US") + (capped === undefined ? "" : "+");
  return `${total} ${find(ids.selectMatching).dataset.noun}`;
}

// hasOthers reports whether the list has more runs than the page.
function hasOthers(here) {
  const text = find(ids.matches).dataset.count ?? shownCount();
  return Number(text.replace(/\D/g, "")) > here;
}

// showSelectMatching shows the button for all runs of the list if this page does not have all of them.
function showSelectMatching(form, here) {
  const button = find(ids.selectMatching);
  button.hidden = here === 0 || form.elements.scope.value === "all" || !hasOthers(here);
  setText(button, `Select all ${allText()}`);
}

// addHiddenFields adds fields to the form for the selected runs on other pages.
function addHiddenFields(form, here) {
  const elsewhere = new Set(selected);
  for (const checkbox of here) elsewhere.delete(checkbox.value);
  let fields = form.querySelector(".elsewhere");
  if (!fields) {
    fields = document.createElement("span");
    fields.className = "elsewhere";
    fields.hidden = true;
    form.append(fields);
  }
  const runs = [...elsewhere].join();
  if (fields.dataset.runs === runs) return;
  fields.dataset.runs = runs;
  fields.replaceChildren(...[...elsewhere].map((run) => {
    const input = document.createElement("input");
    input.type = "hidden";
    input.name = "id";
    input.value = run;
    return input;
  }));
}

let rangeStart = null; // run that was clicked last
document.addEventListener("click", ({ target, shiftKey }) => {
  if (target.id === ids.clearSelection) {
    clear();
    return;
  }
  if (target.id === ids.selectMatching) {
    find(ids.bulk).elements.scope.value = "all";
    show();
    find(ids.bulk).querySelector("button").focus({ preventScroll: true });
    return;
  }
  if (!isCheckbox(target)) return;
  const all = checkboxes();
  const from = all.findIndex((checkbox) => checkbox.value === rangeStart);
  const to = all.indexOf(target);
  limitReached = false;
  if (shiftKey && from >= 0) {
    const range = all.slice(Math.min(from, to), Math.max(from, to) + 1);
    for (const checkbox of range) select(checkbox, target.checked);
  }
  rangeStart = target.value;
});
document.addEventListener("change", ({ target }) => {
  if (target.id === ids.bulkScope) {
    show();
    return;
  }
  if (target.id !== ids.selectAll && !isCheckbox(target)) return;
  limitReached = false;
  const changed = target.id === ids.selectAll ? checkboxes() : [target];
  for (const checkbox of changed) select(checkbox, target.checked);
  save();
  find(ids.bulk).elements.scope.value = "selected"; // selecting a run ends "all runs"
  show();
  target.closest("tbody tr")?.scrollIntoView({ block: "nearest" }); // the bar must not cover the row
});

// Swaps keep the selection. But "all matching" is reset when the user opens another list. That happens before
// the swap, so that it does not undo a choice that the user makes in the new list.
onBeforeSwap(({ context, tasks }) => {
  const form = find(ids.bulk);
  if (form && targetOf(context)?.id === ids.live) form.elements.scope.value = "selected";
  for (const { fragment } of tasks) {
    for (const checkbox of fragment?.querySelectorAll?.("input[name=id][type=checkbox]") ?? []) {
      checkbox.checked = selected.has(checkbox.value);
    }
  }
});

// The dialog opens only after a swap into it. A dialog that has just been closed keeps its content until its
// close event, so checking the content alone would open it again.
const findDialog = () => document.querySelector(`dialog#${ids.confirm}`);
let asked = null; // what the dialog showed last
onSwap(({ context }) => {
  show();
  const dialog = findDialog();
  if (!dialog?.firstElementChild || targetOf(context) !== dialog) return;
  if (!dialog.open) dialog.showModal();
  asked = dialog.firstElementChild;
  // A stray key press must change nothing: the focus goes to the first field for text, or to the way out.
  dialog.querySelector("textarea, [data-dismiss]")?.focus();
});

// isBulk reports whether an element is part of a question about runs. Other forms keep the selection.
const isBulk = (element) => Boolean(element.closest(`#${ids.confirm}`)) && !element.closest(".triage");

// An answer that is not another question closes the dialog. The page shows the result. The button of a
// question about a start sends the start form, outside of the dialog.
onRequestEnd((context) => {
  const dialog = findDialog();
  const isInDialog = (element) => element?.closest?.(`#${ids.confirm}`);
  const isAnswer = isInDialog(context.sourceElement);
  const isStart = !isAnswer && isInDialog(context.request.submitter);
  if (!dialog?.open || !isAnswer && !isStart) return;
  if (targetOf(context) === dialog) return;
  dialog.close();
  if (isBulk(context.sourceElement) && context.response?.status < 400) clear();
});
document.addEventListener("click", ({ target }) => {
  const dialog = findDialog();
  if (dialog && (target === dialog || target.matches(`#${ids.confirm} [data-dismiss]`))) dialog.close();
});
// Ignore the second click of a double click: the user meant it for the button that opened the dialog.
document.addEventListener("click", (event) => {
  if (event.detail > 1 && event.target.closest?.("dialog button:not([data-dismiss])")) event.preventDefault();
}, true);
document.addEventListener("close", ({ target }) => {
  // The event comes late: the dialog may be open again, or have a new question.
  if (target === findDialog() && !target.open && target.firstElementChild === asked) target.replaceChildren();
}, true);
document.addEventListener("submit", ({ target }) => {
  if (!findDialog() && isBulk(target)) clear();
});

load();
show();
addEventListener("pageshow", ({ persisted }) => {
  if (!persisted) return;
  load();
  show();
});
