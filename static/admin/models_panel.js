// One model beside the table: all that models.yaml can say of it, and what Poe says. Each field counts at once, as an
// unsaved change that can be undone.

import { make, numbers, say, toast, words } from "./common.js";
import { allow, choose, field, openDialog } from "./models_dialog.js";
import { otherParameters, parameterField } from "./models_form.js";
import { aliases, flag, fold, forget, keyOf, same, settingsOf, splitAliases } from "./models_state.js";

const KNOWN = ["mapping", "enable", "replace_response", "parameters", "system_prompt", "tools_mode", "tool_history", "single_message", "attach_last_files"];
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

export class Panel {
  #open = null;
  #editing = false;

  /**
   * `state()` is the state, `details(row)` a promise of Poe's entry or null, `find(id)` a row that is in the table,
   * `search` what has the focus where there is none.
   */
  constructor({ state, details, find, search }) {
    Object.assign(this, { state, details, find, search });
  }

  async show(row) {
    const foot = [make("button", { type: "button", class: "danger", onclick: () => this.#reset(row) }, say("reset"))];
    if (row.custom) foot.unshift(make("button", { type: "button", class: "danger", onclick: () => this.#remove(row) }, say("remove")));
    const undo = make("button", { type: "button", onclick: () => this.state().undo() }, say("undo"));
    foot.push(make("span", { class: "grow" }), undo, make("button", { type: "button", onclick: () => opened.leave() }, say("close")));
    const opened = openDialog({ title: row.name, side: true, foot, mayClose: () => this.#mayClose(), onclose: () => this.#closed(opened, row) });
    this.#open = { ...opened, undo, row, entry: null, isThere: !row.listed, problem: "", told: false, shown: null };
    this.refresh();
    try {
      const entry = await this.details(row);
      if (this.#open?.dialog === opened.dialog) Object.assign(this.#open, { entry, isThere: true });
    } catch (error) {
      if (this.#open?.dialog === opened.dialog) this.#open.problem = say("details_gone", { why: error.message });
    }
    if (this.#open?.dialog === opened.dialog && this.#open.row.listed) this.#fillParts(["parameters", "facts"]);
  }

  /** The state changed: by a field in here, which knows, or by undoing, which does not. */
  refresh() {
    if (!this.#open) return;
    allow(this.#open.undo, this.state().canUndo);
    if (this.#editing) return;
    if (!this.find(this.#open.row.id)) this.#drop();
    else if (!same(this.#open.shown, this.#settings())) this.#fill();
  }

  /** The model is gone, and with it what is being typed of it. */
  #drop() {
    const { dialog } = this.#open;
    this.#open = null;
    dialog.close();
  }

  /** What could not be taken over is shown once more before it is lost. */
  #mayClose() {
    const wrong = this.#open?.place.querySelector("[aria-invalid=true]");
    if (!wrong || this.#open.told) return true;
    this.#open.told = true;
    wrong.focus();
    return false;
  }

  #closed(opened, row) {
    const isDropped = this.#open?.dialog !== opened.dialog;
    if (!isDropped && !this.#open.told) {
      for (const wrong of opened.place.querySelectorAll("[aria-invalid=true]")) toast(say("not_taken", { name: wrong.closest(".field").querySelector("label").textContent, text: wrong.value }), { bad: true });
    }
    if (!isDropped) this.#open = null;
    (this.find(row.id)?.tr.querySelector(".open") ?? this.search).focus({ preventScroll: true });
  }

  #settings() {
    if (!this.#open) return {};
    const { config } = this.state();
    return settingsOf(config, keyOf(config, ...this.#open.row.bot));
  }

  #set(name, value) {
    if (!this.#open) return;
    this.#editing = true;
    this.state().setFields([this.#open.row.bot], name, value);
    this.#editing = false;
    Object.assign(this.#open, { shown: this.#settings(), told: false });
  }

  #reset(row) {
    this.state().reset([row.bot]);
    this.#open?.place.querySelector("input")?.focus();
  }

  #remove(row) {
    const { dialog } = this.#open;
    this.state().edit((draft) => {
      draft.custom_models = draft.custom_models.filter((each) => fold(each?.id ?? "") !== fold(row.id));
      if (!row.listed) forget(draft, row.id);
    });
    dialog.close();
  }

  #fill() {
    const { place } = this.#open;
    const at = controlsOf(place).indexOf(document.activeElement);
    this.#open.shown = this.#settings();
    const parts = ["origin", "settings", "parameters", "facts"].map((name) => make("section", { "data-part": name }));
    place.replaceChildren(...parts);
    this.#fillParts(["origin", "settings", "parameters", "facts"]);
    if (at >= 0) controlsOf(place)[at]?.focus();
  }

  #fillParts(names) {
    const made = { origin: () => this.#origin(), settings: () => this.#fields(), parameters: () => this.#parameters(), facts: () => this.#facts() };
    for (const name of names) this.#open.place.querySelector(`[data-part="${name}"]`).replaceChildren(...made[name]().filter(Boolean));
  }

  #origin() {
    const { row } = this.#open;
    const tile = row.tr.querySelector(".tile").cloneNode(true);
    const link = make("a", { href: `https://poe.com/${encodeURIComponent(row.name)}`, target: "_blank", rel: "noopener noreferrer" }, say("on_poe"));
    return [make("div", { class: "who" }, tile, make("div", { class: "grow" }, make("code", { class: "cut" }, row.id), make("small", {}, row.tr.querySelector(".who small").firstChild.data)), link)];
  }

  #fields() {
    const said = this.#settings();
    const names = make("input", { type: "text", value: aliases(said).join(", "), placeholder: say("as_it_is"), spellcheck: "false", autocapitalize: "none", autocomplete: "off" });
    names.addEventListener("change", () => {
      this.#set("mapping", splitAliases(names.value));
      names.value = aliases(this.#settings()).join(", ");
    });
    const prompt = make("textarea", { rows: "3" }, typeof said.system_prompt === "string" ? said.system_prompt : "");
    prompt.addEventListener("change", () => this.#set("system_prompt", prompt.value.trim() ? prompt.value : undefined));
    return [
      field(say("names"), names),
      this.#switch("enable", true, say("shown"), say("shown_is")),
      this.#switch("replace_response", false, say("replace_response"), say("replace_response_is")),
      this.#switch("single_message", false, say("single_message"), say("single_message_is")),
      make("div", { class: "pair" },
        this.#choice("tools_mode", say("tools_mode"), ["auto", "native", "xml"]),
        this.#choice("tool_history", say("tool_history"), ["auto", "native", "text"])),
      this.#attaching(said.attach_last_files),
      field(say("system_prompt"), prompt),
    ];
  }

  #switch(name, otherwise, label, help) {
    const control = make("input", { type: "checkbox", class: "switch", role: "switch" });
    control.checked = flag(this.#settings()[name], otherwise);
    control.addEventListener("change", () => this.#set(name, control.checked));
    return field(label, control, help);
  }

  #choice(name, label, values) {
    const said = this.#settings()[name] ?? undefined;
    const word = typeof said === "string" ? said.trim().toLowerCase() : said;
    return field(label, choose([[undefined, say("unset_mode")], ...values.map((value) => [value, value])], word, (value) => this.#set(name, value)));
  }

  #attaching(said) {
    const choices = [[undefined, say("unset_files")], [true, say("yes")], [false, say("no")]];
    return field(say("attach_last_files"), choose(choices, flag(said ?? undefined, undefined), (value) => this.#set("attach_last_files", value)));
  }

  #given() {
    const { parameters } = this.#settings();
    return isObject(parameters) ? parameters : {};
  }

  #parameters() {
    const { entry, isThere, problem } = this.#open;
    const declared = (Array.isArray(entry?.parameters) ? entry.parameters : []).filter((each) => typeof each?.name === "string");
    const given = this.#given();
    const names = new Set(declared.map(({ name }) => name));
    const others = Object.fromEntries(Object.entries(given).filter(([name]) => !names.has(name)));
    const set = (name, value) => {
      const { [name]: _, ...rest } = this.#given();
      this.#set("parameters", value === undefined ? rest : { ...this.#given(), [name]: value });
    };
    const setOthers = (values) => {
      const kept = Object.entries(this.#given()).filter(([name]) => names.has(name));
      this.#set("parameters", { ...Object.fromEntries(kept), ...values });
    };
    return [
      make("h2", {}, say("parameters")),
      isThere || problem ? make("p", { class: "dim" }, declared.length || !entry ? say("parameters_are") : say("parameters_none")) : make("p", { class: "dim", role: "status" }, say("loading")),
      ...declared.map((each) => parameterField(each, given[each.name], (value) => set(each.name, value))),
      isThere || problem ? otherParameters(others, setOthers) : null,
      this.#further(),
    ];
  }

  #further() {
    const unknown = Object.entries(this.#settings()).filter(([name]) => !KNOWN.includes(name));
    if (!unknown.length) return null;
    return make("div", { class: "field" }, make("span", { class: "label" }, say("further")), make("pre", {}, JSON.stringify(Object.fromEntries(unknown), null, 2)));
  }

  #facts() {
    const { entry, problem } = this.#open;
    if (problem) return [make("p", { class: "notice warn", role: "status" }, problem)];
    if (!entry) return [];
    const { input_modalities: takes, output_modalities: makes } = entry.architecture ?? {};
    const kinds = (value) => (Array.isArray(value) ? value.map((kind) => say(`kind_${kind}`).replace(/^kind_/, "")).join(", ") : "");
    const facts = [
      ["takes", kinds(takes)], ["kind", kinds(makes)],
      ["context", count(entry.context_length)], ["output_limit", count(entry.context_window?.max_output_tokens)],
      ["price_all", prices(entry.pricing)],
      ["features", Array.isArray(entry.supported_features) ? entry.supported_features.join(", ") : ""],
    ].filter(([, text]) => text);
    return [
      typeof entry.description === "string" && entry.description.trim() ? make("h2", {}, say("description")) : null,
      typeof entry.description === "string" ? make("p", { class: "description" }, entry.description.trim()) : null,
      make("dl", {}, facts.map(([name, text]) => make("div", {}, make("dt", {}, say(name)), make("dd", {}, text)))),
    ];
  }
}

const controlsOf = (place) => [...place.querySelectorAll("a, input, select, textarea")];
const PER_PIECE = ["request", "image"];
const count = (value) => (typeof value === "number" ? numbers.format(value) : "");

/** All of Poe's prices: for a million tokens, for an image, for a request. */
function prices(pricing) {
  if (!isObject(pricing)) return "";
  const known = Object.entries(pricing).filter(([name, value]) => words[`price_${name}`] && value !== null && Number.isFinite(Number(value)));
  return known.map(([name, value]) => say(`price_${name}`, { price: PER_PIECE.includes(name) ? Number(value) : Number((Number(value) * 1e6).toPrecision(6)) })).join(" · ");
}
