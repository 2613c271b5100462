// The table of models: its rows, what is typed into them, search, filters, order and selection.

import { make, numbers, say } from "./common.js";
import { byName, IN_COLUMNS, inOrder, KINDS, Row, STATES } from "./models_row.js";
import { aliases, flag, fold, same, splitAliases } from "./models_state.js";

export class Table {
  #rows = [];
  #byId = new Map();
  #terms = [];
  #kinds = new Set();
  #states = new Set();
  #sort = { key: "", down: false };
  #lastPicked = null;
  #announcing = 0;
  #signature = "";
  #isRanked = false;

  /** `onedit(row, field, value, isTyping)` is told of what is edited, `ontyped()` of its end, `onopen(row)`, `onselect(rows)`. */
  constructor({ onedit, ontyped, onopen, onselect }) {
    Object.assign(this, { onedit, ontyped, onopen, onselect });
    this.body = document.getElementById("rows");
    this.search = document.getElementById("search");
    this.all = document.getElementById("all");
    this.template = document.getElementById("row");
    this.isBehind = false; // a row is still there of which nothing is said any more
    this.hasList = this.body.dataset.problem === undefined;
    for (const tr of this.body.rows) this.#adopt(new Row(tr, this.#rows.length));
    this.#listenToRows();
    this.#listenToHead();
    this.#dropBrokenImages();
    // The head stays below the search, which takes another line where the filters need one.
    const bar = document.querySelector(".tools-bar");
    new ResizeObserver(() => document.querySelector(".models").style.setProperty("--bar", `${bar.offsetHeight}px`)).observe(bar);
  }

  get rows() {
    return this.#rows;
  }

  /** In the order of the page. */
  get visible() {
    return [...this.body.rows].filter((tr) => !tr.hidden).map((tr) => this.#byId.get(fold(tr.dataset.id)));
  }

  get selected() {
    return this.visible.filter((row) => row.box.checked);
  }

  row(id) {
    return this.#byId.get(fold(id));
  }

  #adopt(row) {
    this.#rows.push(row);
    this.#byId.set(fold(row.id), row);
  }

  /** Everything can be used as soon as it is known what models.yaml says. */
  wake() {
    for (const row of this.#rows) row.box.disabled = row.alias.disabled = row.switch.disabled = false;
    this.all.disabled = false;
  }

  /** What Poe says of the bots, for the search. */
  describe(entries) {
    for (const entry of entries) {
      const row = this.#byId.get(fold(entry?.id ?? ""));
      if (!row || typeof entry.description !== "string") continue;
      row.description = entry.description;
      row.index();
    }
    if (this.#terms.length) this.filter();
  }

  /** Shows what `state` says. Rows stay where they are until somebody filters or sorts anew. */
  refresh(state) {
    const now = byName(state.config);
    const saved = byName(state.base);
    this.#syncOwnRows(now);
    const claims = new Map();
    for (const [key, settings] of now.settings) {
      for (const name of aliases(settings)) if (!claims.has(fold(name))) claims.set(fold(name), key);
    }
    for (const row of this.#rows) {
      const settings = now.find(row);
      row.custom = now.customs.has(fold(row.id));
      row.dirty = !same(settings, saved.find(row)) || !same(now.customs.get(fold(row.id)), saved.customs.get(fold(row.id)));
      this.#show(row, settings, claims);
    }
    this.#count();
  }

  #show(row, settings, claims) {
    const names = aliases(settings);
    if (!same(names, row.names)) {
      row.names = names;
      row.index();
    }
    row.settings = settings;
    const shown = flag(settings.enable, true);
    row.is = { changed: Object.keys(settings).length > 0, hidden: !shown, mapped: names.length > 0, custom: row.custom };
    const text = names.join(", ");
    if (row.alias.value !== text && document.activeElement !== row.alias) row.alias.value = text;
    row.switch.checked = shown;
    row.tr.classList.toggle("off", !shown);
    row.tr.classList.toggle("dirty", row.dirty);
    const mode = typeof settings.tools_mode === "string" ? settings.tools_mode : "";
    row.toolsTag.className = mode ? "tag on" : "dim";
    row.toolsTag.textContent = mode || row.tools || "–";
    row.also.textContent = Object.keys(settings).filter((field) => !IN_COLUMNS.includes(field)).map((field) => ` · ${field}`).join("");
    const taken = names.find((name) => !row.bot.some((own) => fold(own) === claims.get(fold(name))));
    this.#hint(row, "taken", taken ? say("taken_name", { alias: taken, name: this.row(claims.get(fold(taken)))?.name ?? claims.get(fold(taken)) }) : "");
    if (row.wrong) this.complain(row, "");
  }

  #hint(row, kind, text) {
    const old = row[kind];
    if ((old?.textContent ?? "") === text) return;
    old?.remove();
    row[kind] = text ? make("small", { class: `hint ${kind === "wrong" ? "bad" : "warn"}`, id: `${kind}-${row.order}` }, text) : null;
    if (row[kind]) row.alias.after(row[kind]);
    if (text) row.alias.setAttribute("aria-describedby", row[kind].id);
    else row.alias.removeAttribute("aria-describedby");
  }

  /** An error of the gateway's, where it belongs; "" takes it away. */
  complain(row, text) {
    this.#hint(row, "wrong", text);
    row.tr.classList.toggle("wrong", text !== "");
    if (text) {
      row.tr.hidden = false;
      row.tr.scrollIntoView({ block: "center" });
    }
  }

  /** Rows that are there because models.yaml speaks of a bot that Poe does not list. */
  #syncOwnRows(now) {
    const own = new Map([...now.customs].map(([key, custom]) => [key, [custom.id, custom.owned_by ?? ""]]));
    const known = new Set(this.#rows.filter((row) => row.listed).flatMap((row) => row.bot.map(fold)));
    for (const [key, name] of now.names) if (!known.has(key) && !own.has(key)) own.set(key, [name, ""]);
    const signature = JSON.stringify([...own]);
    if (signature === this.#signature && !this.isBehind) return;
    this.#signature = signature;
    const gone = this.#rows.filter((row) => !row.listed && !own.has(fold(row.id)));
    // Whoever has just emptied a field is about to type something else into it.
    this.isBehind = gone.some((row) => row.alias === document.activeElement);
    for (const row of gone.filter((each) => each.alias !== document.activeElement)) {
      const hadFocus = row.tr.contains(document.activeElement);
      row.tr.remove();
      this.#byId.delete(fold(row.id));
      if (hadFocus) this.search.focus({ preventScroll: true });
    }
    this.#rows = this.#rows.filter((row) => this.#byId.get(fold(row.id)) === row);
    if (gone.some((row) => row.box.checked)) this.tellSelection();
    for (const [key, [id, owner]] of own) {
      if (!this.#byId.has(key)) this.#adopt(this.#makeRow(id, owner, now.customs.has(key)));
      else if (!this.#byId.get(key).listed) this.#byId.get(key).tr.querySelector(".who small").firstChild.data = this.#origin(id, owner, now.customs.has(key));
    }
  }

  /** Where a bot comes from that Poe does not list, as far as one knows without Poe's list. */
  #origin(id, owner, custom) {
    return [custom ? say("custom_one") : this.hasList ? say("not_listed") : id, owner].filter(Boolean).join(" · ");
  }

  #makeRow(id, owner, custom) {
    const tr = this.template.content.firstElementChild.cloneNode(true);
    const example = this.#rows.find((row) => !row.listed);
    Object.assign(tr.dataset, { id, name: id, owner, tools: example?.tools ?? "xml" });
    tr.querySelector(".tile").textContent = id.trim().slice(0, 1).toUpperCase();
    tr.querySelector(".open").textContent = id;
    tr.querySelector(".who small").textContent = this.#origin(id, owner, custom);
    for (const [part, phrase] of [[".pick input", "select"], [".alias", "alias_of"], [".switch", "show_model"]]) {
      const control = tr.querySelector(part);
      control.setAttribute("aria-label", say(phrase, { name: id }));
      control.disabled = false;
    }
    this.body.prepend(tr);
    return new Row(tr, -1 - this.#rows.length);
  }

  #listenToRows() {
    this.body.addEventListener("change", ({ target }) => {
      const row = this.#rowOf(target);
      if (target === row?.switch) this.onedit(row, "enable", target.checked);
    });
    this.body.addEventListener("focusin", ({ target }) => {
      const row = this.#rowOf(target);
      if (target === row?.alias) row.before = row.names;
    });
    this.body.addEventListener("input", ({ target }) => {
      const row = this.#rowOf(target);
      if (target === row?.alias) this.onedit(row, "mapping", splitAliases(target.value), true);
    });
    this.body.addEventListener("keydown", (event) => {
      const row = this.#rowOf(event.target);
      if (event.target !== row?.alias || event.isComposing) return;
      if (event.key === "Enter") this.#tidy(row);
      else if (event.key === "Escape") {
        this.onedit(row, "mapping", row.before ?? [], true);
        this.#tidy(row);
      } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        const rows = this.visible;
        rows[rows.indexOf(row) + (event.key === "ArrowDown" ? 1 : -1)]?.alias.focus();
        event.preventDefault();
      }
    });
    this.body.addEventListener("focusout", ({ target }) => {
      const row = this.#rowOf(target);
      if (target === row?.alias) this.#tidy(row);
    });
    this.body.addEventListener("click", (event) => {
      const row = this.#rowOf(event.target);
      if (event.target === row?.box) this.#pick(row, event.shiftKey);
      else if (row && (event.target.closest(".open") || !event.target.closest("input, label, button, a")) && !getSelection().toString()) this.onopen(row);
    });
    // Shift-click is to choose rows, not text.
    this.body.addEventListener("mousedown", (event) => {
      if (event.shiftKey && event.target.closest(".pick")) event.preventDefault();
    });
  }

  /** The names as they are taken, once they are typed. */
  #tidy(row) {
    row.alias.value = row.names.join(", ");
    row.before = row.names;
    this.ontyped();
  }

  #rowOf(target) {
    return this.#byId.get(fold(target.closest?.("tr")?.dataset.id ?? ""));
  }

  #pick(row, isRange) {
    const rows = this.visible;
    const [from, to] = [rows.indexOf(this.#lastPicked), rows.indexOf(row)].sort((one, other) => one - other);
    if (isRange && from >= 0) for (const each of rows.slice(from, to + 1)) each.box.checked = row.box.checked;
    this.#lastPicked = row;
    this.tellSelection();
  }

  unselect() {
    for (const row of this.#rows) row.box.checked = false;
    this.tellSelection();
  }

  tellSelection() {
    const [selected, visible] = [this.selected, this.visible];
    this.all.checked = visible.length > 0 && selected.length === visible.length;
    this.all.indeterminate = selected.length > 0 && !this.all.checked;
    this.onselect(selected);
  }

  #listenToHead() {
    this.all.addEventListener("change", () => {
      for (const row of this.visible) row.box.checked = this.all.checked;
      this.tellSelection();
    });
    this.search.addEventListener("input", () => this.filter());
    this.search.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.search.value) return;
      event.preventDefault();
      this.search.value = "";
      this.filter();
    });
    for (const chip of document.querySelectorAll(".chips .chip")) chip.addEventListener("click", () => this.#toggle(chip));
    document.getElementById("clear").addEventListener("click", () => {
      this.showAll();
      this.search.focus();
    });
    for (const head of document.querySelectorAll("th[data-sort]")) head.querySelector("button").addEventListener("click", () => this.#sortBy(head));
  }

  #toggle(chip) {
    const isOn = chip.getAttribute("aria-pressed") !== "true";
    chip.setAttribute("aria-pressed", String(isOn));
    const [chosen, name] = chip.dataset.kind ? [this.#kinds, chip.dataset.kind] : [this.#states, chip.dataset.state];
    if (isOn) chosen.add(name);
    else chosen.delete(name);
    this.filter();
  }

  showAll() {
    this.search.value = "";
    this.#kinds.clear();
    this.#states.clear();
    for (const chip of document.querySelectorAll(".chips .chip")) chip.setAttribute("aria-pressed", "false");
    this.filter();
  }

  /** Kinds add up, states narrow down: image or video bots that are both mapped and hidden. */
  filter() {
    this.#terms = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of this.#rows) {
      const fits = this.#hasTerms(row) && this.#isOfKind(row) && [...this.#states].every((state) => row.is[state]);
      if (row.tr.hidden === fits) row.tr.hidden = !fits;
      if (fits) shown += 1;
    }
    this.#rank();
    document.getElementById("none").hidden = shown > 0;
    clearTimeout(this.#announcing);
    this.#announcing = setTimeout(() => { document.getElementById("count").textContent = say("rows_are", { n: numbers.format(shown) }); }, 400);
    this.#count();
    this.tellSelection();
  }

  /** Whoever looks for a name sees the bots of that name before those whose description speaks of it. */
  #rank() {
    const found = this.#terms.length && !this.#sort.key ? this.visible : [];
    const [named, described] = [[], []];
    for (const row of found) (this.#terms.every((term) => row.label.includes(term)) ? named : described).push(row);
    if (named.length && described.length) {
      this.body.prepend(...[...named, ...described].map((row) => row.tr));
      this.#isRanked = true;
    } else if (this.#isRanked) {
      this.#isRanked = false;
      this.#arrange();
    }
  }

  #hasTerms(row) {
    return this.#terms.every((term) => row.text.includes(term));
  }

  #isOfKind(row) {
    return !this.#kinds.size || row.kinds.some((kind) => this.#kinds.has(kind));
  }

  /** Each chip tells how many rows there are of its sort, the other filters being what they are. */
  #count() {
    const counts = Object.fromEntries([...KINDS, ...STATES].map((name) => [name, 0]));
    const totals = { listed: 0, mapped: 0, hidden: 0, custom: 0 };
    for (const row of this.#rows) {
      totals.listed += row.listed;
      for (const state of ["mapped", "hidden", "custom"]) totals[state] += Boolean(row.is[state]);
      if (!this.#hasTerms(row)) continue;
      const missed = [...this.#states].filter((state) => !row.is[state]);
      if (!missed.length) for (const kind of row.kinds) counts[kind] += 1;
      if (!this.#isOfKind(row)) continue;
      for (const state of STATES) if (row.is[state] && missed.length === 0) counts[state] += 1;
    }
    for (const chip of document.querySelectorAll(".chips .chip")) chip.lastElementChild.textContent = counts[chip.dataset.kind ?? chip.dataset.state];
    document.getElementById("sub").textContent = say("sub", totals);
  }

  #sortBy(head) {
    const key = head.dataset.sort;
    const down = this.#sort.key === key && !this.#sort.down;
    // A third click gives Poe's own order back.
    this.#sort = this.#sort.key === key && this.#sort.down ? { key: "", down: false } : { key, down };
    for (const each of document.querySelectorAll("th[data-sort]")) {
      each.setAttribute("aria-sort", each.dataset.sort !== this.#sort.key ? "none" : this.#sort.down ? "descending" : "ascending");
    }
    this.#arrange();
  }

  #arrange() {
    this.body.append(...inOrder(this.#rows, this.#sort).map((row) => row.tr));
  }

  #dropBrokenImages() {
    this.body.addEventListener("error", ({ target }) => target.tagName === "IMG" && target.remove(), true);
    for (const image of this.body.querySelectorAll("img")) if (image.complete && image.currentSrc && !image.naturalWidth) image.remove();
  }
}
