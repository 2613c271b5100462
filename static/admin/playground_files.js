// Files for the next message: by the button, by pasting and by dropping. They stay in the page, as data: URLs.

import { numbers, say, toast } from "./common.js";
import { fileItem } from "./playground_messages.js";

const BASE64 = 4 / 3;
// Browsers know few types of texts, and take some for what they are not: `.ts` for a film. Bots read nothing unknown.
const TEXTS = new Set([
  "md txt log csv tsv json jsonl xml yaml yml toml ini conf env diff patch tex html htm css scss js mjs cjs jsx ts tsx vue",
  "py rb php pl lua sh bash zsh bat ps1 sql c h cc cpp hpp cs java kt kts scala swift go rs dart r dockerfile makefile",
].join(" ").split(" "));

export class Files {
  /** `most` is the bytes that a request may have. */
  constructor(list, most) {
    this.list = list;
    this.most = most;
    this.chosen = [];
    this.reading = new Set();
    this.last = Promise.resolve();
  }

  /** Takes files, one after another; never throws. */
  add(files) {
    const reading = this.last.then(() => this.read(files));
    this.last = reading;
    this.reading.add(reading);
    return reading.finally(() => this.reading.delete(reading));
  }

  /** Waits for those that are being read; whether all of them could be taken. */
  async settled() {
    return (await Promise.all(this.reading)).every(Boolean);
  }

  async read(files) {
    let fine = true;
    for (const file of files) {
      const together = this.chosen.reduce((sum, one) => sum + one.url.length, 0) + file.size * BASE64;
      if (together > this.most) {
        toast(say("too_large", { name: file.name, most: numbers.format(Math.floor(this.most / 1024 / 1024)) }), { bad: true });
        fine = false;
        continue;
      }
      try {
        const url = await dataUrl(file);
        this.chosen.push({ name: file.name || "file", type: /^data:([^;,]*)/.exec(url)[1], url });
      } catch {
        toast(say("unreadable", { name: file.name }), { bad: true });
        fine = false;
      }
    }
    this.show();
    return fine;
  }

  /** Hands the files over to a message. */
  take() {
    const taken = this.chosen;
    this.chosen = [];
    this.show();
    return taken;
  }

  show() {
    this.list.hidden = !this.chosen.length;
    this.list.replaceChildren(...this.chosen.map((file) => fileItem(file, () => {
      this.chosen = this.chosen.filter((one) => one !== file);
      this.show();
    })));
  }
}

/** Takes what is pasted into `field`, dropped onto `place` or picked by `picker`. */
export function listen(files, { field, place, picker, button }) {
  button.addEventListener("click", () => picker.click());
  picker.addEventListener("change", async () => {
    await files.add([...picker.files]);
    picker.value = "";
    field.focus();
  });
  field.addEventListener("paste", (event) => {
    const pasted = [...event.clipboardData.files];
    if (!pasted.length) return;
    event.preventDefault();
    files.add(pasted);
  });
  place.addEventListener("dragover", (event) => {
    if (![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault();
    place.classList.add("dropping");
  });
  place.addEventListener("dragleave", (event) => {
    if (!place.contains(event.relatedTarget)) place.classList.remove("dropping");
  });
  place.addEventListener("drop", (event) => {
    place.classList.remove("dropping");
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    files.add([...event.dataTransfer.files]);
  });
}

function dataUrl(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => {
      const isText = TEXTS.has(file.name.split(".").at(-1).toLowerCase());
      const type = isText ? "text/plain" : file.type || "application/octet-stream";
      resolve(`data:${type};base64,${reader.result.split(",")[1] ?? ""}`);
    });
    reader.addEventListener("error", () => reject(reader.error));
    reader.readAsDataURL(file);
  });
}
