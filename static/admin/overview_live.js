// What is under way: asked for every two seconds, its age counted here.

import { ask, askJson, make, numbers, say, toast } from "./common.js";
import { countdown } from "./times.js";

const POLL_MS = 2_000;
const REMEMBERED = 4; // looks back that a speed is made of
const MOST = 50;

const list = document.getElementById("live");
const empty = document.getElementById("live-note");
const rows = new Map();

/** `isOver` tells whether to stop asking, `note` takes what goes wrong. */
export function watchLive({ isOver, note }) {
  let asking = false;
  const look = async () => {
    if (asking || document.hidden || isOver()) return;
    asking = true;
    try {
      show((await askJson("/admin/api/live", { background: true })).requests);
    } catch (error) {
      note(error);
      show([]);
      empty.textContent = say("live_unknown", { x: error.message });
    } finally {
      asking = false;
    }
  };
  look();
  setInterval(look, POLL_MS);
  setInterval(tick, 1_000);
  document.addEventListener("visibilitychange", look);
}

function show(requests) {
  const now = performance.now();
  const names = new Set(requests.map((request) => request.id));
  for (const [id, row] of rows) {
    if (names.has(id)) continue;
    const next = row.element.nextElementSibling ?? row.element.previousElementSibling;
    if (row.element.contains(document.activeElement)) {
      (next?.querySelector("button") ?? document.getElementById("live-heading")).focus({ preventScroll: true });
    }
    row.element.remove();
    rows.delete(id);
  }
  for (const request of requests.slice(0, MOST)) {
    if (!rows.has(request.id)) rows.set(request.id, begin(request));
    update(rows.get(request.id), request, now);
  }
  empty.hidden = requests.length > 0;
  empty.textContent = say("live_none");
  tick();
}

function begin(request) {
  const row = { looks: [], isStopping: false };
  row.age = make("span", { class: "age" });
  row.speed = make("span", { class: "speed" });
  row.button = make("button", { type: "button", class: "small", onclick: () => stop(row, request.id) });
  row.button.setAttribute("aria-label", say("stop_which", { model: request.model, client: request.client || request.caller }));
  row.element = make(
    "div",
    { class: "live", role: "listitem" },
    make("span", { class: "dot good" }),
    make("span", { class: "cut", title: request.bot }, request.model, make("small", { class: "cut", title: request.caller }, request.client || request.caller, " · ", row.speed)),
    row.age,
    row.button,
  );
  list.append(row.element);
  return row;
}

function update(row, request, now) {
  row.began = now - request.age * 1_000;
  row.looks = [...row.looks, [now, request.tokens]].slice(-REMEMBERED);
  row.isStopping ||= request.stopping;
  const [then, before] = row.looks[0];
  const seconds = row.looks.length > 1 ? (now - then) / 1_000 : request.age;
  const tokens = row.looks.length > 1 ? request.tokens - before : request.tokens;
  const speed = seconds > 0 ? Math.round(tokens / seconds) : 0;
  row.speed.textContent = request.tokens ? say("a_second", { x: numbers.format(speed) }) : say("thinking");
  label(row);
}

function label(row) {
  row.button.setAttribute("aria-disabled", String(row.isStopping)); // not `disabled`, which would drop the focus
  row.button.textContent = row.isStopping ? say("stopping") : say("stop");
  row.element.classList.toggle("stopping", row.isStopping);
}

async function stop(row, id) {
  if (row.isStopping) return;
  row.isStopping = true;
  label(row);
  try {
    await ask(`/admin/api/live/${encodeURIComponent(id)}/stop`, { method: "POST" });
  } catch (error) {
    if (error.status === 404) return; // it has ended by itself; the next look takes it away
    row.isStopping = false;
    label(row);
    toast(error.message, { bad: true });
  }
}

function tick() {
  const now = performance.now();
  for (const row of rows.values()) row.age.textContent = countdown(Math.floor((now - row.began) / 1_000));
}
