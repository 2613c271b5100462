// The models page: the table, the panel and the saving put together.

import { askJson, make, numbers, root, say, toast } from "./common.js";
import { allow } from "./models_dialog.js";
import { fold, State } from "./models_state.js";
import { Panel } from "./models_panel.js";
import { addModel, changesText, importFile, load, review, save } from "./models_save.js";
import { Table } from "./models_table.js";

const SOON_MS = 300;

const byId = (id) => document.getElementById(id);
const controls = { applies: byId("applies"), add: byId("add"), import: byId("import"), undo: byId("undo"), redo: byId("redo"), review: byId("review"), save: byId("save") };

let state = null;
let isAwake = false;
let wanted = null; // the row that somebody opened before there was a state
let saving = false;
let entries = null;

const table = new Table({
  onedit: (row, field, value, isTyping) => state.setFields([row.bot], field, value, isTyping ? `${row.id}/${field}` : ""),
  ontyped: () => {
    state?.typed();
    if (table.isBehind) table.refresh(state);
  },
  onopen: open,
  onselect: showSelection,
});
const panel = new Panel({ state: () => state, details, find: (id) => table.row(id), search: table.search });

function open(row) {
  const problem = byId("no-config");
  if (isAwake) panel.show(row);
  else if (problem.hidden) wanted = row;
  else toast(problem.textContent, { bad: true });
}

/** Poe's entry of a row, null where it has none; Poe's list is fetched once. */
async function details(row) {
  entries ??= fetchEntries();
  try {
    return (await entries).get(fold(row.id)) ?? null;
  } catch (error) {
    entries = null;
    throw error;
  }
}

async function fetchEntries() {
  const { models } = await askJson("/admin/api/models");
  table.describe(models);
  return new Map(models.filter((entry) => typeof entry?.id === "string").map((entry) => [fold(entry.id), entry]));
}

function refresh() {
  table.refresh(state);
  panel.refresh();
  refreshBar();
  const applies = state.config.enable !== false;
  controls.applies.checked = applies;
  byId("not-applied").hidden = applies;
}

function refreshBar() {
  const n = state.changes.length;
  byId("changes").textContent = saving ? say("saving") : changesText(n);
  showPart(byId("save-bar"), n > 0 || state.canRedo || saving);
  allow(controls.undo, state.canUndo);
  allow(controls.redo, state.canRedo);
  allow(controls.review, n > 0);
  allow(controls.save, n > 0 && !saving);
}

/** A part that goes leaves the focus to the search: it would be nowhere else. */
function showPart(part, isShown) {
  const hadFocus = part.contains(document.activeElement);
  part.hidden = !isShown;
  if (hadFocus && !isShown) table.search.focus({ preventScroll: true });
}

function showSelection(rows) {
  showPart(byId("bulk"), rows.length > 0);
  byId("selected").textContent = say("selected", { n: numbers.format(rows.length) });
}

async function saveAll() {
  if (saving || !state.changes.length) return;
  saving = true;
  refreshBar();
  try {
    await save(state, (bot, text) => {
      const row = table.row(bot) ?? table.rows.find((each) => fold(each.name) === fold(bot));
      if (row) table.complain(row, text);
    });
    if (!state.changes.length) byId("no-config").hidden = true;
  } finally {
    saving = false;
    refreshBar();
  }
}

const BULK = {
  hide: (bots) => state.setFields(bots, "enable", false),
  show: (bots) => state.setFields(bots, "enable", true),
  unmap: (bots) => state.setFields(bots, "mapping", []),
  reset: (bots) => state.reset(bots),
  tools: (bots) => state.setFields(bots, "tools_mode", byId("bulk-tools").value || undefined),
  none: () => table.unselect(),
};

function listenToButtons() {
  controls.undo.addEventListener("click", () => state.undo());
  controls.redo.addEventListener("click", () => state.redo());
  controls.review.addEventListener("click", () => state.changes.length && review(state, saveAll));
  controls.save.addEventListener("click", saveAll);
  controls.add.addEventListener("click", () => addModel(state, (name) => table.rows.some((row) => (row.listed || row.custom) && row.bot.some((own) => fold(own) === fold(name)))));
  controls.applies.addEventListener("change", () => state.edit((draft) => { draft.enable = controls.applies.checked; }));
  controls.import.addEventListener("click", () => byId("file").click());
  byId("file").addEventListener("change", async () => {
    const [file] = byId("file").files;
    if (!file) return;
    const warnings = await importFile(state, file);
    byId("file").value = "";
    if (!warnings) return;
    wake();
    warn(warnings);
  });
  for (const button of document.querySelectorAll("[data-bulk]")) {
    button.addEventListener("click", () => BULK[button.dataset.bulk](table.selected.map((row) => row.bot)));
  }
}

function warn(warnings) {
  const place = byId("warnings");
  place.hidden = warnings.length === 0;
  place.replaceChildren(make("ul", {}, warnings.map((text) => make("li", {}, text))), make("button", { type: "button", class: "link", onclick: () => showPart(place, false) }, say("close")));
}

/** Whether what is typed goes into a field, which has an undo of its own. */
const isTyping = (target) => target.matches("textarea, select, input:not([type=checkbox], [type=radio])");

function listenToKeys() {
  document.addEventListener("keydown", (event) => {
    const hasDialog = document.querySelector("dialog:modal:not(.side)") !== null;
    const key = event.key.toLowerCase();
    if (event.key === "/" && !isTyping(event.target) && !document.querySelector("dialog:modal")) {
      event.preventDefault();
      table.search.focus();
      table.search.select();
    } else if ((event.ctrlKey || event.metaKey) && !event.altKey && !hasDialog) {
      const isRedo = key === "y" || (key === "z" && event.shiftKey);
      if (key === "s") {
        event.preventDefault();
        // What is being typed counts: leaving the field takes it over.
        if (isTyping(event.target)) {
          event.target.blur();
          event.target.focus({ preventScroll: true });
        }
        saveAll();
      } else if ((key === "z" || key === "y") && !isTyping(event.target)) {
        event.preventDefault();
        if (isRedo) state.redo();
        else state.undo();
      }
    }
  });
  addEventListener("beforeunload", (event) => state.changes.length && event.preventDefault());
}

function wake() {
  isAwake = true;
  table.wake();
  for (const name of ["applies", "add", "import"]) controls[name].disabled = false;
}

/** The names can be read, but not yet be opened or changed; who does not notice it is not told. */
function waitForConfig() {
  const place = document.querySelector(".models");
  place.classList.add("loading");
  const timer = setTimeout(() => { byId("loading").hidden = false; }, SOON_MS);
  return () => {
    clearTimeout(timer);
    byId("loading").hidden = true;
    place.classList.remove("loading");
  };
}

async function start() {
  let loaded;
  const isThere = waitForConfig();
  try {
    loaded = await load();
  } catch (error) {
    isThere();
    byId("no-config").textContent = say("no_config", { why: error.message });
    byId("no-config").hidden = false;
    // A file that is broken can be replaced as a whole; single changes to it would lose the rest.
    if (error.body?.error?.code === "config_broken" && error.body.etag) {
      state = new State({}, `"${error.body.etag}"`, refresh);
      listenToButtons();
      listenToKeys();
      controls.import.disabled = false;
    }
    return;
  }
  isThere();
  state = new State(loaded.config, loaded.etag, refresh);
  wake();
  listenToButtons();
  listenToKeys();
  refresh();
  table.filter(); // a browser that goes back fills in what was searched and selected
  document.documentElement.dataset.ready = root || "/";
  if (wanted) open(wanted);
  // For the search in descriptions; a panel that is opened waits for the same answer.
  (window.requestIdleCallback ?? setTimeout)(() => table.hasList && details(table.rows[0]).catch(() => {}));
}

start();
