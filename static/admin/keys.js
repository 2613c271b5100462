// What each key has left, asked of Poe when the page is there, and the rest of the paused ones counted down.

import { Failure, ask, askJson, make, numbers, root, say, words } from "./common.js";
import { countdown, showTimes, tellOffset } from "./times.js";

const RENEWED_MS = 3_000; // not more often: a key may be paused anew, and the gateway may be away

const table = document.getElementById("balances");
const again = document.getElementById("ask-again");
const total = document.getElementById("total");
let read = performance.now();
let asked = -Infinity;
let ticking = 0;

function errorWord(code) {
  return words[`error_${code}`] ?? code;
}

/** Whether the gateway told them. */
async function showBalances() {
  again.setAttribute("aria-disabled", "true"); // not `disabled`, which would drop the focus
  try {
    const { keys, points } = await askJson("/admin/api/balance");
    for (const key of keys) {
      const cell = table.querySelector(`[data-position="${key.position}"]`);
      cell?.replaceChildren(key.points === null ? make("span", { class: "bad" }, errorWord(key.error)) : numbers.format(key.points));
    }
    const some = keys.some((key) => key.points === null);
    if (total) total.textContent = points === null ? "–" : some ? say("at_least", { x: numbers.format(points) }) : numbers.format(points);
    return true;
  } catch (error) {
    for (const cell of table.querySelectorAll("[data-position]")) cell.replaceChildren(make("span", { class: "bad" }, error.message));
    if (total) total.textContent = "–";
    return false;
  } finally {
    again.setAttribute("aria-disabled", "false");
  }
}

/** The keys' states as the gateway has them now; what cannot be had is left as it is. */
async function renewStates() {
  asked = performance.now();
  try {
    const response = await ask("/admin/keys", { headers: { Accept: "text/html" }, background: true });
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    for (const cell of table.querySelectorAll("[data-state]")) {
      const now = fresh.querySelector(`[data-state="${cell.dataset.state}"]`);
      if (now) cell.replaceChildren(...now.childNodes);
    }
    read = performance.now();
  } catch (error) {
    if (error instanceof Failure && error.status === 401) clearInterval(ticking);
  }
}

function tick() {
  const passed = (performance.now() - read) / 1_000;
  let isOver = false;
  for (const clock of table.querySelectorAll("[data-seconds]")) {
    clock.textContent = countdown(clock.dataset.seconds - passed);
    isOver ||= clock.dataset.seconds - passed < -0.5; // it was rounded
  }
  if (isOver && !document.hidden && performance.now() - asked > RENEWED_MS) renewStates();
}

tellOffset(root);
showTimes();
if (table) {
  ticking = setInterval(tick, 1_000);
  again.hidden = false;
  again.addEventListener("click", async () => {
    if (again.getAttribute("aria-disabled") === "true") return;
    if (await showBalances()) renewStates();
  });
  showBalances();
}
