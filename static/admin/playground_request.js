// The request that was sent, as what a user would type: curl, Python and JavaScript; and the raw stream.

import { make, say, numbers, wakeCopyButtons } from "./common.js";

const LONGEST_FILE = 160;
const KEY = "YOUR_KEY";
// What the official Python SDK has names for; the rest goes into `extra_body`.
const NAMED = new Set([
  "model", "messages", "stream", "stream_options", "temperature", "top_p", "max_tokens", "max_completion_tokens", "n", "stop", "seed",
  "presence_penalty", "frequency_penalty", "logit_bias", "reasoning_effort", "response_format", "tools", "tool_choice",
  "parallel_tool_calls", "modalities", "verbosity", "user", "metadata", "web_search_options",
]);

/** `{curl, python, javascript}` of a body, and whether files in it were shortened. */
export function snippets(sent, base) {
  let shortened = false;
  const body = JSON.parse(JSON.stringify(sent), (_, value) => {
    if (typeof value !== "string" || value.length <= LONGEST_FILE || !/^data:[^,]{0,200};base64,/.test(value)) return value;
    shortened = true;
    const start = value.indexOf(",") + 25;
    return value.slice(0, start) + say("left_out", { n: numbers.format(value.length - start) });
  });
  return { shortened, curl: curl(body, base), python: python(body, base), javascript: javascript(body, base) };
}

function curl(body, base) {
  const data = JSON.stringify(body, null, 2).replaceAll("'", "'\\''");
  return `curl -N ${base}/chat/completions \\\n  -H "Authorization: Bearer ${KEY}" \\\n  -H "Content-Type: application/json" \\\n  -d '${data}'`;
}

function python(body, base) {
  const named = Object.entries(body).filter(([name]) => NAMED.has(name));
  const others = Object.fromEntries(Object.entries(body).filter(([name]) => !NAMED.has(name)));
  const lines = named.map(([name, value]) => `    ${name}=${pythonValue(value, "    ")},`);
  if (Object.keys(others).length) lines.push(`    extra_body=${pythonValue(others, "    ")},`);
  const call = `client.chat.completions.create(\n${lines.join("\n")}\n)`;
  const head = `from openai import OpenAI\n\nclient = OpenAI(base_url="${base}", api_key="${KEY}")\n`;
  if (!body.stream) return `${head}answer = ${call}\nprint(answer.choices[0].message)`;
  return `${head}stream = ${call}\nfor chunk in stream:\n    for choice in chunk.choices:\n        print(choice.delta.content or "", end="", flush=True)`;
}

/** JSON's strings are Python's, escapes and all. */
function pythonValue(value, indent) {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value !== "object") return JSON.stringify(value);
  const deeper = `${indent}    `;
  const isList = Array.isArray(value);
  const inner = isList
    ? value.map((one) => pythonValue(one, deeper))
    : Object.entries(value).map(([name, one]) => `${JSON.stringify(name)}: ${pythonValue(one, deeper)}`);
  const [open, close] = isList ? "[]" : "{}";
  const flat = `${open}${inner.join(", ")}${close}`;
  if (flat.length <= 88 && !flat.includes("\n")) return flat;
  return `${open}\n${inner.map((one) => `${deeper}${one},\n`).join("")}${indent}${close}`;
}

function javascript(body, base) {
  const head = `import OpenAI from "openai";\n\nconst client = new OpenAI({ baseURL: "${base}", apiKey: "${KEY}" });\n`;
  const call = `await client.chat.completions.create(${JSON.stringify(body, null, 2)});\n`;
  if (!body.stream) return `${head}const answer = ${call}console.log(answer.choices[0].message);`;
  return `${head}const stream = ${call}for await (const chunk of stream) {\n  process.stdout.write(chunk.choices[0]?.delta?.content ?? "");\n}`;
}

const nothing = (wasAsked) => make("p", { class: "empty" }, say(wasAsked ? "streams_not_kept" : "nothing_sent"));

/** Shows the request of an answer; `wasAsked`: there is a conversation, from before the page was loaded. */
export function showRequest(place, answer, base, wasAsked) {
  if (!answer?.exchange) return place.replaceChildren(nothing(wasAsked));
  const { shortened, ...texts } = snippets(answer.exchange.body, base);
  const titles = { curl: "curl", python: "Python · pip install openai", javascript: "JavaScript · npm install openai" };
  place.replaceChildren(
    shortened && make("p", { class: "notice" }, say("shortened")) || "",
    ...Object.entries(texts).map(([name, text]) => make("section", { class: "card", "aria-label": titles[name] }, make("h2", {}, titles[name]), copiable(text, titles[name], name))),
  );
  wakeCopyButtons(place);
}

function copiable(text, label, name) {
  const copy = make("button", { type: "button", class: "copy", hidden: true, "data-copied": say("copied") }, say("copy"));
  return make("div", { class: "copies code" }, copy, make("pre", { tabIndex: 0, role: "region", "aria-label": label }, make("code", { "data-text": "", "data-name": name }, text)));
}

/** Shows the lines that came, and adds those that come; of another answer it begins anew. */
export class RawStream {
  constructor(place) {
    this.place = place;
    this.answer = null;
    this.shown = 0;
  }

  show(answer, wasAsked) {
    if (!answer?.exchange) {
      this.answer = null;
      return this.place.replaceChildren(nothing(wasAsked));
    }
    const { raw } = answer.exchange;
    if (raw !== this.raw || this.answer !== answer) this.begin(answer);
    for (; this.shown < raw.length; this.shown += 1) {
      const [milliseconds, line] = raw[this.shown];
      this.lines.append(make("span", { class: "time" }, `${(milliseconds / 1000).toFixed(3).padStart(7)} `), `${line}\n`);
    }
  }

  begin(answer) {
    this.answer = answer;
    this.raw = answer.exchange.raw;
    this.shown = 0;
    const box = copiable("", say("raw"), "raw");
    this.lines = box.querySelector("code");
    this.place.replaceChildren(box);
    wakeCopyButtons(this.place);
  }
}
