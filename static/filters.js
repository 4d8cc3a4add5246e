// The filters of the list, which belong to the search form in the header, and of the timeline.
import { onBeforeSwap, onSwap, targetOf } from "./events.js";
import { find, ids, scrollToList } from "./page.js";
import { fieldInUTC, fieldInZone } from "./times.js";

// A select applies at once; the text field on Enter, and when it is cleared.
document.addEventListener("change", ({ target }) => {
  if (!target.matches(`select[form=${ids.find}], #${ids.timelineFilter} select`)) return;
  if (target.id === ids.searchCreated && !chooseSpan(target.value)) return;
  target.form.requestSubmit();
});
document.addEventListener("search", ({ target }) => {
  if (target.id === ids.searchText && target.value === "") target.form.requestSubmit();
});

// chooseSpan prepares the form for another span of time. It returns false if the user must enter it first.
function chooseSpan(span) {
  const range = find(ids.timeRange);
  if (span === "custom") {
    range.open = true;
    range.querySelector("input").focus();
    return false;
  }
  for (const input of range.querySelectorAll("input")) input.value = "";
  return true;
}

// The fields of a span have the times of the server, in UTC. The page shows them in the zone of the reader,
// and sends them in UTC from hidden fields.
function showRangeInZone() {
  const range = find(ids.timeRange);
  if (!range) return;
  for (const input of range.querySelectorAll("input[type=datetime-local][name]")) {
    const text = input.getAttribute("value");
    const sent = document.createElement("input");
    sent.type = "hidden";
    sent.name = input.name;
    sent.setAttribute("form", ids.find);
    sent.value = text ? `${text}Z` : "";
    input.removeAttribute("name");
    input.value = text ? fieldInZone(text) : "";
    input.after(sent);
  }
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  range.querySelector(".zone").textContent = `Times in ${timeZone}`;
}
document.addEventListener("input", ({ target }) => {
  if (!target.closest(`#${ids.timeRange}`)) return;
  const sent = target.nextElementSibling;
  if (sent?.type === "hidden") sent.value = fieldInUTC(target.value);
  find(ids.searchCreated).value = "custom"; // the fields count, not another span
});
// showText shows the words of the current list in the search field. What the user has typed there does not
// follow the attribute of the field, so a link to another list would leave it behind.
function showText(target) {
  const field = find(ids.searchText);
  if (target?.id !== ids.live || field === document.activeElement) return;
  field.value = new URLSearchParams(location.search).get("q") ?? "";
}
onSwap(({ context, isResponse }) => {
  if (!isResponse) return; // frames have no filters
  showText(targetOf(context));
  showRangeInZone();
  if (targetOf(context)?.id === ids.live) find(ids.timeRange)?.removeAttribute("open");
});
showRangeInZone();

// A click beside an open menu or the fields for a span closes them.
document.addEventListener("click", ({ target }) => {
  for (const open of document.querySelectorAll("details:is(.menu, .range, .starting)[open]")) {
    if (!open.contains(target)) open.open = false;
  }
});
document.addEventListener("keydown", ({ key, target }) => {
  const open = key === "Escape" && target.closest("details:is(.menu, .range, .starting)[open]");
  if (!open) return;
  open.open = false;
  const summary = open.querySelector("summary");
  (summary.checkVisibility() ? summary : find(ids.searchCreated)).focus();
});

// If the fields for a span are closed without being applied, the select shows the present filter again, so
// that it can open them again.
document.addEventListener("toggle", ({ target }) => {
  if (target.id !== ids.timeRange || target.open || "current" in target.dataset) return;
  const { options } = find(ids.searchCreated);
  options.selectedIndex = Math.max(0, [...options].findIndex(({ defaultSelected }) => defaultSelected));
}, true);

// Another page of the list begins at its top.
let isOtherPage = false;
onBeforeSwap(({ isResponse, source, context }) => {
  const isLink = Boolean(source?.matches?.(".pager a, .counts a"));
  isOtherPage = isResponse && targetOf(context)?.id === ids.live && isLink;
});
onSwap(({ isResponse }) => {
  if (isResponse && isOtherPage) scrollToList();
});
