// The bars of the timeline. The tab key leads to the first one, and the arrow keys from there to the others:
// left and right along a lane, up and down to the bar of the next lane that is nearest in time.
import { find, ids } from "./page.js";

const barsOf = (lane) => [...lane.querySelectorAll("a[href]")];
const allLanes = () => [...find(ids.timeline).querySelectorAll(".lanes > g")];
const lanes = () => allLanes().filter((lane) => barsOf(lane).length);

// middleOf returns where a bar is, without the line that shows how long its run waited.
function middleOf(bar) {
  const { left, right } = bar.querySelector("rect:not(.wait)").getBoundingClientRect();
  return (left + right) / 2;
}

// nearest returns the bar that is nearest to a place; of equally near ones, the newest.
function nearest(bars, x) {
  const distance = (bar) => Math.abs(middleOf(bar) - x);
  return bars.reduce((best, bar) => (distance(bar) <= distance(best) ? bar : best));
}

function otherLane(bar, by) {
  const all = lanes();
  const lane = all[all.indexOf(bar.parentElement) + by];
  return lane && nearest(barsOf(lane), middleOf(bar));
}

function alongLane(bar, by) {
  const bars = barsOf(bar.parentElement);
  return bars[bars.indexOf(bar) + by];
}

const moves = {
  ArrowLeft: (bar) => alongLane(bar, -1),
  ArrowRight: (bar) => alongLane(bar, 1),
  ArrowUp: (bar) => otherLane(bar, -1),
  ArrowDown: (bar) => otherLane(bar, 1),
  Home: (bar) => barsOf(bar.parentElement)[0],
  End: (bar) => barsOf(bar.parentElement).at(-1),
};

document.addEventListener("keydown", (event) => {
  const bar = event.target.closest?.(`#${ids.timeline} .lanes a`);
  const move = moves[event.key];
  if (!bar || !move || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault(); // scrolling
  move(bar)?.focus();
});
