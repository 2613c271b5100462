// The settings beside the conversation, and the fields of a request that they make.

import { askJson, make, numbers, say, short, toast } from "./common.js";

const EFFORTS = ["none", "minimal", "low", "medium", "high", "xhigh"];
// The panel has these for every model.
const COMMON = new Set(["temperature", "max_tokens", "max_output_tokens", "max_completion_tokens", "reasoning_effort"]);
const PLAIN_FIELDS = ["model", "system", "temperature", "max_tokens", "effort", "tools", "extra"];
const SWITCHES = ["stream", "json"];
const EXAMPLE = [{
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather in a city.",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
}];

/** A setting that cannot be sent; `field` is where it stands. */
export class Unusable extends Error {
  constructor(message, field) {
    super(message);
    this.field = field;
  }
}

const at = (id) => document.getElementById(id);

export class Settings {
  constructor(changed) {
    this.changed = changed;
    this.models = new Map();
    this.own = new Map(); // a model → what is set of its own parameters, by name
    this.wantedEffort = ""; // what was chosen, though a model may not know it
    at("options").addEventListener("submit", (event) => event.preventDefault());
    at("model").addEventListener("input", () => {
      at("model").removeAttribute("aria-invalid");
      this.showModel();
      changed();
    });
    at("options").addEventListener("input", (event) => {
      event.target.removeAttribute("aria-invalid");
      changed();
    });
    at("effort").addEventListener("input", () => { this.wantedEffort = at("effort").value; });
    at("example").addEventListener("click", () => {
      at("tools").value = JSON.stringify(EXAMPLE, null, 2);
      at("tools").removeAttribute("aria-invalid");
      changed();
    });
  }

  async load() {
    try {
      const { models } = await askJson("/admin/api/playground/models");
      this.models = new Map(models.map((model) => [model.id, model]));
    } catch {
      toast(say("models_missing"), { bad: true });
    }
    const options = [...this.models.values()].map((model) => (
      make("option", { value: model.id, label: [model.name, say(`kind_${model.kind}`)].join(" · ") })
    ));
    at("model-names").replaceChildren(...options);
    this.showModel();
  }

  get model() {
    return at("model").value.trim();
  }

  get key() {
    return at("key")?.value.trim() ?? "";
  }

  get system() {
    return at("system").value;
  }

  /** The fields of a request but for its messages. Throws `Unusable`. */
  fields() {
    if (!this.model) throw new Unusable(say("no_model"), at("model"));
    const fields = { model: this.model };
    if (at("stream").checked) Object.assign(fields, { stream: true, stream_options: { include_usage: true } });
    for (const name of ["temperature", "max_tokens"]) {
      const value = numberOf(at(name));
      if (value !== undefined) fields[name] = value;
    }
    if (at("effort").value) fields.reasoning_effort = at("effort").value;
    if (at("json").checked) fields.response_format = { type: "json_object" };
    const tools = jsonOf(at("tools"));
    if (tools !== undefined && !Array.isArray(tools)) throw new Unusable(say("bad_tools"), at("tools"));
    if (tools?.length) fields.tools = tools;
    for (const field of at("own").querySelectorAll("[data-parameter]")) {
      const value = ownValue(field);
      if (value !== undefined) fields[field.dataset.parameter] = value;
    }
    const extra = jsonOf(at("extra"));
    if (extra !== undefined && (typeof extra !== "object" || extra === null || Array.isArray(extra))) throw new Unusable(say("bad_extra"), at("extra"));
    return { ...fields, ...extra };
  }

  /** All but the key. */
  kept() {
    const kept = { own: Object.fromEntries(this.own) };
    for (const name of PLAIN_FIELDS) kept[name] = at(name).value;
    for (const name of SWITCHES) kept[name] = at(name).checked;
    return { ...kept, effort: this.wantedEffort };
  }

  restore(kept) {
    for (const name of PLAIN_FIELDS) if (typeof kept[name] === "string" && name !== "effort") at(name).value = kept[name];
    for (const name of SWITCHES) if (typeof kept[name] === "boolean") at(name).checked = kept[name];
    this.own = new Map(Object.entries(kept.own ?? {}));
    this.wantedEffort = kept.effort ?? "";
    this.showModel();
  }

  showModel() {
    const model = this.models.get(this.model);
    at("about").replaceChildren(...about(model, this.models.size > 0 && this.model));
    const declared = model?.parameters ?? [];
    const effort = declared.find((one) => one.name === "reasoning_effort")?.schema.enum;
    const efforts = Array.isArray(effort) ? effort.filter((one) => typeof one === "string") : EFFORTS;
    at("effort").replaceChildren(
      make("option", { value: "" }, say("unset")),
      ...efforts.map((one) => make("option", { value: one, selected: one === this.wantedEffort }, one)),
    );
    this.showOwn(declared.filter((one) => !COMMON.has(one.name)));
  }

  showOwn(parameters) {
    const { model } = this;
    const values = this.own.get(model) ?? {};
    // Only for a model that something is set of: each half of a name passes here while it is typed.
    const set = (name, value) => {
      values[name] = value;
      this.own.set(model, values);
    };
    at("own").replaceChildren(...parameters.length ? [
      make("h2", {}, say("own", { model })),
      ...parameters.map((one) => ownField(one, values[one.name] ?? "", (value) => set(one.name, value))),
    ] : []);
  }
}

function about(model, asked) {
  if (!model) return asked ? [say("unlisted")] : [];
  const tags = [say(`kind_${model.kind}`), model.takes.includes("image") && say("sees"), model.tools && say("native_tools")];
  if (model.context) tags.push(say("context", { n: short.format(model.context) }));
  return tags.filter(Boolean).map((tag) => make("span", { class: "tag" }, tag));
}

/** An input for a parameter, by its JSON schema; nothing chosen means that the bot decides. */
function ownField({ name, schema, description, default_value: said = schema.default }, value, set) {
  const id = `own-${name}`;
  const shared = { id, "data-parameter": name };
  const type = Array.isArray(schema.type) ? schema.type.find((one) => one !== "null") : schema.type;
  const unset = said === undefined || said === null ? say("unset") : `${say("unset")}: ${said === true ? say("yes") : said === false ? say("no") : typeof said === "string" ? said : JSON.stringify(said)}`;
  const choices = Array.isArray(schema.enum) ? schema.enum.filter((one) => one !== null) : type === "boolean" ? [true, false] : null;
  let field;
  if (choices) {
    const label = (one) => (one === true ? say("yes") : one === false ? say("no") : String(one));
    field = make("select", { ...shared, "data-kind": "json" }, make("option", { value: "" }, unset), choices.map((one) => make("option", { value: JSON.stringify(one) }, label(one))));
  } else if (type === "number" || type === "integer") {
    const range = schema.minimum !== undefined && schema.maximum !== undefined ? `${numbers.format(schema.minimum)} – ${numbers.format(schema.maximum)}` : unset;
    const bound = (value) => (value === undefined ? null : String(value));
    field = make("input", { ...shared, type: "number", "data-kind": "number", min: bound(schema.minimum), max: bound(schema.maximum), step: type === "integer" ? "1" : "any", placeholder: range });
  } else if (type === "array" || type === "object") {
    field = make("textarea", { ...shared, rows: "2", class: "mono", "data-kind": "json", placeholder: type === "array" ? "[]" : "{}" });
  } else {
    field = make("input", { ...shared, type: "text", "data-kind": "text", placeholder: unset });
  }
  field.value = value;
  field.addEventListener("input", () => set(field.value));
  const told = typeof description === "string" && description.length > 2 ? description : "";
  return make("label", { class: "field", for: id, title: told || null }, make("span", { class: "mono" }, name), field, told && make("small", { class: "told" }, told));
}

function ownValue(field) {
  if (field.dataset.kind === "number") return numberOf(field);
  if (field.dataset.kind === "json") return jsonOf(field);
  return field.value || undefined;
}

function numberOf(field) {
  if (!field.value && !field.validity.badInput) return undefined;
  const { rangeUnderflow, rangeOverflow, badInput } = field.validity;
  if (rangeUnderflow || rangeOverflow || badInput) throw new Unusable(say("bad_number", { field: labelOf(field) }), field);
  return Number(field.value);
}

function jsonOf(field) {
  if (!field.value.trim()) return undefined;
  try {
    return JSON.parse(field.value);
  } catch {
    throw new Unusable(say("bad_json", { field: labelOf(field) }), field);
  }
}

const labelOf = (field) => field.labels[0]?.querySelector("span")?.textContent ?? field.labels[0]?.textContent ?? field.id;
