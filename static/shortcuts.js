// Keyboard shortcuts. The mouse can do all of it, too, and no shortcut works while the user types. A shortcut
// that changes something asks first, and the user can turn all shortcuts off.
import { onRestore } from "./events.js";
import { startLabel } from "./forms.js";
import { find, findStatusCell, ids, rowsOf, runOf, runPartID } from "./page.js";

// focusedRow returns the row that has the focus.
const focusedRow = () => document.activeElement?.closest(`#${ids.list} tr[id]`);

// moveFocus moves the focus by a number of rows.
function moveFocus(by) {
  const rows = rowsOf(find(ids.list));
  const from = rows.indexOf(focusedRow());
  const to = from < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, from + by));
  rows[to]?.querySelector("a").focus();
}

// confirm asks a question with two buttons, and calls act if the user presses the one with the label. The
// other one, which answers no, has the focus.
let confirmed = null; // function to call after a yes
function confirm(question, label, act) {
  const dialog = find(ids.confirmShortcut);
  if (!dialog) return;
  find(ids.confirmShortcutTitle).textContent = question;
  dialog.querySelector("button[value=yes]").textContent = label;
  dialog.returnValue = "";
  confirmed = act;
  dialog.showModal();
  dialog.querySelector("button[value=no]").focus();
}
// The submit event decides, not the close event: that comes later, perhaps after the dialog has been opened
// again.
document.addEventListener("submit", ({ target, submitter }) => {
  if (!target.closest?.(`#${ids.confirmShortcut}`)) return;
  if (submitter?.value === "yes") setTimeout(confirmed); // once the dialog is closed
  confirmed = null;
});

// startRuns presses the button of the start form. If the form only chooses a kind, it gets the focus.
function startRuns() {
  const form = find(ids.start);
  if (!form?.reportValidity()) return;
  if (form.method === "get") {
    form.elements.kind.focus();
    return;
  }
  const label = startLabel(form);
  confirm(`${label}?`, label, () => form.querySelector("button").click());
}

// moveTo moves the focus to the next row or, on the page of a run, opens the next run of its list.
function moveTo(by) {
  const link = find(by > 0 ? ids.olderRun : ids.newerRun);
  if (link) link.click();
  else moveFocus(by);
}

// pressRowAction presses the cancel or retry button of the focused run, or of the page's run, if there is one
// and the user confirms.
const actionLabels = { cancel: "Cancel", retry: "Retry" };
function pressRowAction(action) {
  const cell = focusedRow()?.querySelector("td[data-status]") ?? findStatusCell();
  const place = cell && runPartID(runOf(cell), "actions");
  const findButton = () => find(place)?.querySelector(`button[formaction$="/${action}"]`);
  if (!findButton()) return;
  const label = `${actionLabels[action]} run #${runOf(cell)}`;
  confirm(`${label}?`, label, () => findButton()?.click());
}

function toggleHelp() {
  const help = find(ids.shortcuts);
  if (help?.open) help.close();
  else help?.showModal();
}

const shortcuts = {
  s: startRuns,
  "/": () => find(ids.searchText)?.focus(),
  j: () => moveTo(1),
  k: () => moveTo(-1),
  x: () => focusedRow()?.querySelector("input[name=id]")?.click(),
  c: () => pressRowAction("cancel"),
  r: () => pressRowAction("retry"),
  p: () => find(ids.pause)?.click(),
  "?": toggleHelp,
};
const repeatable = ["j", "k"]; // a held key repeats only these

const storageKey = "runboard-shortcuts";
let enabled = true;
try {
  enabled = localStorage.getItem(storageKey) !== "off";
} catch {
  // The browser refuses storage: shortcuts are on.
}

function isTyping(target) {
  return target.isContentEditable || target.matches("input:not([type=checkbox]), select, textarea");
}

// isAsked reports whether a key goes to an open dialog. The key that opens the help also closes it.
function isAsked(key) {
  const dialogs = [...document.querySelectorAll("dialog[open]")];
  return dialogs.some((dialog) => dialog.id !== ids.shortcuts || key !== "?");
}

document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  const shortcut = shortcuts[key];
  if (!enabled || !shortcut || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.repeat && !repeatable.includes(key)) return;
  if (isTyping(target) || isAsked(key)) return;
  event.preventDefault();
  shortcut();
});

// A held Enter key presses once: otherwise it would also answer the question that it opened.
document.addEventListener("keydown", (event) => {
  const { key, repeat, target } = event;
  if (repeat && key === "Enter" && !target.matches("textarea")) event.preventDefault();
  // A link that looks like a button also reacts to the space bar. Repeats of a held key must not reach the
  // element that has the focus after the click.
  if ((key === " " || key === "Enter") && target.matches("a[role=button]")) {
    event.preventDefault();
    if (!repeat) target.click();
  }
}, true);

// A click beside a dialog closes it.
document.addEventListener("click", ({ target }) => {
  if (target.id === ids.shortcuts || target.id === ids.confirmShortcut) target.close();
});
document.addEventListener("change", ({ target }) => {
  if (target.id !== ids.shortcutsEnabled) return;
  enabled = target.checked;
  try {
    localStorage.setItem(storageKey, enabled ? "on" : "off");
  } catch {
    // The browser refuses storage: the setting lasts as long as the page.
  }
});

function offerHelp() {
  const button = find(ids.help);
  if (!button || !find(ids.shortcuts)) return;
  button.hidden = false;
  button.addEventListener("click", toggleHelp);
  find(ids.shortcutsEnabled).checked = enabled;
}

offerHelp();
onRestore(offerHelp);
