// One row of the table of models, what the search and the order go by, and where models.yaml speaks of it.

import { make } from "./common.js";
import { fold, splitAliases } from "./models_state.js";

export const KINDS = ["text", "image", "video", "audio"];
export const STATES = ["changed", "hidden", "mapped", "custom"];
// The other settings of a bot are named below it.
export const IN_COLUMNS = ["mapping", "enable", "tools_mode"];
const NOTHING = Object.freeze({});
const collator = new Intl.Collator(document.documentElement.lang, { numeric: true, sensitivity: "base" });

/** One bot and its row in the document. */
export class Row {
  constructor(tr, order) {
    const { id, name, owner, kinds, context, price, tools, listed } = tr.dataset;
    Object.assign(this, { tr, order, id, name, owner, tools, listed: listed !== undefined, kinds: kinds ? kinds.split(" ") : [] });
    this.context = context ? Number(context) : null;
    this.price = price ? Number(price) : null;
    [this.box, this.alias, this.switch] = [".pick input", ".alias", ".switch"].map((part) => tr.querySelector(part));
    this.also = make("span", { class: "also" });
    tr.querySelector(".who small").append(this.also);
    this.toolsTag = tr.querySelector(".tools span");
    this.description = "";
    this.settings = NOTHING;
    this.names = splitAliases(this.alias.value);
    const hidden = tr.classList.contains("off");
    this.is = { changed: hidden || this.names.length > 0, hidden, mapped: this.names.length > 0, custom: !this.listed };
    this.index();
  }

  /** What the search looks through. */
  index() {
    this.label = [this.name, this.id, this.owner, ...this.names].join("\n").toLowerCase();
    this.text = `${this.label}\n${this.description.toLowerCase()}`;
  }

  get bot() {
    return this.name && this.name !== this.id ? [this.id, this.name] : [this.id];
  }
}

const ORDERS = {
  "": (row) => row.order,
  name: (row) => row.name,
  alias: (row) => row.names.join(", "),
  kind: (row) => row.kinds.map((kind) => KINDS.indexOf(kind)).join(""),
  context: (row) => row.context,
  price: (row) => row.price,
  tools: (row) => row.toolsTag.textContent,
  shown: (row) => Number(row.is.hidden ?? false),
};

/** Sorted by a column; what says nothing there is last in either direction. */
export function inOrder(rows, { key, down }) {
  const sign = down ? -1 : 1;
  const keyed = rows.map((row) => [row, ORDERS[key](row)]);
  keyed.sort(([one, a], [other, b]) => {
    const isVoid = (a === null || a === "") - (b === null || b === "");
    if (isVoid) return isVoid;
    return (typeof a === "string" ? collator.compare(a, b) : a - b) * sign || one.order - other.order;
  });
  return keyed.map(([row]) => row);
}

/** A config by folded names: of two keys for one bot the first counts. */
export function byName(config) {
  const settings = new Map();
  const names = new Map();
  for (const [key, value] of Object.entries(config.models ?? {})) {
    if (names.has(fold(key))) continue;
    names.set(fold(key), key);
    settings.set(fold(key), value ?? NOTHING);
  }
  const customs = new Map();
  for (const custom of config.custom_models ?? []) if (custom?.id && !customs.has(fold(custom.id))) customs.set(fold(custom.id), custom);
  const find = (row) => settings.get(fold(row.id)) ?? settings.get(fold(row.name)) ?? NOTHING;
  return { settings, names, customs, find };
}
