// What all admin pages share: the words, calls to the gateway, messages, the clipboard. Everything is made of text
// nodes: what a model, a file or an error is called is never read as markup.

const meta = (name) => document.querySelector(`meta[name="${name}"]`)?.content ?? "";

export const words = JSON.parse(document.getElementById("words")?.textContent ?? "{}");
export const root = meta("root");

/** A phrase of the page in its language; `{name}` in it is filled in from `values`. */
export function say(name, values = {}) {
  return (words[name] ?? name).replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
}

/** An element: `make("a", { href, class: "x", onclick }, "text", child)`. Nothing, null and false leave a thing out. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && typeof value !== "string") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** What the gateway answers with an error; `status` is HTTP's, 0 where it cannot be reached, `body` its JSON. */
export class Failure extends Error {
  constructor(message, status, body, response) {
    super(message);
    Object.assign(this, { status, body, response });
  }
}

const BACKGROUND_MS = 15_000;

/**
 * `fetch` of a path of the gateway, as whoever is logged in. Throws `Failure`; an `AbortError` of the caller's `signal`
 * goes through. `background`: nobody has clicked, so the session is no longer for it, and it is given up after a while.
 */
export async function ask(path, options = {}) {
  let response = await send(path, options);
  // Logged in again meanwhile, in another tab: the page's token is the old session's, and its work is not to be lost.
  if (response.status === 403 && (options.method ?? "GET") !== "GET" && (await renewToken())) response = await send(path, options);
  if (response.ok) return response;
  const told = await response.json().catch(() => null);
  if (response.status === 401) {
    const link = [say("log_in_again"), `${root}/admin/login?next=${meta("page")}`];
    toast(say("failed_logged_out"), { bad: true, link });
  }
  throw new Failure(told?.error?.message ?? `HTTP ${response.status}`, response.status, told, response);
}

async function send(path, { method = "GET", json, body, headers = {}, signal, background = false }) {
  const sent = { "X-CSRFToken": meta("csrf-token"), Accept: "application/json", ...headers };
  if (background) {
    sent["X-Background"] = "1";
    signal ??= AbortSignal.timeout(BACKGROUND_MS);
  }
  if (json !== undefined) {
    sent["Content-Type"] = "application/json";
    body = JSON.stringify(json);
  }
  try {
    return await fetch(root + path, { method, headers: sent, body, signal, credentials: "same-origin", redirect: "error" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure(say("failed_unreachable"), 0);
  }
}

/** Takes the CSRF token that the gateway would put into this page now; whether it is another one. */
export async function renewToken() {
  try {
    const response = await fetch(`${root}/admin/api/token`, { credentials: "same-origin", redirect: "error", headers: { Accept: "application/json" } });
    const { csrf } = response.ok ? await response.json() : {};
    if (!csrf || csrf === meta("csrf-token")) return false;
    document.querySelector('meta[name="csrf-token"]').content = csrf;
    for (const field of document.querySelectorAll('input[name="csrf_token"]')) field.value = csrf;
    return true;
  } catch {
    return false;
  }
}

/** The answer's JSON. */
export async function askJson(path, options) {
  const response = await ask(path, options);
  try {
    return await response.json();
  } catch {
    throw new Failure(say("failed_unreachable"), 0);
  }
}

/** A message at the page's edge, which goes by itself unless it is bad. */
export function toast(text, { bad = false, link } = {}) {
  const close = make("button", { type: "button", class: "link", "aria-label": say("close"), onclick: () => box.remove() }, "×");
  const led = link && make("a", { href: link[1], target: "_blank" }, link[0]); // a new tab: what is unsaved here stays
  const box = make("div", { class: bad ? "toast bad" : "toast" }, make("span", {}, text), led, close);
  const place = document.getElementById("toasts");
  const above = document.querySelectorAll("dialog:modal");
  (above[above.length - 1] ?? document.body).append(place); // a dialog covers all that is not in it
  for (const old of [...place.children].slice(0, -2)) old.remove();
  place.append(box);
  if (!bad) setTimeout(() => box.remove(), 4000);
}

// navigator.clipboard is missing where the page came over plain HTTP from another machine.
export async function copyText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = make("textarea", { class: "heard", readOnly: true }, text);
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  if (!copied) throw new Error("The browser does not let the page copy.");
}

/** Wakes the copy buttons in a part of the page: each copies the text of the `[data-text]` in its parent. */
export function wakeCopyButtons(part = document) {
  for (const button of part.querySelectorAll("button.copy[hidden]")) {
    const label = button.textContent;
    button.hidden = false;
    button.addEventListener("click", async () => {
      const source = button.parentElement.querySelector("[data-text]");
      try {
        await copyText(source.textContent);
      } catch {
        getSelection().selectAllChildren(source); // Ctrl+C does the rest
        return;
      }
      button.textContent = button.dataset.copied;
      setTimeout(() => { button.textContent = label; }, 1500);
    });
  }
}

const locale = document.documentElement.lang;
export const numbers = new Intl.NumberFormat(locale);
export const short = new Intl.NumberFormat(locale, { notation: "compact", maximumFractionDigits: 1 });

wakeCopyButtons();
// On a phone the pages stand in one row, which may be wider than the screen.
document.querySelector("nav [aria-current=page]")?.scrollIntoView({ inline: "center", block: "nearest" });
