// Ticking runs, to act on many of them at once. Without this file the boxes and the form below the list work as well.
"use strict";

(() => {
  const find = (id) => document.getElementById(id);
  const boxes = () => [...document.querySelectorAll("#process_runs input[name=id]")];
  const ticked = () => boxes().filter((box) => box.checked);

  // total is how many runs the list has, as it stands above it.
  function total() {
    const [, more, found] = find("matches").textContent.match(/^(More than )?([\d,]+)/) ?? [];
    return found ? found + (more ? "+" : "") : document.querySelector(".counts a[aria-current] b").textContent;
  }

  // show says how many are ticked. When some are, the form stays in sight; when none is, only all can be meant.
  function show() {
    const form = find("many"), all = find("tick_all");
    if (!form || !all) return;
    const count = ticked().length, boxed = boxes().length;
    const choice = form.elements.runs, words = count ? `${count} ticked ${count === 1 ? "run" : "runs"}` : "Ticked runs";
    if (choice.options[0].text !== words) choice.options[0].text = words;
    choice.options[0].disabled = count === 0;
    if (count === 0) choice.value = "all";
    form.toggleAttribute("data-ticked", count > 0);
    all.hidden = false;
    all.disabled = boxed === 0;
    all.checked = count > 0 && count === boxed;
    all.indeterminate = count > 0 && count < boxed;
    const everything = choice.options[1].text.replace(/^All( [\d,]+\+?)?/, `All ${total()}`);
    if (choice.options[1].text !== everything && document.activeElement !== choice) choice.options[1].text = everything; // not while it is open
  }

  let last = null; // the id that was ticked last, where a range begins
  document.addEventListener("click", (event) => {
    if (event.target.matches("#ask [data-dismiss]")) {
      if (!find("many")) return; // the question has a page of its own
      event.preventDefault();
      find("ask").replaceChildren();
      return;
    }
    if (!event.target.matches("#process_runs input[name=id]")) return;
    const all = boxes(), from = all.findIndex((box) => box.value === last), to = all.indexOf(event.target);
    if (event.shiftKey && from >= 0) {
      for (const box of all.slice(Math.min(from, to), Math.max(from, to) + 1)) box.checked = event.target.checked;
    }
    last = event.target.value;
  });
  document.addEventListener("change", (event) => {
    if (event.target.id === "tick_all") {
      for (const box of boxes()) box.checked = event.target.checked;
    } else if (event.target.name !== "id") {
      return;
    }
    show();
    if (ticked().length > 0) find("many").elements.runs.value = "ticked"; // as it has just been ticked, that is meant
  });

  // What is ticked stays so, however the list is drawn anew.
  document.addEventListener("htmx:before:swap", (event) => {
    const values = new Set(ticked().map((box) => box.value));
    for (const { fragment } of event.detail.tasks ?? []) {
      for (const box of fragment?.querySelectorAll?.("input[name=id]") ?? []) box.checked = values.has(box.value);
    }
  });
  document.addEventListener("htmx:after:swap", (event) => {
    show();
    const ask = find("ask");
    if (!ask || !event.target.closest?.("#many, #ask")) return;
    ask.querySelector("button")?.focus(); // the question is what comes next
    ask.scrollIntoView({ block: "nearest" });
  });
  document.addEventListener("DOMContentLoaded", show);
})();
