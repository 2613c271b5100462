// The latest requests: rows that open, a filter, and new rows that come in without disturbing the others.

import { askJson, make, numbers, say } from "./common.js";

const FEW = 25; // as in overview.css
const rows = document.getElementById("rows");
const filter = document.getElementById("only-failed");
const all = document.getElementById("show-all");

export function wakeRows() {
  if (!rows) return;
  rows.addEventListener("click", (event) => {
    const row = event.target.closest("tr.request");
    if (row && (event.target.closest("button") || !String(getSelection()))) toggle(row);
  });
  filter.addEventListener("click", () => {
    filter.setAttribute("aria-pressed", String(filter.getAttribute("aria-pressed") !== "true"));
    sift();
  });
  all.addEventListener("click", () => {
    rows.classList.remove("few");
    rows.closest("[tabindex]").focus({ preventScroll: true });
    sift();
  });
  sift();
}

/** Takes over the rows of a page that was rendered later; their times are as the gateway wrote them. */
export function mergeRows(fresh) {
  const there = fresh.getElementById("rows");
  if (!rows || !there) return;
  const known = new Map([...rows.querySelectorAll("tr.request")].map((row) => [row.dataset.id, row]));
  const wanted = [...there.querySelectorAll("tr.request")];
  const names = new Set(wanted.map((row) => row.dataset.id));
  for (const [name, row] of known) {
    if (!names.has(name) && !isOpen(row) && !row.contains(document.activeElement)) row.remove();
  }
  // A row that is there stays where it is: moving it would take the focus away.
  let cursor = rows.firstElementChild;
  for (const row of wanted) {
    if (known.has(row.dataset.id)) {
      cursor = known.get(row.dataset.id).nextElementSibling;
      if (cursor?.classList.contains("detail")) cursor = cursor.nextElementSibling;
    } else {
      rows.insertBefore(row, cursor);
    }
  }
  sift();
}

function sift() {
  const onlyFailed = filter.getAttribute("aria-pressed") === "true";
  rows.classList.toggle("only-failed", onlyFailed);
  document.getElementById("none-failed").hidden = !onlyFailed || rows.querySelector("tr.failed") !== null;
  const count = rows.querySelectorAll("tr.request").length;
  all.hidden = onlyFailed || count <= FEW || !rows.classList.contains("few");
  all.textContent = say("show_all", { x: count });
}

function isOpen(row) {
  return row.querySelector("button.open").getAttribute("aria-expanded") === "true";
}

function toggle(row) {
  const button = row.querySelector("button.open");
  if (isOpen(row)) {
    button.setAttribute("aria-expanded", "false");
    row.nextElementSibling.remove();
    return;
  }
  const cell = make("td", { colSpan: row.cells.length }, "…");
  const id = `detail-${row.dataset.id}`;
  const detail = make("tr", { class: row.classList.contains("failed") ? "detail failed" : "detail", id }, cell);
  row.after(detail);
  button.setAttribute("aria-expanded", "true");
  button.setAttribute("aria-controls", id);
  fill(cell, row.dataset.id);
}

async function fill(cell, id) {
  try {
    cell.replaceChildren(...details(await askJson(`/admin/api/requests/${encodeURIComponent(id)}`)));
  } catch (error) {
    cell.replaceChildren(make("span", { class: "bad" }, error.message));
  }
}

function details(entry) {
  const tokens = `${numbers.format(entry.tokens_in)} → ${numbers.format(entry.tokens_out)}`;
  const facts = [
    ["details_id", make("code", {}, entry.id)],
    ["details_path", make("code", {}, entry.path), ` ${say(entry.stream ? "streamed" : "whole")}`],
    ["client", entry.client || "–"],
    ["details_caller", make("code", {}, entry.caller || "–")],
    ["details_bot", entry.bot || "–"],
    ["details_tokens", tokens, entry.estimated ? ` (${say("details_estimated")})` : ""],
    ["details_attempts", numbers.format(entry.attempts)],
  ];
  if (entry.error) facts.push(["details_error", make("code", {}, entry.error)]);
  const list = make("dl", {}, facts.map(([name, ...values]) => make("div", {}, make("dt", {}, say(name)), make("dd", {}, values))));
  if (entry.question === null && entry.answer === null) return [list, make("p", { class: "flat" }, say("details_no_texts"))];
  return [list, text("details_question", entry.question), text("details_answer", entry.answer)].filter(Boolean);
}

function text(name, content) {
  return content ? make("div", { class: "text" }, make("h3", {}, say(name)), make("pre", { tabIndex: 0 }, content)) : null;
}
