// How the messages of the conversation look. A view is made once for a message; `update` shows what has come since.

import { make, numbers, root, say, words } from "./common.js";
import { grow, Markdown } from "./markdown.js";

const seconds = (milliseconds) => say("seconds", { n: (milliseconds / 1000).toFixed(milliseconds < 9995 ? 2 : 1) });

/** What may be done with a message: `act(name, message, …)` does it. */
function tools(message, act, names) {
  return make("div", { class: "tools" }, names.map((name) => (
    make("button", { type: "button", class: "link", onclick: () => act(name, message), "data-act": name }, say(name))
  )));
}

export class UserView {
  constructor(message, act) {
    this.message = message;
    this.act = act;
    this.element = make("li", { class: "from user" });
    this.update();
  }

  update() {
    const { message } = this;
    this.element.replaceChildren(
      make("div", { class: "top" }, make("b", {}, say("you")), tools(message, this.act, ["edit", "again", "delete"])),
      message.files.length ? make("ul", { class: "files" }, message.files.map((file) => fileItem(file))) : "",
      make("div", { class: "said" }, message.text),
    );
  }

  edit() {
    editor(this, this.element.querySelector(".said"), true);
  }
}

export class AnswerView {
  constructor(message, act) {
    this.message = message;
    this.act = act;
    this.thoughts = make("div", { class: "thoughts" });
    this.thinking = make("details", { class: "reasoning", hidden: true }, make("summary", {}, say("reasoning")), this.thoughts);
    this.text = make("div", { class: "markdown" });
    this.calls = make("div", { class: "calls" });
    this.end = make("div", { class: "end" });
    this.top = make("div", { class: "top" });
    this.element = make("li", { class: "from answer" }, this.top, this.thinking, this.text, this.calls, this.end);
    this.markdown = new Markdown(this.text);
    this.thinking.querySelector("summary").addEventListener("click", () => { this.touched = true; });
    this.update();
  }

  update() {
    const { message } = this;
    const names = message.running ? [] : ["edit", "again", "delete", ...(message.exchange ? ["raw", "request"] : [])];
    if (this.running !== message.running) {
      this.top.replaceChildren(make("b", { class: "mono" }, message.model), tools(message, this.act, names));
      this.running = message.running;
    }
    this.thinking.hidden = !message.reasoning;
    // Open while there is nothing else to see, unless somebody has opened or shut it.
    if (!this.touched) this.thinking.open = message.running && !message.text;
    if (this.thoughts.textContent.length !== message.reasoning.length) grow(this.thoughts, message.reasoning);
    if (this.text.isConnected) this.markdown.update(message.text);
    this.element.setAttribute("aria-busy", String(message.running));
    this.showCalls();
    this.showEnd();
  }

  /** While the calls come they are only shown; results are asked for once they are whole. */
  showCalls() {
    const { message } = this;
    const state = JSON.stringify([message.running, message.calls, message.sent]);
    if (state === this.callState) return;
    this.callState = state;
    const waits = !message.running && !message.sent && message.calls.length > 0;
    const send = () => this.act("results", message);
    this.calls.replaceChildren(
      ...message.calls.map((call) => make(
        "div", { class: "call" },
        make("b", {}, say("tool_call", { name: call.name })),
        make("pre", { tabIndex: 0 }, indented(call.arguments)),
        waits && make("label", {}, make("span", {}, say("tool_result", { name: call.name })), resultField(message, call, send)),
        !waits && message.results[call.id] !== undefined && make("pre", { class: "result", tabIndex: 0 }, message.results[call.id]),
      )),
      waits ? make("button", { type: "button", class: "primary small", onclick: send, "data-act": "results" }, say("send_results")) : "",
    );
  }

  showEnd() {
    const { message } = this;
    const { error, facts } = message;
    const lines = [];
    if (message.running && !message.text && !message.reasoning) lines.push(make("p", { class: "dim waiting" }, say("waiting")));
    if (error) lines.push(errorBox(message));
    if (facts.notJson) lines.push(make("p", { class: "notice warn" }, say("not_json", { why: facts.notJson })));
    const isEmpty = !message.text && !message.reasoning && !message.calls.length;
    if (!message.running && isEmpty && !error && !facts.stopped) lines.push(make("p", { class: "dim" }, say("empty")));
    if (facts.firstByte !== undefined || facts.stopped) lines.push(factLine(facts));
    this.end.replaceChildren(...lines);
  }

  edit() {
    editor(this, this.text, false);
  }
}

function resultField(message, call, send) {
  const field = make("textarea", { rows: "2", class: "mono", spellcheck: "false" }, message.results[call.id] ?? "");
  field.addEventListener("input", () => { message.results[call.id] = field.value; });
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    send();
  });
  return field;
}

function indented(json) {
  try {
    return JSON.stringify(JSON.parse(json), null, 2);
  } catch {
    return json;
  }
}

/** What went wrong in the page's language, where there are words for it, and as the gateway has put it. */
function errorBox({ error, loggedOut }) {
  const about = [error.status, error.code, error.type, error.param].filter(Boolean).map((one) => make("span", { class: "tag" }, String(one)));
  const login = { href: `${root}/admin/login?next=playground`, target: "_blank" }; // a new tab: what is written here stays
  return make(
    "div", { class: "notice bad error", role: "alert" },
    make("b", {}, loggedOut ? say("failed_logged_out") : words[`error_${error.code}`] ?? say("failed")), " ",
    make("span", {}, error.message), " ", about,
    loggedOut && make("a", login, say("log_in_again")),
  );
}

function factLine(facts) {
  const { usage } = facts;
  const fact = (text, name) => make("span", {}, text, name && make("span", { class: "name" }, ` ${name}`));
  const line = [];
  if (facts.firstByte !== undefined) line.push(fact(seconds(facts.firstByte), say("first_byte")));
  if (facts.firstToken !== undefined) line.push(fact(seconds(facts.firstToken), say("first_token")));
  if (facts.total !== undefined) line.push(fact(seconds(facts.total), say("total")));
  const writing = facts.total - facts.firstToken;
  if (usage && writing > 50) line.push(fact(say("speed", { n: numbers.format(Math.round(usage.completion_tokens / (writing / 1000))) })));
  if (usage) {
    line.push(fact(say("tokens", { in: numbers.format(usage.prompt_tokens), out: numbers.format(usage.completion_tokens) })));
    const thought = usage.completion_tokens_details?.reasoning_tokens;
    if (thought) line.push(fact(say("tokens_of", { n: numbers.format(thought) })));
  }
  if (facts.finish) line.push(fact(say("finish", { reason: facts.finish })));
  if (facts.stopped) line.push(fact(say("stopped")));
  return make("p", { class: "facts" }, line);
}

/** A file of a message, or of the one that is being written: then `takeOff` takes it off. */
export function fileItem(file, takeOff) {
  const isPicture = file.url && file.type.startsWith("image/");
  return make(
    "li", {},
    isPicture && make("img", { src: file.url, alt: file.name }),
    !isPicture && make("span", { class: "tag" }, file.url ? file.name : say("not_kept", { name: file.name })),
    takeOff && make("button", { type: "button", class: "link", "aria-label": say("take_off", { name: file.name }), onclick: takeOff }, "×"),
  );
}

function editor(view, place, mayAsk) {
  if (view.element.querySelector(".editor")) return;
  const { message, act } = view;
  const field = make("textarea", { rows: String(Math.min(14, 2 + message.text.split("\n").length)), "aria-label": say("edit") }, message.text);
  const leave = () => {
    box.replaceWith(place);
    view.update();
    view.element.querySelector("[data-act=edit]")?.focus();
  };
  const save = (ask) => {
    message.text = field.value;
    leave();
    act(ask ? "again" : "saved", message);
  };
  const box = make(
    "div", { class: "editor" }, field,
    make(
      "div", { class: "row" },
      make("button", { type: "button", class: "small", onclick: leave }, say("cancel")),
      make("button", { type: "button", class: "small", onclick: () => save(false) }, say("save")),
      mayAsk && make("button", { type: "button", class: "small primary", onclick: () => save(true) }, say("save_and_ask")),
    ),
  );
  field.addEventListener("keydown", (event) => { if (event.key === "Escape") leave(); });
  place.replaceWith(box);
  field.focus();
}
