// What the scripts share about the page: the ids of its elements, and its state. The ids are those of the
// package templates; a test compares them.

export const ids = {
  announcement: "summary",
  bulk: "bulk",
  bulkFold: "bulk_fold",
  bulkScope: "bulk_scope",
  clearSelection: "clear_selection",
  confirm: "confirm",
  confirmShortcut: "confirm_shortcut",
  confirmShortcutTitle: "confirm_shortcut_title",
  connection: "connection",
  deleted: "deleted",
  failures: "failures",
  heartbeat: "heartbeat",
  find: "find",
  findKind: "find_kind",
  help: "help",
  kinds: "kinds",
  latency: "latency",
  list: "process_runs",
  live: "live",
  log: "log",
  logColors: "log_colors",
  logCopy: "log_copy",
  logFollow: "log_follow",
  logHits: "log_hits",
  logNews: "log_news",
  logPrevious: "log_previous",
  logSearch: "log_search",
  logTimes: "log_times",
  logWrap: "log_wrap",
  main: "main",
  matches: "matches",
  message: "message",
  newRuns: "new_runs",
  newerRun: "newer_run",
  newestPage: "page_newest",
  notice: "notice",
  olderPage: "page_older",
  olderRun: "older_run",
  pager: "pager",
  pagerTop: "pager_top",
  pause: "pause",
  preview: "start_preview",
  rowActions: "row_actions",
  runMenu: "run_menu",
  running: "running",
  searchCreated: "search_created",
  searchText: "search_text",
  selectAll: "select_all",
  selectMatching: "select_matching",
  selectedCount: "selected_count",
  server: "server",
  shortcuts: "shortcuts",
  shortcutsEnabled: "shortcuts_enabled",
  start: "start",
  tellMe: "tell_me",
  timeline: "timeline",
  timelineFilter: "timeline_filter",
  timeRange: "time_range",
};

export const countID = (status) => `count_${status}`;
export const rowID = (run) => `process_run_${run}`;
export const statusID = (run) => `process_run_${run}_status`;
export const runPartID = (run, part) => `process_run_${run}_${part}`;

// The parts of a run's page that a deleted run does not have.
export const deletedParts = ["state", "actions", "menu", "progress", "problem", "facts", "attempts"];

export const lineID = (line) => `L${line}`;

// runOf returns the number of the run that a row or a status cell shows.
export const runOf = (element) => Number(element.id.split("_")[2]);

// changingCells returns the cells in root that show the state of a run.
export const changingCells = (root, run) => [...root.querySelectorAll(`td[id^="${rowID(run)}_"]`)];

// find returns the element with an id, or null if the page does not have it.
export const find = (id) => document.getElementById(id);

// rowsOf returns the rows of a list that show runs.
export const rowsOf = (list) => [...(list?.querySelectorAll("tr[id]") ?? [])];

// findStatusCell returns the status cell on the page of a run. Other pages have none there.
export const findStatusCell = () => document.querySelector(".facts td[id$=_status]");

// isLive reports whether the page gets updates.
export const isLive = () => find(ids.connection)?.matches("[data-state=live], [data-draining]") ?? false;

// isPaused reports whether the user has paused the updates.
export const isPaused = () => find(ids.pause)?.getAttribute("aria-pressed") === "true";

// shownCount returns the number of runs in the current list, as the page shows it: "1,234".
// Lists without tabs, as on the page of a kind, show none.
export function shownCount() {
  const count = document.querySelector(".counts a[aria-current] b");
  return count ? count.textContent + (count.hasAttribute("data-capped") ? "+" : "") : "";
}

// scrollToList brings the head of the list into view, unless it is there.
export function scrollToList() {
  const live = find(ids.live);
  if (live && live.getBoundingClientRect().top < 0) live.scrollIntoView({ block: "start" });
}

// setText changes the text of an element only if it differs: a change ends a text selection.
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
