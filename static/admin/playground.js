// The playground: what is written, asked and shown. The conversation lives in this tab (sessionStorage, without files
// and without the key).

import { root, say, toast } from "./common.js";
import { emptyAnswer, exchange, wireMessages } from "./playground_exchange.js";
import { Files, listen } from "./playground_files.js";
import { AnswerView, UserView } from "./playground_messages.js";
import { RawStream, showRequest } from "./playground_request.js";
import { Settings, Unusable } from "./playground_settings.js";

const STORED = "poe2openai-playground";
const NEAR_END = 80; // pixels: whoever is so near to the end wants to see what comes
const FRAME = 20; // milliseconds: what takes longer is drawn less often
const LONGEST_REST = 500;

const at = (id) => document.getElementById(id);
const play = at("play");
const field = at("say");
const base = `${location.origin}${root}/v1`;

const messages = [];
const views = new Map();
const settings = new Settings(keep);
const files = new Files(at("files"), Number(play.dataset.most));
const raw = new RawStream(at("raw"));
let running = null; // of the question that is being answered: what stops it
let isLeaving = false; // the browser cuts what is running before the page hears of its end
let looked = null; // the answer whose raw stream and request are shown

// Keeping

function keep() {
  const kept = messages.map(({ exchange: _, ...message }) => (
    message.files ? { ...message, files: message.files.map(({ name, type }) => ({ name, type })) } : message
  ));
  try {
    sessionStorage.setItem(STORED, JSON.stringify({ settings: settings.kept(), messages: kept, draft: field.value }));
  } catch {
    // Full, or not to be had: the conversation ends with the page then.
  }
}

function restore() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(STORED) ?? "null");
    if (!kept) return;
    messages.push(...kept.messages.map((message) => (message.running ? ended(message) : message)));
    settings.restore(kept.settings);
    field.value ||= kept.draft ?? "";
    fit();
  } catch {
    sessionStorage.removeItem(STORED);
    messages.length = 0;
  }
}

/** An answer that was still coming when the page was left. */
const ended = (message) => ({ ...message, running: false, facts: { ...message.facts, stopped: true } });

// Showing

function viewOf(message) {
  if (!views.has(message)) views.set(message, new (message.role === "user" ? UserView : AnswerView)(message, act));
  return views.get(message);
}

function show() {
  at("messages").replaceChildren(...messages.map((message) => viewOf(message).element));
  for (const message of messages) viewOf(message).update();
  at("hint").hidden = messages.length > 0;
  at("clear").disabled = !messages.length;
}

const grown = new Set(); // the answers that are to be drawn
let drawing = false;
let rest = 0; // milliseconds until the next drawing

/** Shows what has come of an answer, once a frame at most; the longer the drawing takes, the seldomer. */
function draw(message) {
  grown.add(message);
  if (drawing) return;
  drawing = true;
  setTimeout(() => requestAnimationFrame(drawGrown), rest);
}

function drawGrown() {
  const started = performance.now();
  const page = document.scrollingElement;
  const follows = page.scrollHeight - page.scrollTop - page.clientHeight < NEAR_END;
  drawing = false;
  for (const message of grown) {
    if (!messages.includes(message)) continue;
    viewOf(message).update();
    if (message === looked && !at("raw").hidden) raw.show(message);
  }
  grown.clear();
  // To ask for the height lays the page out: that is the longest part of it.
  if (page.scrollHeight && follows && !at("answer").hidden) page.scrollTop = page.scrollHeight;
  const took = performance.now() - started;
  rest = took > FRAME ? Math.min(took * 4, LONGEST_REST) : 0;
}

function open(tab) {
  for (const name of ["answer", "raw", "request"]) {
    const isOpen = name === tab;
    at(name).hidden = !isOpen;
    at(`tab-${name}`).setAttribute("aria-selected", String(isOpen));
    at(`tab-${name}`).tabIndex = isOpen ? 0 : -1;
  }
  if (tab === "raw") raw.show(looked, messages.length > 0);
  if (tab === "request") showRequest(at("request"), looked, base, messages.length > 0);
}

// Asking

/** The request for a conversation; null, and the fault is shown, where the settings make none. */
function prepare(conversation) {
  try {
    const { model, ...others } = settings.fields();
    return { model, messages: wireMessages(settings.system, conversation), ...others };
  } catch (error) {
    if (!(error instanceof Unusable)) throw error;
    complain(error);
    return null;
  }
}

/** Asks with `conversation` in place of what is there, which stays where the settings are unusable; whether it asks. */
function ask(conversation) {
  const body = prepare(conversation);
  if (!body) return false;
  running?.abort();
  messages.splice(0, messages.length, ...conversation);
  start(body);
  return true;
}

function start(body) {
  const answer = emptyAnswer(body.model);
  messages.push(answer);
  forget();
  looked = answer;
  const stopper = new AbortController();
  run(stopper);
  show();
  open("answer");
  document.scrollingElement.scrollTop = document.scrollingElement.scrollHeight;
  at("state").textContent = say("answering");
  isLeaving = false;
  exchange(body, answer, { key: settings.key, signal: stopper.signal, changed: () => draw(answer) }).then(() => {
    if (running !== stopper) return; // another question took its place
    run(null);
    if (isLeaving && answer.error && !answer.error.status && !answer.error.code) Object.assign(answer, ended({ ...answer, error: null }));
    at("state").textContent = answer.error ? "" : say("answered");
    draw(answer);
    keep();
  });
}

function run(stopper) {
  running = stopper;
  at("stop").hidden = !stopper;
  at("send").hidden = Boolean(stopper);
}

function complain({ message, field: wrong }) {
  for (let box = wrong.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
  wrong.setAttribute("aria-invalid", "true");
  wrong.focus();
  toast(message, { bad: true });
}

/** Sends what is written, with the files that are still being read; nothing where one of them cannot be. */
async function send() {
  if (running || at("send").disabled) return;
  at("send").disabled = true;
  const isWhole = await files.settled();
  at("send").disabled = false;
  const text = field.value;
  if (!isWhole || running || (!text.trim() && !files.chosen.length)) return;
  if (!ask([...messages, { role: "user", text, files: [...files.chosen] }])) return;
  field.value = "";
  files.take();
  fit();
  keep();
}

/** What the buttons of a message do. */
function act(name, message) {
  const place = messages.indexOf(message);
  if (name === "edit") return viewOf(message).edit();
  if (name === "raw" || name === "request") {
    looked = message;
    open(name);
    return at(`tab-${name}`).focus();
  }
  if (name === "delete") {
    messages.splice(place, 1);
    forget();
    show();
  }
  if (name === "again") ask(messages.slice(0, message.role === "user" ? place + 1 : place));
  if (name === "results" && ask(messages.slice(0, place + 1))) {
    message.sent = true;
    viewOf(message).update();
  }
  return keep();
}

function forget() {
  for (const message of views.keys()) if (!messages.includes(message)) views.delete(message);
  if (looked && !messages.includes(looked)) looked = messages.findLast((message) => message.exchange) ?? null;
}

// Listening

function fit() {
  field.style.height = "auto";
  field.style.height = `${Math.min(field.scrollHeight + 2, innerHeight * 0.4)}px`;
}

field.addEventListener("input", fit);
field.addEventListener("keydown", (event) => {
  if (event.key === "Escape") running?.abort();
  // Whoever writes Chinese ends a word with Enter.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  send();
});
at("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
at("stop").addEventListener("click", () => {
  running?.abort();
  field.focus();
});
at("clear").addEventListener("click", () => {
  running?.abort();
  messages.length = 0;
  looked = null;
  views.clear();
  show();
  open("answer");
  keep();
  field.focus();
});
addEventListener("beforeunload", () => { isLeaving = true; });
addEventListener("pagehide", keep);
document.addEventListener("visibilitychange", keep); // a phone may end a page that is out of sight, and say nothing
const tabs = [...document.querySelectorAll("[role=tab]")];
for (const [index, tab] of tabs.entries()) {
  tab.addEventListener("click", () => open(tab.getAttribute("aria-controls")));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs[(index + step + tabs.length) % tabs.length];
    next.focus();
    next.click();
  });
}
listen(files, { field, place: play, picker: at("pick"), button: at("attach") });
if (matchMedia("(max-width: 1000px)").matches) at("settings").open = false;
restore();
show();
settings.load();
