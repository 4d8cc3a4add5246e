// Notices lie over the page. One that reports a success goes away by itself, unless the user is about to use
// it; an error stays until the user closes it or it is no longer true.
import { onRestore } from "./events.js";
import { find, ids } from "./page.js";

const lifetime = 6000; // ms

const isError = (notice) => notice.matches(`.error, #${ids.message}`);
// While work goes on, its notice asks for the next one, which replaces it. The answer may take long.
const isReplaced = (notice) => notice.hasAttribute("hx-get");
const isInUse = (notice) => notice.matches(":hover, :focus-within");

// expire removes a notice after some time. The time starts again while the user points at it.
function expire(notice) {
  setTimeout(() => {
    if (isInUse(notice)) expire(notice);
    else notice.remove();
  }, Number(notice.dataset.lifetime ?? lifetime));
}

function addCloseButton(notice) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet close";
  button.ariaLabel = "Close this message";
  button.addEventListener("click", () => notice.remove());
  notice.append(button);
}

function handleNew(records) {
  for (const notice of records.flatMap(({ addedNodes }) => [...addedNodes])) {
    if (notice.nodeName !== "P") continue;
    addCloseButton(notice);
    if (!isError(notice) && !isReplaced(notice)) expire(notice);
  }
}

function watch() {
  const place = find(ids.notice);
  if (place) new MutationObserver(handleNew).observe(place, { childList: true });
}

watch();
onRestore(watch);
