// The overview keeps itself fresh: what the gateway renders anew takes the place of what is there, part by part, so that
// an open row stays open and nothing jumps.

import { Failure, ask, askJson, make, numbers, root, say, words } from "./common.js";
import { watchLive } from "./overview_live.js";
import { mergeRows, wakeRows } from "./overview_rows.js";
import { showTimes, tellOffset } from "./times.js";

const FRESH_MS = 30_000;
const POINTS_MS = 300_000;
const shown = document.querySelector(".overview").dataset.span;

// As the gateway sent them: what the page shows has its times written anew.
const pristine = new Map();
let loggedOut = false;

function parts(place) {
  return new Map([...place.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]));
}

function remember(place) {
  for (const [name, part] of parts(place)) pristine.set(name, part.cloneNode(true));
}

async function page(path) {
  const response = await ask(path, { headers: { Accept: "text/html" }, background: true });
  try {
    return new DOMParser().parseFromString(await response.text(), "text/html");
  } catch {
    throw new Failure(say("failed_unreachable"), 0); // cut off, or given up
  }
}

async function refresh() {
  const fresh = await page(`/admin/?span=${shown}`);
  const here = parts(document);
  const there = parts(fresh);
  if ([...there.keys()].sort().join() !== [...here.keys()].sort().join()) {
    location.reload(); // the first request has come
    return;
  }
  for (const [name, part] of there) {
    if (pristine.get(name).isEqualNode(part)) continue;
    pristine.set(name, part.cloneNode(true));
    here.get(name).replaceChildren(...part.childNodes);
  }
  mergeRows(fresh);
  showTimes(); // all of them: what was today's may be of yesterday now
}

async function showPoints() {
  const left = document.getElementById("points-left");
  const spent = document.getElementById("spent");
  try {
    const { keys, points } = await askJson("/admin/api/balance", { background: true });
    const known = keys.filter((key) => key.points !== null);
    left.textContent = points === null ? "–" : numbers.format(points);
    if (!known.length) {
      const error = keys[0]?.error ?? "";
      showNoPoints(say("poe_tells_none", { x: words[`error_${error}`] ?? error }));
      return;
    }
    const part = await page(`/admin/overview/points?span=${shown}`);
    spent.replaceChildren(part.querySelector("[data-fill=spent]"));
    document.getElementById("points-chart")?.replaceChildren(...part.querySelector("[data-fill=points]").childNodes);
    if (known.length < keys.length) {
      spent.append(make("small", { class: "warn block" }, say("some_keys", { x: known.length, all: keys.length })));
    }
  } catch (error) {
    note(error);
    showNoPoints(say("poe_tells_none", { x: error.message }));
  }
}

/** Until the next time: the chart's place stays. */
function showNoPoints(why) {
  document.getElementById("spent").replaceChildren(make("small", { class: "bad" }, why));
  const chart = document.getElementById("points-chart");
  chart?.replaceChildren(make("h2", {}, say("heading_points")), make("p", { class: "flat" }, why));
}

function note(error) {
  if (!(error instanceof Failure)) throw error;
  loggedOut ||= error.status === 401;
}

/**
 * Calls again and again while somebody looks, never before the call before is over; what fails is tried again, until
 * nobody is logged in any more.
 */
function repeat(work, milliseconds, { atOnce = false } = {}) {
  let last = atOnce ? -Infinity : Date.now();
  let busy = false;
  const turn = async () => {
    if (busy || document.hidden || loggedOut || Date.now() - last < milliseconds) return;
    busy = true;
    last = Date.now();
    try {
      await work();
    } catch (error) {
      note(error);
    } finally {
      busy = false;
    }
  };
  turn();
  setInterval(turn, Math.min(milliseconds, 5_000));
  document.addEventListener("visibilitychange", turn);
}

remember(document);
showTimes();
wakeRows();
watchLive({ isOver: () => loggedOut, note });
repeat(refresh, FRESH_MS, { atOnce: tellOffset(root) });
if (document.getElementById("points").dataset.keys === "1") repeat(showPoints, POINTS_MS, { atOnce: true });
