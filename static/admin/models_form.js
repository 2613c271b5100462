// A bot's parameters as a form, made from the JSON schemas in its entry in Poe's list.

import { make, say } from "./common.js";
import { choose, complain, field } from "./models_dialog.js";
import { same } from "./models_state.js";

const UNSET = undefined;
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** A parameter's field. `onset(value)` is told of what is chosen, undefined where it is not to be set. */
export function parameterField({ name, schema, default_value: preset, description }, value, onset) {
  const shape = isObject(schema) ? schema : {};
  const control = controlFor(shape, value, preset, onset);
  const help = [description, range(shape)];
  return field(name, control, help.filter((each) => typeof each === "string" && each).join(" · "));
}

/** Parameters that the bot does not declare, all in one field. */
export function otherParameters(given, onset) {
  const control = jsonControl(Object.keys(given).length ? given : UNSET, "", (value) => onset(value ?? {}), isObject);
  return field(say("parameters_other"), control);
}

function controlFor(shape, value, preset, onset) {
  if (Array.isArray(shape.enum)) return enumControl(shape.enum, value, preset, onset);
  if (shape.type === "boolean" && (value === UNSET || typeof value === "boolean")) {
    return enumControl([true, false], value, preset, onset);
  }
  if ((shape.type === "number" || shape.type === "integer") && (value === UNSET || typeof value === "number")) {
    return numberControl(shape, value, preset, onset);
  }
  if (shape.type === "string" && (value === UNSET || typeof value === "string")) return textControl(value, preset, onset);
  return jsonControl(value, preset, onset);
}

function enumControl(values, value, preset, onset) {
  const unset = preset === undefined || preset === null || preset === "" ? say("unset") : say("unset_default", { value: told(preset) });
  // What the file holds stays, though the bot does not declare it.
  const all = value === UNSET || values.some((each) => same(each, value)) ? values : [...values, value];
  const chosen = value === UNSET ? UNSET : all.find((each) => same(each, value));
  return choose([[UNSET, unset], ...all.map((each) => [each, told(each)])], chosen, onset);
}

function numberControl({ type, minimum, maximum }, value, preset, onset) {
  const control = make("input", {
    type: "number", step: type === "integer" ? "1" : "any", inputmode: "decimal",
    min: bound(minimum), max: bound(maximum), placeholder: told(preset), value: value === UNSET ? "" : String(value),
  });
  control.addEventListener("change", () => {
    const isFine = control.validity.valid;
    complain(control, isFine ? "" : say("bad_number"));
    if (isFine) onset(control.value === "" ? UNSET : control.valueAsNumber);
  });
  return control;
}

function textControl(value, preset, onset) {
  const isLong = `${value ?? ""}${preset ?? ""}`.includes("\n") || (value ?? "").length > 80;
  const control = isLong ? make("textarea", { rows: "4", placeholder: told(preset) }, value ?? "") : make("input", { type: "text", placeholder: told(preset), value: value ?? "" });
  control.addEventListener("change", () => onset(control.value === "" ? UNSET : control.value));
  return control;
}

function jsonControl(value, preset, onset, fits = () => true) {
  const text = value === UNSET ? "" : JSON.stringify(value, null, 2);
  const control = make("textarea", { class: "mono", rows: String(Math.min(10, Math.max(2, text.split("\n").length))), placeholder: preset === undefined ? "" : told(preset), spellcheck: "false" }, text);
  control.addEventListener("change", () => {
    let meant = UNSET;
    try {
      if (control.value.trim()) meant = JSON.parse(control.value);
      if (meant !== UNSET && !fits(meant)) throw new SyntaxError();
    } catch {
      complain(control, say("bad_json"));
      return;
    }
    complain(control, "");
    onset(meant);
  });
  return control;
}

const bound = (value) => (typeof value === "number" ? String(value) : undefined);

function range({ minimum, maximum }) {
  return typeof minimum === "number" && typeof maximum === "number" ? say("between", { minimum, maximum }) : "";
}

function told(value) {
  if (value === true) return say("yes");
  if (value === false) return say("no");
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}
