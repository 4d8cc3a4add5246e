// Keys for those who have their hands on them. All of it can be done by mouse as well; nothing acts while one types.
// A key that changes something asks first, and all of them can be switched off.
"use strict";

(() => {
  const find = (id) => document.getElementById(id);
  const links = () => [...document.querySelectorAll("#process_runs tr[id] a")];

  // current is the link of the run that is meant: the one whose row has the focus.
  const current = () => document.activeElement?.closest("#process_runs tr[id]")?.querySelector("a");

  function move(by) {
    const all = links();
    const at = all.indexOf(current());
    (all[at < 0 ? 0 : Math.min(all.length - 1, Math.max(0, at + by))])?.focus();
  }

  // ask asks whether a key was meant. What answers no has the focus.
  let act = null;
  function ask(question, yes, then) {
    const sure = find("sure");
    if (!sure) return;
    find("sure_title").textContent = question;
    sure.querySelector("button[value=yes]").textContent = yes;
    sure.returnValue = "";
    act = then;
    sure.showModal();
    sure.querySelector("button[value=no]").focus();
  }
  // The answer is taken when it is given: the close event comes later, perhaps after the dialog has been opened again.
  document.addEventListener("submit", ({ target, submitter }) => {
    if (!target.closest?.("#sure")) return;
    if (submitter?.value === "yes") setTimeout(act); // once the dialog is closed
    act = null;
  });

  function start() {
    const form = find("start"), button = form?.querySelector("button"); // no other form: one of them may ask whether to delete
    if (!button || !form.reportValidity()) return;
    const kind = form.elements.kind?.value;
    ask(`${button.textContent}${kind ? ` of the kind ${kind}` : ""}?`, button.textContent, () => button.click());
  }

  // pressRowAction presses the button of the current run that cancels or retries it, if there is one.
  function pressRowAction(action) {
    const cell = current()?.closest("tr").querySelector("td[data-status]") ?? document.querySelector(".facts td[data-status]");
    const button = () => find(cell?.id)?.querySelector(`button[formaction$="/${action}"]`);
    if (!button()) return;
    const text = `${button().textContent} run #${cell.id.match(/\d+/)}`;
    ask(`${text}?`, text, () => button()?.click());
  }

  function toggle() {
    const help = find("keys");
    if (help?.open) help.close();
    else help?.showModal();
  }

  const keys = {
    s: start,
    "/": () => find("find_text")?.focus(),
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
    // The browser keeps nothing.
  }

  // typing reports whether a key is meant for a field, a list of choices or a dialog.
  const typing = (target) => target.isContentEditable || target.matches("input:not([type=checkbox]), select, textarea");
  const asked = (key) => [...document.querySelectorAll("dialog[open]")].some((dialog) => dialog.id !== "keys" || key !== "?");

  document.addEventListener("keydown", (event) => {
    const key = keys[event.key];
    if (!on || !key || event.ctrlKey || event.metaKey || event.altKey || event.repeat && !"jk".includes(event.key)) return;
    if (typing(event.target) || asked(event.key)) return;
    event.preventDefault();
    key();
  });

  // A key that is held presses once: a question that comes up must not be answered by the key that asked for it.
  document.addEventListener("keydown", (event) => {
    if (event.repeat && event.key === "Enter" && !event.target.matches("textarea")) event.preventDefault();
    // A link that looks like a button is pressed like one. The rest of the key press must not reach what then has the focus.
    if ((event.key === " " || event.key === "Enter") && event.target.matches("a[role=button]")) {
      event.preventDefault();
      if (!event.repeat) event.target.click();
    }
  }, true);

  // A click beside a dialog closes it.
  document.addEventListener("click", (event) => {
    if (event.target.matches("#keys, #sure")) event.target.close();
  });
  document.addEventListener("change", (event) => {
    if (event.target.id !== "keys_used") return;
    on = event.target.checked;
    try {
      localStorage.setItem(storage, on ? "on" : "off");
    } catch {
      // likewise
    }
  });

  document.addEventListener("DOMContentLoaded", () => {
    const help = find("help");
    if (!help || !find("keys")) return;
    help.hidden = false;
    help.addEventListener("click", toggle);
    find("keys_used").checked = on;
  });
})();
