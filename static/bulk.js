// Selection of runs for bulk actions, and the dialog that confirms them. Without this file the checkboxes and
// the form below the list still work, and the question has its own page.
"use strict";

(() => {
  const find = (id) => document.getElementById(id);
  const boxes = () => [...document.querySelectorAll("#process_runs input[name=id]")];

  // The selection survives paging and reloads. Only the user adds runs to it.
  const storage = "runboard-selected";
  let selected = new Set();
  let full = false; // whether the user tried to select more than the limit
  function load() {
    try {
      selected = new Set(JSON.parse(sessionStorage.getItem(storage) ?? "[]"));
    } catch {
      // The browser refuses storage: the selection ends with the page.
    }
  }
  function save() {
    try {
      sessionStorage.setItem(storage, JSON.stringify([...selected]));
    } catch {
      // The browser refuses storage: the selection ends with the page.
    }
  }

  const most = () => Number(find("bulk").dataset.limit);

  function select(box, on) {
    if (on && !selected.has(box.value) && selected.size >= most()) {
      full = true;
      on = false;
    }
    if (on) selected.add(box.value);
    else selected.delete(box.value);
    box.checked = on;
  }

  function clear() {
    selected.clear();
    full = false;
    const form = find("bulk");
    if (form) form.elements.scope.value = "selected";
    save();
    show();
  }

  // total returns the number of runs in the list, as the page shows it above the list.
  function total() {
    const { count, capped } = find("matches").dataset;
    if (count === undefined) return document.querySelector(".counts a[aria-current] b").textContent;
    return Number(count).toLocaleString("en-US") + (capped === undefined ? "" : "+");
  }

  function say(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  // show updates the checkboxes, the number of selected runs and the buttons. Without a selection the buttons
  // are disabled, unless the user chooses all runs.
  function show() {
    const form = find("bulk"), all = find("select_all");
    if (!form || !all) return;
    const here = boxes(), count = selected.size;
    for (const box of here) box.checked = selected.has(box.value);
    const ticked = here.filter((box) => box.checked).length;
    const choice = form.elements.scope;
    for (const button of form.querySelectorAll("button[name=operation]")) button.disabled = choice.value === "selected" && count === 0;
    form.toggleAttribute("data-has-selection", count > 0);
    find("clear_selection").hidden = count === 0;
    const words = [];
    if (count > 0) words.push(`${count} selected`);
    if (count > ticked) words.push(`${count - ticked} on other pages`);
    if (full) words.push(`no more than ${most()} can be selected; choose all instead`);
    say(find("selected_count"), words.join(", "));
    all.hidden = false;
    all.disabled = here.length === 0;
    all.checked = ticked > 0 && ticked === here.length;
    all.indeterminate = ticked > 0 && ticked < here.length;
    const everything = choice.options[1].text.replace(/^All( [\d,]+\+?)?/, `All ${total()}`);
    // A change would close an open select.
    if (choice.options[1].text !== everything && document.activeElement !== choice) choice.options[1].text = everything;
    send(form, here);
  }

  // send adds hidden fields to the form for the selected runs on other pages.
  function send(form, here) {
    const elsewhere = new Set(selected);
    for (const box of here) elsewhere.delete(box.value);
    let place = find("selected_elsewhere");
    if (!place) {
      place = document.createElement("span");
      place.id = "selected_elsewhere";
      place.hidden = true;
      form.append(place);
    }
    const ids = [...elsewhere].join();
    if (place.dataset.ids === ids) return;
    place.dataset.ids = ids;
    place.replaceChildren(...[...elsewhere].map((id) => {
      const input = document.createElement("input");
      input.type = "hidden";
      input.name = "id";
      input.value = id;
      return input;
    }));
  }

  let last = null; // id of the run clicked last, where a range starts
  document.addEventListener("click", (event) => {
    if (event.target.id === "clear_selection") {
      clear();
      return;
    }
    if (!event.target.matches("#process_runs input[name=id]")) return;
    const all = boxes(), from = all.findIndex((box) => box.value === last), to = all.indexOf(event.target);
    full = false;
    if (event.shiftKey && from >= 0) {
      for (const box of all.slice(Math.min(from, to), Math.max(from, to) + 1)) select(box, event.target.checked);
    }
    last = event.target.value;
  });
  document.addEventListener("change", (event) => {
    const { target } = event;
    if (target.id === "bulk_scope") {
      show();
      return;
    }
    if (target.id !== "select_all" && !target.matches("#process_runs input[name=id]")) return;
    full = false;
    for (const box of target.id === "select_all" ? boxes() : [target]) select(box, target.checked);
    save();
    find("bulk").elements.scope.value = "selected"; // selecting a run ends "all runs"
    show();
    target.closest("tbody tr")?.scrollIntoView({ block: "nearest" }); // the bar must not cover the row
  });

  // Swaps keep the selection. But "all matching" is reset when the user opens another list. That happens
  // before the swap, so that it does not undo a choice that the user makes in the new list.
  document.addEventListener("htmx:before:swap", (event) => {
    const form = find("bulk");
    if (form && event.detail.ctx?.target?.id === "live") form.elements.scope.value = "selected";
    for (const { fragment } of event.detail.tasks ?? []) {
      for (const box of fragment?.querySelectorAll?.("input[name=id][type=checkbox]") ?? []) box.checked = selected.has(box.value);
    }
  });

  // The dialog opens only after a swap into it. A dialog that has just been closed keeps its content until
  // its close event, so checking the content alone would open it again.
  const dialog = () => (find("confirm") instanceof HTMLDialogElement ? find("confirm") : null);
  const targetOf = ({ target }) => (typeof target === "string" ? document.querySelector(target) : target);
  document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
    show();
    const ask = dialog();
    if (!ask?.firstElementChild || !ctx || targetOf(ctx) !== ask) return;
    if (!ask.open) ask.showModal();
    ask.querySelector("[data-dismiss]")?.focus(); // a stray key press must change nothing
  });

  // An answer that is not another question closes the dialog. The page shows the result.
  document.addEventListener("htmx:finally:request", ({ detail: { ctx } }) => {
    const ask = dialog();
    if (!ask?.open || !ctx.sourceElement?.closest?.("#confirm")) return;
    if (targetOf(ctx) === ask) return;
    ask.close();
    if (ctx.response?.status < 400) clear();
  });
  document.addEventListener("click", (event) => {
    const ask = dialog();
    if (ask && event.target.matches("#confirm, #confirm [data-dismiss]")) ask.close();
  });
  // Ignore the second click of a double click: the user meant it for the button that opened the dialog.
  document.addEventListener("click", (event) => {
    if (event.detail > 1 && event.target.closest?.("dialog button:not([data-dismiss])")) event.preventDefault();
  }, true);
  document.addEventListener("close", (event) => {
    // The event comes late: the dialog may be open again.
    if (event.target.id === "confirm" && !event.target.open) event.target.replaceChildren();
  }, true);
  document.addEventListener("submit", (event) => {
    if (!dialog() && event.target.closest("#confirm")) clear();
  });

  document.addEventListener("DOMContentLoaded", () => { load(); show(); });
  addEventListener("pageshow", (event) => { if (event.persisted) { load(); show(); } });
})();
