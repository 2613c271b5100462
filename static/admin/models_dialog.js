// What the dialogs of the models page have in common.

import { make, say } from "./common.js";

let count = 0;

/** Greys a button out and leaves the focus on it; what it does has to mind for itself. */
export function allow(button, isAllowed) {
  if (isAllowed) button.removeAttribute("aria-disabled");
  else button.setAttribute("aria-disabled", "true");
}

/**
 * A dialog that is there until it is closed. `foot` are its buttons; the place of `body` may be filled anew. What is
 * being typed counts when it closes; `mayClose` is asked after that.
 */
export function openDialog({ title, body = [], foot = [], side = false, mayClose = () => true, onclose = () => {} }) {
  const id = `dialog-${(count += 1)}`;
  const close = make("button", { type: "button", class: "link close", "aria-label": say("close"), onclick: () => leave() }, "×");
  const heading = make("h1", { id, tabindex: "-1" }, title);
  const place = make("div", { class: "body" }, body);
  const dialog = make("dialog", { class: side ? "models-page side" : "models-page", "aria-labelledby": id }, make("header", {}, heading, close), place, foot.length ? make("div", { class: "foot" }, foot) : null);
  const leave = () => settles() && dialog.close();
  const settles = () => {
    if (place.contains(document.activeElement)) document.activeElement.blur();
    return mayClose();
  };
  dialog.addEventListener("cancel", (event) => settles() || event.preventDefault());
  dialog.addEventListener("close", () => {
    dialog.remove();
    onclose();
  });
  // A press on the backdrop closes; one that began inside, to select text, does not.
  dialog.addEventListener("mousedown", (event) => event.target === dialog && outside(dialog, event) && leave());
  document.body.append(dialog);
  dialog.showModal();
  heading.focus();
  return { dialog, place, leave };
}

function outside(dialog, { clientX, clientY }) {
  const { left, right, top, bottom } = dialog.getBoundingClientRect();
  return clientX < left || clientX > right || clientY < top || clientY > bottom;
}

/** A control with its label and what there is to say of it. */
export function field(label, control, help = "") {
  control.id ||= `field-${(count += 1)}`;
  const told = help ? make("small", { id: `${control.id}-help` }, help) : null;
  if (told) control.setAttribute("aria-describedby", told.id);
  if (control.classList.contains("switch")) return make("div", { class: "field flag" }, make("label", { for: control.id }, label), control, told);
  return make("div", { class: "field" }, make("label", { class: "label", for: control.id }, label), control, told);
}

/** Says under a field what is wrong with it; "" takes that away. */
export function complain(control, text) {
  const id = `${control.id}-wrong`;
  document.getElementById(id)?.remove();
  control.setAttribute("aria-invalid", String(text !== ""));
  const described = (control.getAttribute("aria-describedby") ?? "").split(" ").filter((each) => each && each !== id);
  if (text) {
    control.after(make("small", { id, class: "bad", role: "alert" }, text));
    described.push(id);
  }
  if (described.length) control.setAttribute("aria-describedby", described.join(" "));
  else control.removeAttribute("aria-describedby");
}

/** A select from `[value, text]` pairs. */
export function choose(choices, chosen, onchoose) {
  const select = make("select", { onchange: () => onchoose(choices[select.selectedIndex][0]) }, choices.map(([, text]) => make("option", {}, text)));
  select.selectedIndex = choices.findIndex(([value]) => value === chosen);
  return select;
}

/** A value of models.yaml as people read it. */
export function readable(value) {
  if (value === undefined) return make("span", { class: "dim" }, say("nothing"));
  return make("code", {}, typeof value === "string" ? value : JSON.stringify(value));
}
