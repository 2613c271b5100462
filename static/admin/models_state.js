// models.yaml as an object that is edited: what changed, undo, and how two people's changes come together. Nothing in
// here knows of the page.

const MOST_STEPS = 200;
const DEFAULTS = { enable: true, replace_response: false, single_message: false };
const WORDS = { true: true, yes: true, on: true, 1: true, y: true, t: true, false: false, no: false, off: false, 0: false, n: false, f: false };

/** Names are the same that differ in case, or in blanks around them, alone. */
export const fold = (name) => String(name).trim().toLowerCase();

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const copy = (value) => (value === undefined ? undefined : structuredClone(value));

/** Whether two JSON values say the same, in whatever order their keys stand. */
export function same(one, other) {
  if (Object.is(one, other)) return true;
  if (Array.isArray(one)) return Array.isArray(other) && one.length === other.length && one.every((item, at) => same(item, other[at]));
  if (!isObject(one) || !isObject(other)) return false;
  const keys = Object.keys(one);
  return keys.length === Object.keys(other).length && keys.every((key) => Object.hasOwn(other, key) && same(one[key], other[key]));
}

/** A flag as the file has it: a bool, or a word such as `yes`. */
export function flag(value, otherwise) {
  if (typeof value === "boolean") return value;
  return WORDS[fold(value)] ?? otherwise;
}

/** A bot's aliases, however the file writes them. */
export function aliases(settings) {
  const { mapping } = settings;
  return (Array.isArray(mapping) ? mapping : [mapping]).filter((name) => typeof name === "string" && name.trim()).map((name) => name.trim());
}

/** "a, b" as aliases; none is there twice. */
export function splitAliases(text) {
  const names = text.split(/[,，、\n]/).map((name) => name.trim()).filter(Boolean);
  return names.filter((name, at) => names.findIndex((other) => fold(other) === fold(name)) === at);
}

/** The key under which the file speaks of a bot: its id or its display name in any case; null where it does not. */
export function keyOf(config, ...names) {
  const keys = isObject(config.models) ? Object.keys(config.models) : [];
  for (const name of names) {
    const key = keys.find((each) => fold(each) === fold(name));
    if (key !== undefined) return key;
  }
  return null;
}

export function settingsOf(config, key) {
  const settings = key === null ? null : config.models[key];
  return isObject(settings) ? settings : {};
}

/** Says nothing of a bot any more: what a later key in another case says was never read, and is not to be read now. */
export function forget(config, name) {
  for (const key of Object.keys(config.models ?? {})) if (fold(key) === fold(name)) delete config.models[key];
}

/** `config` with each bot once, by the first key that names it, as the gateway reads it; `dropped` are the others' names. */
export function withoutDuplicates(config) {
  const dropped = [];
  const isFirst = firsts((name) => dropped.push(name));
  const kept = copy(config);
  if (isObject(kept.models)) for (const key of Object.keys(kept.models)) if (!isFirst(key)) delete kept.models[key];
  const isFirstCustom = firsts((name) => dropped.push(name));
  if (Array.isArray(kept.custom_models)) kept.custom_models = kept.custom_models.filter((each) => !each?.id || isFirstCustom(each.id));
  return { config: kept, dropped };
}

/** Whether a name is there for the first time, in whatever case. */
function firsts(onlater = () => {}) {
  const seen = new Set();
  return (name) => {
    const isFirst = !seen.has(fold(name));
    seen.add(fold(name));
    if (!isFirst) onlater(name);
    return isFirst;
  };
}

/** What the settings of `field` mean, so that two ways to write one thing are the same. */
function meaning(field, value) {
  if (field in DEFAULTS) return flag(value, DEFAULTS[field]);
  if (field === "mapping") return aliases({ mapping: value });
  if (value === null || value === "" || (isObject(value) && !Object.keys(value).length)) return undefined;
  return value;
}

const isNothing = (field, value) => {
  const meant = meaning(field, value);
  return meant === undefined || meant === DEFAULTS[field] || (field === "mapping" && !meant.length);
};

/**
 * Sets one field of a bot in `config`. What comes back to what `base` says is written as it was written there; what
 * says nothing is left out, and so is a bot of which nothing is said.
 */
export function setField(config, base, key, field, value) {
  const models = (config.models ??= {});
  const settings = isObject(models[key]) ? models[key] : {};
  const before = settingsOf(base, keyOf(base, key));
  if (Object.hasOwn(before, field) && same(meaning(field, before[field]), meaning(field, value))) settings[field] = copy(before[field]);
  else if (isNothing(field, value)) delete settings[field];
  else if (field === "mapping") settings.mapping = value.length === 1 ? value[0] : copy(value);
  else settings[field] = copy(value);
  if (Object.keys(settings).length) models[key] = settings;
  else forget(config, key);
}

const customs = (config) => (Array.isArray(config.custom_models) ? config.custom_models.filter((each) => isObject(each) && each.id) : []);

/** Every value that counts in a config, with its path; aliases, custom models and each parameter are one value. */
function leaves(config) {
  const found = new Map();
  const add = (path, value, as = path) => found.set(JSON.stringify(as), { path, value });
  for (const [top, value] of Object.entries(config)) {
    if (top === "models" && isObject(value)) {
      const isFirst = firsts();
      for (const [bot, settings] of Object.entries(value)) {
        if (!isFirst(bot)) continue;
        if (!isObject(settings)) {
          if (settings !== null) add([top, bot], settings, [top, fold(bot)]);
          continue;
        }
        for (const [field, said] of Object.entries(settings)) {
          if (field !== "parameters" || !isObject(said)) add([top, bot, field], said, [top, fold(bot), field]);
          else for (const [name, given] of Object.entries(said)) add([top, bot, field, name], given, [top, fold(bot), field, name]);
        }
      }
    } else if (top === "custom_models") {
      const isFirst = firsts();
      for (const custom of customs(config)) if (isFirst(custom.id)) add([top, custom.id], custom, [top, fold(custom.id)]);
    } else add([top], value);
  }
  return found;
}

/** What leads from one config to another: `{id, path, before, after}`, undefined where there is nothing. */
export function diff(from, to) {
  const old = leaves(from);
  const now = leaves(to);
  const changes = [];
  for (const [id, { path, value }] of now) {
    if (!same(old.get(id)?.value, value)) changes.push({ id, path, before: old.get(id)?.value, after: value });
  }
  for (const [id, { path, value }] of old) {
    if (!now.has(id)) changes.push({ id, path, before: value, after: undefined });
  }
  return changes;
}

/** Puts one change into `config`. */
export function apply(config, { path, after }) {
  const [top, name, field, parameter] = path;
  if (top === "custom_models" && path.length === 2) {
    const kept = (Array.isArray(config.custom_models) ? config.custom_models : []).map((each) => (fold(each?.id) === fold(name) && after !== undefined ? copy(after) : each));
    if (after === undefined) config.custom_models = kept.filter((each) => fold(each?.id) !== fold(name));
    else config.custom_models = customs({ custom_models: kept }).some((each) => fold(each.id) === fold(name)) ? kept : [...kept, copy(after)];
  } else if (top === "models" && path.length > 1) {
    const models = (config.models ??= {});
    const key = keyOf(config, name) ?? name;
    if (path.length === 2) return after === undefined ? forget(config, key) : put(models, key, after);
    const settings = isObject(models[key]) ? models[key] : (models[key] = {});
    if (path.length === 4) {
      const parameters = isObject(settings.parameters) ? settings.parameters : (settings.parameters = {});
      put(parameters, parameter, after);
      if (!Object.keys(parameters).length) delete settings.parameters;
    } else put(settings, field, after);
    if (!Object.keys(settings).length) forget(config, key);
  } else put(config, top, after);
}

function put(place, key, value) {
  if (value === undefined) delete place[key];
  else place[key] = copy(value);
}

/**
 * Two people's changes to one `base`: what they changed, what I changed, and what both did, each in their own way.
 * `result(choices)` is theirs with mine on top; in a conflict `choices.get(id)` is "mine" or "theirs".
 */
export function merge(base, mine, theirs) {
  const theirChanges = diff(base, theirs);
  const myChanges = diff(base, mine);
  const theirsById = new Map(theirChanges.map((change) => [change.id, change]));
  const conflicts = myChanges
    .filter((change) => theirsById.has(change.id) && !same(theirsById.get(change.id).after, change.after))
    .map((change) => ({ id: change.id, path: change.path, before: change.before, mine: change.after, theirs: theirsById.get(change.id).after }));
  const inConflict = new Set(conflicts.map(({ id }) => id));
  const result = (choices = new Map()) => {
    const merged = copy(theirs);
    for (const change of myChanges) {
      if (!inConflict.has(change.id) || (choices.get(change.id) ?? "mine") === "mine") apply(merged, change);
    }
    return merged;
  };
  return { theirChanges, myChanges, conflicts, result };
}

/** models.yaml as it is saved (`base`, with its `etag`) and as it is on the page (`config`); `onchange` hears of every step. */
export class State {
  #undone = [];
  #done = [];
  #typing = "";

  constructor(config, etag, onchange = () => {}) {
    Object.assign(this, { base: copy(config), config: copy(config), etag, onchange });
  }

  get changes() {
    return diff(this.base, this.config);
  }

  get canUndo() {
    return this.#done.length > 0;
  }

  get canRedo() {
    return this.#undone.length > 0;
  }

  /**
   * One step that can be undone: `change` edits the config it is given. Whether anything came of it. What is typed into
   * one field comes letter by letter, each with the same `typing`, and is one step.
   */
  edit(change, typing = "") {
    const next = copy(this.config);
    change(next, this.base);
    if (same(next, this.config)) return false;
    if (!typing || typing !== this.#typing) this.#done.push(this.config);
    this.#typing = typing;
    if (this.#done.length > MOST_STEPS) this.#done.shift();
    this.#undone = [];
    this.config = next;
    this.onchange();
    return true;
  }

  replace(config) {
    return this.edit((draft) => {
      for (const key of Object.keys(draft)) delete draft[key];
      Object.assign(draft, copy(config));
    });
  }

  /** Fields of several bots in one step: `bots` are lists of the names of each, `value` undefined unsets. */
  setFields(bots, field, value, typing = "") {
    return this.edit((draft, base) => {
      for (const names of bots) setField(draft, base, keyOf(draft, ...names) ?? keyOf(base, ...names) ?? names[0], field, value);
    }, typing);
  }

  /** Nothing is said of these bots any more. */
  reset(bots) {
    return this.edit((draft) => {
      for (const names of bots) {
        for (const name of names) forget(draft, name);
      }
    });
  }

  undo() {
    return this.#step(this.#done, this.#undone);
  }

  redo() {
    return this.#step(this.#undone, this.#done);
  }

  /** The field that was typed into is left: what comes is another step. */
  typed() {
    this.#typing = "";
  }

  #step(from, to) {
    this.typed();
    if (!from.length) return false;
    to.push(this.config);
    this.config = from.pop();
    this.onchange();
    return true;
  }

  /** `sent` is saved now as `config`; what was edited while it was on its way stays an unsaved change. */
  saved(sent, config, etag) {
    const rest = merge(sent, this.config, config).result();
    this.#start(config, rest, etag);
  }

  /** Another's config is what is saved, and `mine` what this page makes of it. */
  rebase(theirs, mine, etag) {
    this.#start(theirs, mine, etag);
  }

  #start(base, config, etag) {
    Object.assign(this, { base: copy(base), config: copy(config), etag });
    this.#done = [];
    this.#undone = [];
    this.typed();
    this.onchange();
  }
}
