// Saving: what changed, for review; and what to do where somebody else has saved meanwhile.

import { ask, make, say, toast } from "./common.js";
import { openDialog, readable } from "./models_dialog.js";
import { diff, fold, merge, withoutDuplicates } from "./models_state.js";

export const CONFIG = "/api/admin/config";
const SECRET = "api_token";

export async function load() {
  const response = await ask(CONFIG, { headers: { "Cache-Control": "no-cache" } });
  return { config: await response.json(), etag: response.headers.get("ETag") };
}

/** Saves what is on the page. `oncomplaint(names, text)` hears of an error that has its place in a bot's settings. */
export async function save(state, oncomplaint) {
  const sent = state.config;
  let response;
  let config;
  try {
    response = await ask(CONFIG, { method: "POST", json: sent, headers: state.etag ? { "If-Match": state.etag } : {} });
    config = await response.json();
  } catch (error) {
    if (error.status === 412 && error.body?.config) return conflict(state, error);
    const bot = placeOf(sent, [error.body?.error?.param, error.message]);
    if (bot !== null) oncomplaint(bot, error.message);
    if (error.status !== 401) toast(say("not_saved", { why: error.message ?? String(error) }), { bad: true });
    return;
  }
  state.saved(sent, config, response.headers.get("ETag"));
  toast(say("saved"));
}

/** The bot of which a text such as `models.gpt-5.4.mapping: …` speaks: the longest name that fits, names hold dots. */
export function placeOf(config, texts) {
  const keys = Object.keys(config.models ?? {}).sort((one, other) => other.length - one.length);
  for (const text of texts) {
    const found = keys.find((key) => typeof text === "string" && new RegExp(`models\\.${RegExp.escape?.(key) ?? key.replace(/[^\w]/g, "\\$&")}(?![\\w-])`, "i").test(text));
    if (found !== undefined) return found;
  }
  return null;
}

function pathCell(path) {
  const [top, name, ...rest] = path;
  const isNamed = (top === "models" || top === "custom_models") && name !== undefined;
  if (!isNamed) return make("th", { scope: "row" }, path.join(" › "));
  return make("th", { scope: "row" }, make("span", { class: "cut" }, name), make("small", {}, top === "custom_models" ? say("custom_one") : rest.join(" › ")));
}

const shown = (path, value) => (path[0] === SECRET && value !== undefined ? make("code", {}, "••••") : readable(value));

function changesTable(changes) {
  const heads = ["setting", "before", "after"].map((name) => make("th", { scope: "col" }, say(name)));
  const rows = changes.map(({ path, before, after }) => make("tr", {}, pathCell(path), make("td", {}, shown(path, before)), make("td", {}, shown(path, after))));
  return make("div", { class: "scroll" }, make("table", { class: "changes" }, make("thead", {}, make("tr", {}, heads)), make("tbody", {}, rows)));
}

/** All changes, before and after. */
export function review(state, onsave) {
  const discard = make("button", { type: "button", class: "danger", onclick: () => { dialog.close(); state.replace(state.base); } }, say("discard"));
  const keep = make("button", { type: "button", onclick: () => dialog.close() }, say("close"));
  const go = make("button", { type: "button", class: "primary", onclick: () => { dialog.close(); onsave(); } }, say("save"));
  const { dialog } = openDialog({ title: changesText(state.changes.length), body: [changesTable(state.changes)], foot: [discard, make("span", { class: "grow" }), keep, go] });
}

export function changesText(n) {
  return say(n === 0 ? "changes_none" : n === 1 ? "changes_one" : "changes_many", { n });
}

/** What the other one has changed, and the offer to put one's own changes on top. */
function conflict(state, { body, response }) {
  const etag = response?.headers.get("ETag") ?? body.etag;
  const theirs = body.config;
  const merged = merge(state.base, state.config, theirs);
  const choices = new Map();
  const top = make("button", { type: "button", class: "primary", onclick: () => {
    dialog.close();
    state.rebase(theirs, merged.result(choices), etag);
    toast(say("put_on_top_done"));
  } }, say("put_on_top"));
  const drop = make("button", { type: "button", class: "danger", onclick: () => {
    dialog.close();
    state.rebase(theirs, theirs, etag);
  } }, say("reload"));
  const { dialog } = openDialog({
    title: say("conflict"),
    body: [
      make("p", { class: "dim" }, say(merged.theirChanges.length ? "conflict_is" : "conflict_none")),
      merged.theirChanges.length ? changesTable(merged.theirChanges) : null,
      merged.conflicts.length ? make("h2", {}, say("both")) : null,
      ...merged.conflicts.map((each, at) => sides(each, at, choices)),
    ].filter(Boolean),
    foot: [drop, make("span", { class: "grow" }), make("button", { type: "button", onclick: () => dialog.close() }, say("cancel")), top],
  });
}

function sides({ id, path, mine, theirs }, at, choices) {
  choices.set(id, "mine");
  const side = (whose, value) => {
    const radio = make("input", { type: "radio", name: `conflict-${at}`, value: whose, onchange: () => choices.set(id, whose) });
    radio.checked = whose === "mine";
    return make("label", { class: "side-choice" }, radio, make("strong", {}, say(whose)), shown(path, value));
  };
  return make("fieldset", {}, make("legend", {}, path.slice(path[0] === "models" || path[0] === "custom_models" ? 1 : 0).join(" › ")), side("mine", mine), side("theirs", theirs));
}

const LARGEST_FILE = 4 * 1024 * 1024;

/** A models.yaml from this computer becomes unsaved changes; what the gateway warns of comes back, null if that fails. */
export async function importFile(state, file) {
  try {
    if (file.size > LARGEST_FILE) throw new Error(say("too_large"));
    const response = await ask(`${CONFIG}/import`, { method: "POST", body: await file.text(), headers: { "Content-Type": "text/yaml" } });
    const { config: read, warnings } = await response.json();
    // Beside what the file here says, the order of two keys for one bot could become another.
    const { config, dropped } = withoutDuplicates(read);
    state.replace(config);
    toast(say("imported", { n: diff(state.base, state.config).length }));
    return [...(warnings ?? []), ...dropped.map((name) => say("dropped", { name }))];
  } catch (error) {
    toast(say("not_imported", { why: error.message }), { bad: true });
    return null;
  }
}

/** Asks for a bot that Poe does not list. `isTaken(name)` knows the names that there are. */
export function addModel(state, isTaken) {
  const id = make("input", { type: "text", required: true, autocapitalize: "none", spellcheck: "false", autocomplete: "off", maxlength: "200" });
  const owner = make("input", { type: "text", autocomplete: "off", maxlength: "200" });
  id.addEventListener("input", () => id.setCustomValidity(isTaken(id.value) ? say("add_taken") : id.value.trim() ? "" : say("add_id")));
  const form = make("form", { method: "dialog", id: "add-form" },
    make("p", { class: "dim" }, say("add_is")),
    make("label", { class: "field" }, make("span", {}, say("add_id")), id),
    make("label", { class: "field" }, make("span", {}, say("add_owner")), owner));
  form.addEventListener("submit", () => {
    const custom = { id: id.value.trim(), ...(owner.value.trim() ? { owned_by: owner.value.trim() } : {}) };
    state.edit((draft) => {
      const others = Array.isArray(draft.custom_models) ? draft.custom_models : [];
      draft.custom_models = [...others.filter((each) => fold(each?.id ?? "") !== fold(custom.id)), custom];
    });
  });
  const foot = [make("button", { type: "button", onclick: () => dialog.close() }, say("cancel")), make("button", { form: "add-form", class: "primary" }, say("add_it"))];
  const { dialog } = openDialog({ title: say("add"), body: [form], foot });
  id.focus();
}

