// Keyboard shortcuts. The mouse can do all of it, too, and no shortcut works while the user types. A shortcut
// that changes something asks first, and the user can turn all shortcuts off.
"use strict";

(() => {
  const find = (id) => document.getElementById(id);
  const links = () => [...document.querySelectorAll("#process_runs tr[id] a")];

  // current returns the link of the run whose row has the focus.
  const current = () => document.activeElement?.closest("#process_runs tr[id]")?.querySelector("a");

  function move(by) {
    const all = links();
    const at = all.indexOf(current());
    (all[at < 0 ? 0 : Math.min(all.length - 1, Math.max(0, at + by))])?.focus();
  }

  // ask asks for confirmation of a shortcut, and calls then after a yes. The button that answers no has the
  // focus.
  let act = null;
  function ask(question, yes, then) {
    const sure = find("confirm_shortcut");
    if (!sure) return;
    find("confirm_shortcut_title").textContent = question;
    sure.querySelector("button[value=yes]").textContent = yes;
    sure.returnValue = "";
    act = then;
    sure.showModal();
    sure.querySelector("button[value=no]").focus();
  }
  // The submit event decides, not the close event: that comes later, perhaps after the dialog has been opened
  // again.
  document.addEventListener("submit", ({ target, submitter }) => {
    if (!target.closest?.("#confirm_shortcut")) return;
    if (submitter?.value === "yes") setTimeout(act); // once the dialog is closed
    act = null;
  });

  function start() {
    // Only the button of the start form: another form may confirm a delete.
    const form = find("start"), button = form?.querySelector("button");
    if (!button || !form.reportValidity()) return;
    const kind = form.elements.kind?.value;
    ask(`${button.textContent}${kind ? ` of the kind ${kind}` : ""}?`, button.textContent, () => button.click());
  }

  // pressRowAction presses the cancel or retry button of the current run, if there is one and the user
  // confirms.
  function pressRowAction(action) {
    const cell = current()?.closest("tr").querySelector("td[data-status]") ?? document.querySelector(".facts td[data-status]");
    const button = () => find(cell?.id)?.querySelector(`button[formaction$="/${action}"]`);
    if (!button()) return;
    const text = `${button().textContent} run #${cell.id.match(/\d+/)}`;
    ask(`${text}?`, text, () => button()?.click());
  }

  function toggle() {
    const help = find("shortcuts");
    if (help?.open) help.close();
    else help?.showModal();
  }

  const keys = {
    s: start,
    "/": () => find("search_text")?.focus(),
    j: () => move(1),
    k: () => move(-1),
    x: () => current()?.closest("tr").querySelector("input[name=id]")?.click(),
    c: () => pressRowAction("cancel"),
    r: () => pressRowAction("retry"),
    p: () => find("pause")?.click(),
    "?": toggle,
  };

  const storage = "runboard-keys";
  let on = true;
  try {
    on = localStorage.getItem(storage) !== "off";
  } catch {
    // The browser refuses storage: shortcuts are on.
  }

  // typing reports whether a key press goes to a field or a select; asked, whether it goes to an open dialog.
  const typing = (target) => target.isContentEditable || target.matches("input:not([type=checkbox]), select, textarea");
  const asked = (key) => [...document.querySelectorAll("dialog[open]")].some((dialog) => dialog.id !== "shortcuts" || key !== "?");

  document.addEventListener("keydown", (event) => {
    const key = keys[event.key];
    if (!on || !key || event.ctrlKey || event.metaKey || event.altKey || event.repeat && !"jk".includes(event.key)) return;
    if (typing(event.target) || asked(event.key)) return;
    event.preventDefault();
    key();
  });

  // A held Enter key presses once: otherwise it would also answer the question that it opened.
  document.addEventListener("keydown", (event) => {
    if (event.repeat && event.key === "Enter" && !event.target.matches("textarea")) event.preventDefault();
    // A link that looks like a button also reacts to the space bar. Repeats of a held key must not reach the
    // element that has the focus after the click.
    if ((event.key === " " || event.key === "Enter") && event.target.matches("a[role=button]")) {
      event.preventDefault();
      if (!event.repeat) event.target.click();
    }
  }, true);

  // A click beside a dialog closes it.
  document.addEventListener("click", (event) => {
    if (event.target.matches("#shortcuts, #confirm_shortcut")) event.target.close();
  });
  document.addEventListener("change", (event) => {
    if (event.target.id !== "shortcuts_enabled") return;
    on = event.target.checked;
    try {
      localStorage.setItem(storage, on ? "on" : "off");
    } catch {
      // The browser refuses storage: the setting lasts as long as the page.
    }
  });

  document.addEventListener("DOMContentLoaded", () => {
    const help = find("help");
    if (!help || !find("shortcuts")) return;
    help.hidden = false;
    help.addEventListener("click", toggle);
    find("shortcuts_enabled").checked = on;
  });
})();
