// Markdown within a line → DOM nodes: styles, code, links and pictures. Linear in the text, as its blocks are.

import { make } from "./common.js";
import { linkable, linked, pictured } from "./markdown_media.js";

export const MOST_NESTED = 12;

// `out` holds what is read so far; a mark that may open something stays in it as text until what closes it comes, and
// then becomes an element around all that stands behind it.

const STYLES = { "**": "strong", __: "strong", "*": "em", _: "em", "~~": "del" };
const TICKS = /`+/y;
const TARGET = /\([ \t]{0,3}<?([^\s<>()]*(?:\([^\s()]*\)[^\s<>()]*)*)>?(?:[ \t]{1,3}"[^"\n]*")?[ \t]{0,3}\)/y;
const LABEL = /\[([^[\]\n]{0,200})\]/y;
const ADDRESS = /https?:\/\/[^\s<>"`|*]+/y;
const PLAIN = /[^\\`*_~[\]!h\n]+/y;
const WORD = /[\p{L}\p{N}]/u;

export function inline(text, references) {
  const reader = new Inline(text, references);
  reader.read();
  return nodesOf(reader.out);
}

/** What is text on both sides becomes one node. */
function nodesOf(pieces) {
  const nodes = [];
  let said = [];
  for (const piece of pieces) {
    if (piece.node === undefined) {
      said.push(piece.text);
    } else {
      nodes.push(said.join(""), piece.node);
      said = [];
    }
  }
  return [...nodes, said.join("")].filter((node) => node !== "");
}

class Inline {
  constructor(text, references) {
    this.text = text;
    this.references = references;
    this.at = 0;
    this.out = [];
    this.open = new Map(); // a mark → where in `out` it stands, the innermost last
    this.ticks = null;
  }

  read() {
    const { text } = this;
    while (this.at < text.length) {
      const letter = text[this.at];
      if (letter === "\\" && /[!-/:-@[-`{-~]/.test(text[this.at + 1] ?? "")) this.say(text[this.at + 1], 2);
      else if (letter === "\n") this.put(document.createElement("br"), 0, 1);
      else if (letter === "`") this.code();
      else if (letter === "*" || letter === "_" || letter === "~") this.style(letter);
      else if (letter === "[" || (letter === "!" && text[this.at + 1] === "[")) this.bracket(letter === "!" ? "![" : "[");
      else if (letter === "]") this.close();
      else if (letter === "h" && text.startsWith("http", this.at)) this.address();
      else this.say(this.match(PLAIN)?.[0] ?? letter);
    }
  }

  match(pattern, at = this.at) {
    pattern.lastIndex = at;
    return pattern.exec(this.text);
  }

  say(said, length = said.length) {
    this.out.push({ text: said, depth: 0 });
    this.at += length;
  }

  put(node, depth, length) {
    this.out.push({ node, depth });
    this.at += length;
  }

  code() {
    this.ticks ??= ticksOf(this.text);
    const length = this.match(TICKS)[0].length;
    const places = this.ticks.get(length) ?? [];
    while (places.length && places.at(-1) < this.at + length) places.pop();
    if (!places.length) return this.say("`".repeat(length));
    const inside = this.text.slice(this.at + length, places.at(-1)).replaceAll("\n", " ");
    const trimmed = inside.length > 2 && inside.startsWith(" ") && inside.endsWith(" ") ? inside.slice(1, -1) : inside;
    this.put(make("code", {}, trimmed), 1, places.at(-1) + length - this.at);
  }

  style(letter) {
    const { text, at } = this;
    let mark = text[at + 1] === letter ? letter + letter : letter;
    // Of `***` at an end, the one mark that was opened last comes first.
    if (text[at + 2] === letter && (this.last(letter) ?? -1) > (this.last(letter + letter) ?? -1)) mark = letter;
    if (!STYLES[mark]) return this.say(mark);
    const before = text[at - 1] ?? " ";
    const after = text[at + mark.length] ?? " ";
    const inWord = letter === "_" && WORD.test(before) && WORD.test(after);
    const opener = this.last(mark);
    if (opener !== undefined && !/\s/.test(before) && !inWord && this.out.length > opener + 1) {
      this.at += mark.length;
      return this.wrap(opener, (inner) => make(STYLES[mark], {}, inner));
    }
    if (!/\s/.test(after) && !inWord) this.push(mark);
    this.say(mark);
  }

  bracket(mark) {
    this.push(mark);
    this.say(mark);
  }

  /** `](address)` and `][name]` end a link or a picture. */
  close() {
    const link = this.last("[");
    const picture = this.last("![");
    const opener = Math.max(link ?? -1, picture ?? -1);
    if (opener < 0) return this.say("]");
    const isPicture = opener === picture;
    this.open.get(isPicture ? "![" : "[").pop();
    const target = this.match(TARGET, this.at + 1);
    const named = target ? null : this.match(LABEL, this.at + 1);
    const from = target?.[1] ?? (named && this.references.get((named[1] || this.name(opener)).toLowerCase()));
    const href = from ? linkable(from) : null;
    if (!href) return this.say("]");
    this.at += 1 + (target ?? named)[0].length;
    const label = this.plain(opener);
    if (isPicture) this.wrap(opener, () => pictured(href, label));
    else this.wrap(opener, (inner) => linked(href, inner));
  }

  address() {
    const found = this.match(ADDRESS)?.[0];
    const address = withoutPunctuation(found ?? "");
    const href = linkable(address);
    if (!href || this.last("[") !== undefined) return this.say(found ? address || "h" : "h");
    this.put(linked(href, [address]), 1, address.length);
  }

  push(mark) {
    if (!this.open.has(mark)) this.open.set(mark, []);
    this.open.get(mark).push(this.out.length);
  }

  /** Where the innermost open `mark` stands; those inside of what was closed since are none any more. */
  last(mark) {
    const places = this.open.get(mark) ?? [];
    while (places.length && (places.at(-1) >= this.out.length || this.out[places.at(-1)].text !== mark)) places.pop();
    return places.at(-1);
  }

  /** What `[name][]` calls itself. */
  name(opener) {
    return this.out.length - opener < 50 ? this.plain(opener) : "";
  }

  plain(opener) {
    return this.out.slice(opener + 1).map((piece) => piece.text ?? piece.node.textContent).join("");
  }

  wrap(opener, element) {
    const inner = this.out.splice(opener);
    const depth = 1 + inner.reduce((deepest, piece) => Math.max(deepest, piece.depth), 0);
    const nodes = nodesOf(inner.slice(1));
    if (depth <= MOST_NESTED) this.out.push({ node: element(nodes), depth });
    else this.out.push({ text: inner.map((piece) => piece.text ?? piece.node.textContent).join(""), depth: 0 });
  }
}

/** Where in a text the runs of backticks are, by their length, the first one last. */
function ticksOf(text) {
  const places = new Map();
  for (const { 0: run, index } of [...text.matchAll(/`+/g)].reverse()) {
    if (!places.has(run.length)) places.set(run.length, []);
    places.get(run.length).push(index);
  }
  return places;
}

/** An address in a sentence, or in brackets, ends before these. */
function withoutPunctuation(address) {
  const hasBracket = /[([]/.test(address);
  let end = address.length;
  while (end > 0 && (".,;:!?'\"。，；：！？、）".includes(address[end - 1]) || (!hasBracket && ")]".includes(address[end - 1])))) end -= 1;
  return address.slice(0, end);
}
