// One question to the gateway and its answer: what is sent, what comes, and when.

import { renewToken, root, say } from "./common.js";

const csrf = () => document.querySelector('meta[name="csrf-token"]').content;

/** An answer before anything of it came. `facts` are milliseconds since the question, and what the gateway told. */
export function emptyAnswer(model) {
  return { role: "assistant", model, text: "", reasoning: "", calls: [], results: {}, facts: {}, error: null, running: true };
}

/**
 * Asks, and fills `answer` as the answer comes; `changed` is called whenever it has grown. Every line that came is in
 * `answer.exchange.raw`, with its time.
 */
export async function exchange(body, answer, { key, signal, changed }) {
  const started = performance.now();
  const now = () => performance.now() - started;
  answer.exchange = { body, raw: [] };
  const note = (line) => answer.exchange.raw.push([now(), line]);
  try {
    const response = await send(body, key, signal);
    answer.facts.firstByte = now();
    answer.facts.id = response.headers.get("x-request-id");
    answer.facts.notJson = response.headers.get("x-response-format-error");
    note(`HTTP ${response.status}`);
    changed();
    if (response.headers.get("content-type")?.startsWith("text/event-stream")) await readStream(response, answer, note, now, changed);
    else await readWhole(response, answer, note, now);
  } catch (error) {
    if (error.name === "AbortError") answer.facts.stopped = true;
    else if (!answer.error) answer.error = { message: say(answer.facts.firstByte ? "broke_off" : "failed_unreachable") };
  }
  answer.facts.total = now();
  answer.running = false;
  changed();
}

/** After a new login in another tab the page's token is the old one's: with the new one it is asked again, once. */
async function send(body, key, signal) {
  const response = await post(body, key, signal);
  if (response.status !== 403) return response;
  const told = await response.clone().json().catch(() => null);
  return told?.error?.code === "permission_denied" && (await renewToken()) ? post(body, key, signal) : response;
}

function post(body, key, signal) {
  const headers = {
    "Content-Type": "application/json", Accept: "text/event-stream, application/json", "X-CSRFToken": csrf(), "X-Title": "Playground",
  };
  if (key) headers["X-Poe-Key"] = key;
  return fetch(`${root}/admin/api/playground`, {
    method: "POST", headers, body: JSON.stringify(body), signal, credentials: "same-origin", redirect: "error",
  });
}

async function readWhole(response, answer, note, now) {
  const text = await response.text();
  note(text);
  let told;
  try {
    told = JSON.parse(text);
  } catch {
    answer.error = { message: `HTTP ${response.status}`, status: response.status };
    return;
  }
  if (!response.ok || told.error) {
    answer.error = { message: `HTTP ${response.status}`, status: response.status, ...told.error };
    answer.loggedOut = response.status === 401 && (await isLoggedOut());
    return;
  }
  const [choice] = told.choices;
  answer.facts.firstToken = now();
  answer.text = choice.message.content ?? "";
  answer.reasoning = choice.message.reasoning_content ?? "";
  for (const call of choice.message.tool_calls ?? []) answer.calls.push(callOf(call));
  answer.facts.finish = choice.finish_reason;
  answer.facts.usage = told.usage;
}

/** Poe refuses keys with 401 too. */
async function isLoggedOut() {
  const page = await fetch(location.href, { redirect: "manual", headers: { Accept: "text/html" }, credentials: "same-origin" });
  return page.type === "opaqueredirect";
}

const callOf = (call) => ({ id: call.id, name: call.function?.name ?? "", arguments: call.function?.arguments ?? "" });

/** Server-sent events: the lines that begin with `data:` are the answer (WHATWG HTML, "Server-sent events"). */
async function readStream(response, answer, note, now, changed) {
  // Not through a TextDecoderStream: a pipe throws away what has come once the connection is cut.
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let pieces = [];
  let done = false;
  try {
    for (;;) {
      const { value, done: over } = await reader.read();
      if (over) break;
      const lines = decoder.decode(value, { stream: true }).split("\n");
      pieces.push(lines[0]);
      for (let at = 1; at < lines.length; at += 1) {
        const line = pieces.join("").replace(/\r$/, "");
        pieces = [lines[at]];
        if (!line) continue;
        note(line);
        if (!line.startsWith("data:")) continue;
        const data = line.slice(5).trimStart();
        if (data === "[DONE]") done = true;
        else take(JSON.parse(data), answer, now);
      }
      changed();
    }
  } finally {
    reader.cancel().catch(() => {}); // what nobody reads any more would go on costing points
  }
  if (!done && !answer.error) answer.error = { message: say("broke_off") };
}

function take(chunk, answer, now) {
  if (chunk.error) {
    answer.error = chunk.error;
    return;
  }
  if (chunk.usage) answer.facts.usage = chunk.usage;
  const choice = chunk.choices?.[0];
  if (!choice) return;
  const { content, reasoning_content: reasoning, tool_calls: calls } = choice.delta ?? {};
  if ((content || reasoning || calls) && answer.facts.firstToken === undefined) answer.facts.firstToken = now();
  if (content) answer.text += content;
  if (reasoning) answer.reasoning += reasoning;
  for (const call of calls ?? []) {
    const known = answer.calls[call.index];
    if (known) known.arguments += call.function?.arguments ?? "";
    else answer.calls[call.index] = callOf(call);
  }
  if (choice.finish_reason) answer.facts.finish = choice.finish_reason;
}

/** The conversation in OpenAI's words. A call that nobody gave a result for has an empty one. */
export function wireMessages(system, messages) {
  const wire = system.trim() ? [{ role: "system", content: system }] : [];
  for (const message of messages) {
    if (message.role === "user") {
      wire.push({ role: "user", content: contentOf(message) });
      continue;
    }
    if (!message.text && !message.calls.length) continue;
    if (!message.calls.length) {
      wire.push({ role: "assistant", content: message.text });
      continue;
    }
    const calls = message.calls.map((call) => ({ id: call.id, type: "function", function: { name: call.name, arguments: call.arguments } }));
    wire.push({ role: "assistant", content: message.text || null, tool_calls: calls });
    for (const call of message.calls) wire.push({ role: "tool", tool_call_id: call.id, content: message.results[call.id] ?? "" });
  }
  return wire;
}

function contentOf({ text, files }) {
  const kept = files.filter((file) => file.url);
  if (!kept.length) return text;
  const parts = kept.map((file) => (
    file.type.startsWith("image/")
      ? { type: "image_url", image_url: { url: file.url } }
      : { type: "file", file: { filename: file.name, file_data: file.url } }
  ));
  return text ? [{ type: "text", text }, ...parts] : parts;
}
