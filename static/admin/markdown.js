// Markdown as models write it → DOM nodes. Nothing is ever read as HTML: every character of the text ends in a text
// node or in an attribute that was checked. Time is linear in the text, and half a text is shown as far as it goes.

import { copyText, make, say } from "./common.js";
import { inline, MOST_NESTED } from "./markdown_inline.js";

const MOST_COLUMNS = 60;

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([^`\s]{0,40})/;
const HEADING = /^ {0,3}(#{1,6})[ \t]+(.*)$/;
const RULE = /^ {0,3}([-*_])(?:[ \t]*\1){2,}[ \t]*$/;
const ITEM = /^( *)([-*+]|\d{1,9}[.)])(?:[ \t]+|$)/;
const QUOTE = /^ {0,3}> ?/;
const DEFINITION = /^ {0,3}\[([^\]\n]{1,200})\]:[ \t]*<?(https?:\/\/[^\s<>]+)>?[ \t]*$/;

/** Adds the new text alone: what is selected stays so, and what was laid out too. */
export function grow(element, text) {
  const had = element.textContent;
  if (text === had) return;
  if (text.startsWith(had)) element.append(text.slice(had.length));
  else element.textContent = text;
}

/** Keeps an element showing a text that grows: blocks that did not change keep their nodes, and what plays, plays on. */
export class Markdown {
  constructor(element) {
    this.element = element;
    this.shown = []; // what each block was made of
    this.last = null;
  }

  update(text) {
    const { blocks, references } = split(text);
    const names = [...references.keys()].join("\n");
    const keys = blocks.map((block) => (block.source.includes("][") ? `${names}\n${block.source}` : block.source));
    let same = 0;
    while (same < keys.length && keys[same] === this.shown[same]) same += 1;
    if (this.growsOn(blocks[same], same)) {
      grow(this.element.childNodes[same].querySelector("code"), blocks[same].text);
      same += 1;
    }
    while (this.element.childNodes.length > same) this.element.lastChild.remove();
    for (const block of blocks.slice(same)) this.element.append(build(block, references, 0));
    this.shown = keys;
    this.last = blocks.at(-1);
  }

  /** Whether what was last is still a piece of code: a long one made anew for every word takes the page's time. */
  growsOn(block, at) {
    return block?.kind === "code" && this.last?.kind === "code" && at === this.shown.length - 1 && block.language === this.last.language;
  }
}

// Blocks

function split(text) {
  const lines = text.replace(/\r\n?/g, "\n").split("\n");
  const references = new Map();
  return { blocks: blocksOf(lines, references, 0), references };
}

function blocksOf(lines, references, depth) {
  const blocks = [];
  let at = 0;
  while (at < lines.length) {
    const [block, next] = blockAt(lines, at, references, depth);
    if (block) blocks.push({ ...block, source: lines.slice(at, next).join("\n") });
    at = next;
  }
  return blocks;
}

function blockAt(lines, at, references, depth) {
  const line = lines[at];
  if (!line.trim()) return [null, at + 1];
  let found;
  if ((found = FENCE.exec(line))) return fenceAt(lines, at, found);
  if ((found = HEADING.exec(line))) {
    return [{ kind: "heading", level: found[1].length, text: found[2].replace(/[ \t]#+[ \t]*$/, "") }, at + 1];
  }
  if (RULE.test(line)) return [{ kind: "rule" }, at + 1];
  if ((found = DEFINITION.exec(line))) {
    references.set(found[1].toLowerCase(), found[2]);
    return [null, at + 1];
  }
  if (QUOTE.test(line) && depth < MOST_NESTED) return quoteAt(lines, at, references, depth);
  if (ITEM.test(line) && depth < MOST_NESTED) return listAt(lines, at, references, depth);
  if (isTable(lines, at)) return tableAt(lines, at);
  let end = at + 1;
  while (end < lines.length && !endsParagraph(lines, end)) end += 1;
  return [{ kind: "paragraph", text: lines.slice(at, end).map((one) => one.trim()).join("\n") }, end];
}

function endsParagraph(lines, at) {
  const line = lines[at];
  return !line.trim() || FENCE.test(line) || HEADING.test(line) || QUOTE.test(line) || ITEM.test(line) || RULE.test(line)
    || DEFINITION.test(line) || isTable(lines, at);
}

function isTable(lines, at) {
  const below = lines[at + 1] ?? "";
  return lines[at].includes("|") && /^[ \t|:-]+$/.test(below) && cellsOf(below).every((cell) => /^:?-+:?$/.test(cell));
}

function fenceAt(lines, at, [, mark, language]) {
  let end = at + 1;
  const closes = (line) => {
    const bare = line.trim();
    return bare.length >= mark.length && bare.startsWith(mark) && [...bare].every((letter) => letter === mark[0]);
  };
  while (end < lines.length && !closes(lines[end])) end += 1;
  return [{ kind: "code", language, text: lines.slice(at + 1, end).join("\n") }, Math.min(end + 1, lines.length)];
}

function quoteAt(lines, at, references, depth) {
  let end = at;
  while (end < lines.length && QUOTE.test(lines[end])) end += 1;
  const inner = lines.slice(at, end).map((line) => line.replace(QUOTE, ""));
  return [{ kind: "quote", blocks: blocksOf(inner, references, depth + 1) }, end];
}

/** An item's further lines are those that are indented as its text is; a blank line ends it unless such a one follows. */
function listAt(lines, at, references, depth) {
  const [, , first] = ITEM.exec(lines[at]);
  const ordered = /\d/.test(first);
  const items = [];
  let end = at;
  while (end < lines.length) {
    const found = ITEM.exec(lines[end]);
    if (!found || RULE.test(lines[end]) || /\d/.test(found[2]) !== ordered) break;
    const inner = [lines[end].slice(found[0].length)];
    const indent = found[1].length + 2;
    end += 1;
    while (end < lines.length) {
      const line = lines[end];
      if (!line.trim()) {
        if (indentOf(lines[end + 1] ?? "") < indent) break;
      } else if (indentOf(line) < indent && (ITEM.test(line) || !lines[end - 1].trim() || endsParagraph(lines, end))) break;
      inner.push(line.startsWith("\t") ? line.slice(1) : line.slice(Math.min(indentOf(line), found[0].length)));
      end += 1;
    }
    items.push(blocksOf(inner, references, depth + 1));
    if (end < lines.length && !lines[end].trim() && ITEM.test(lines[end + 1] ?? "")) end += 1;
  }
  return [{ kind: "list", ordered, start: ordered ? parseInt(first, 10) : 1, items }, end];
}

const indentOf = (line) => (line.startsWith("\t") ? 4 : /^ */.exec(line)[0].length);

function tableAt(lines, at) {
  const sides = cellsOf(lines[at + 1]).map((cell) => (/^:?-+:$/.test(cell) ? (cell[0] === ":" ? "middle" : "n") : ""));
  let end = at + 2;
  while (end < lines.length && lines[end].includes("|") && lines[end].trim()) end += 1;
  return [{ kind: "table", head: cellsOf(lines[at]), sides, rows: lines.slice(at + 2, end).map(cellsOf) }, end];
}

function cellsOf(line) {
  const bare = line.trim().replace(/^\|/, "").replace(/(?<!\\)\|$/, "");
  return bare.split(/(?<!\\)\|/).slice(0, MOST_COLUMNS).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

// Nodes

function build(block, references, depth) {
  const words = (text) => inline(text, references);
  const inner = (blocks) => blocks.map((one) => build(one, references, depth + 1));
  switch (block.kind) {
    case "heading":
      return make(`h${Math.min(6, block.level + 2)}`, { class: "md" }, words(block.text));
    case "rule":
      return make("hr");
    case "code":
      return codeBlock(block.text, block.language);
    case "quote":
      return make("blockquote", {}, inner(block.blocks));
    case "list":
      return make(
        block.ordered ? "ol" : "ul",
        { start: block.ordered && block.start !== 1 ? String(block.start) : null },
        block.items.map((item) => make("li", {}, item.length === 1 && item[0].kind === "paragraph" ? words(item[0].text) : inner(item))),
      );
    case "table":
      return tableOf(block, words);
    default:
      return make("p", {}, words(block.text));
  }
}

function codeBlock(text, language) {
  const button = make("button", { type: "button", class: "copy" }, say("copy"));
  const code = make("code", {}, text);
  button.addEventListener("click", async () => {
    await copyText(code.textContent).catch(() => {});
    button.textContent = say("copied");
    setTimeout(() => { button.textContent = say("copy"); }, 1500);
  });
  const label = language && make("small", { class: "language" }, language);
  return make("div", { class: "copies code" }, button, label, make("pre", { tabIndex: 0 }, code));
}

function tableOf({ head, sides, rows }, words) {
  const cells = (tag, row) => head.map((_, column) => make(tag, { class: sides[column] || null }, words(row[column] ?? "")));
  return make(
    "div",
    { class: "scroll", tabIndex: 0 },
    make("table", {}, make("thead", {}, make("tr", {}, cells("th", head))), make("tbody", {}, rows.map((row) => make("tr", {}, cells("td", row))))),
  );
}
