// Keys for those who have their hands on them. All of it can be done by mouse as well; nothing acts while one types.
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

  // wish presses the button of the run in question: on its page there is only one.
  function wish(word) {
    const cell = current()?.closest("tr").querySelector("td[data-status]") ?? document.querySelector(".facts td[data-status]");
    cell?.querySelector(`button[formaction$="/${word}"]`)?.click();
  }

  const keys = {
    s: () => document.querySelector("#start button")?.click(), // no other form: one of them may ask whether to delete
    "/": () => find("find_text")?.focus(),
    j: () => move(1),
    k: () => move(-1),
    x: () => current()?.closest("tr").querySelector("input[name=id]")?.click(),
    c: () => wish("cancel"),
    r: () => wish("retry"),
    p: () => find("pause")?.click(),
    "?": () => find("keys")?.showModal(),
  };

  // typing reports whether a key is meant for a field, a list of choices or a dialog.
  const typing = (target) => target.isContentEditable || target.matches("input:not([type=checkbox]), select, textarea") || find("keys")?.open;

  document.addEventListener("keydown", (event) => {
    const act = keys[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey || event.repeat && !"jk".includes(event.key) || typing(event.target)) return;
    event.preventDefault();
    act();
  });

  document.addEventListener("DOMContentLoaded", () => {
    const help = find("help");
    if (!help || !find("keys")) return;
    help.hidden = false;
    help.addEventListener("click", keys["?"]);
  });
})();
