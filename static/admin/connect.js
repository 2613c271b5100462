// Fills the browser's own view of the gateway's address, and the chosen model, into all settings.

import { askJson, make, root, say, toast } from "./common.js";

const KEY = "YOUR_KEY";
const LOCAL = new Set(["localhost", "127.0.0.1", "[::1]"]);
// A shell reads anything else in a name as its own.
const PLAIN = /^[\p{L}\p{N}._@:\/+-]+$/u;

const chooser = document.getElementById("model");
const address = location.origin + root;

function container() {
  const url = new URL(address);
  if (!LOCAL.has(url.hostname)) return address;
  url.hostname = "host.docker.internal";
  return url.href.replace(/\/$/, "");
}

function written(model, syntax) {
  if (!syntax) return model;
  if (syntax === "sh") return PLAIN.test(model) ? model : "YOUR_MODEL";
  return JSON.stringify(model).slice(1, -1);
}

const fixed = { address, base_url: `${address}/v1`, container: container(), key: KEY };

function fill() {
  for (const element of document.querySelectorAll("[data-fill]")) {
    const values = { ...fixed, model: written(chooser.value, element.dataset.syntax) };
    element.textContent = element.dataset.fill.replace(
      /\{(address|base_url|container|key|model)\}/g, (_, name) => values[name],
    );
  }
}

const wanted = { text: "", group: "" };
const cards = [...document.querySelectorAll(".client")];

function filter() {
  const text = wanted.text.trim().toLowerCase();
  for (const card of cards) card.hidden = Boolean(text) && !card.dataset.name.toLowerCase().includes(text);
  let any = false;
  for (const section of document.querySelectorAll("section[data-group]")) {
    const inGroup = !wanted.group || section.dataset.group === wanted.group;
    section.hidden = !inGroup || [...section.querySelectorAll(".client")].every((card) => card.hidden);
    any ||= !section.hidden;
  }
  document.getElementById("none").hidden = any;
}

async function listModels() {
  const first = chooser.value;
  let models;
  try {
    ({ models } = await askJson("/admin/api/playground/models"));
  } catch {
    toast(say("models_missing"), { bad: true });
    return;
  }
  const names = models.map((model) => model.id);
  if (!names.length) return;
  const chosen = chooser.value !== first ? chooser.value : names.find((name) => name === first) ?? names[0];
  chooser.replaceChildren(...names.map((name) => make("option", { value: name, selected: name === chosen }, name)));
  fill();
}

chooser.addEventListener("change", fill);
document.getElementById("find").addEventListener("input", (event) => {
  wanted.text = event.target.value;
  filter();
});
for (const chip of document.querySelectorAll(".chip[data-group]")) {
  chip.addEventListener("click", () => {
    wanted.group = chip.dataset.group;
    for (const other of document.querySelectorAll(".chip[data-group]")) {
      other.setAttribute("aria-pressed", String(other === chip));
    }
    filter();
  });
}
fill();
filter();
listModels();
