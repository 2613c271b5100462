// Links, pictures and players of a text that a model wrote. Only from Poe and from this gateway do they load by
// themselves: a text that somebody else has slipped to the model may carry the conversation away in an address.

import { make, say } from "./common.js";

const AUDIO = /\.(?:mp3|wav|m4a|ogg|oga|flac|aac|opus)$/i;
const VIDEO = /\.(?:mp4|m4v|webm|mov)$/i;
const POES = /(?:^|\.)(?:poecdn\.net|poe\.com|quora\.com|quoracdn\.net)$/;

const allowed = new Set(); // pictures that somebody has asked for: they stay when their paragraph grows

/** An address that may be linked, as it is to be written; null for all others. */
export function linkable(address) {
  try {
    const url = new URL(address);
    return url.protocol === "https:" || url.protocol === "http:" ? url.href : null;
  } catch {
    return null;
  }
}

/** Whether something may be loaded without being asked for. */
function isTrusted(url) {
  return url.origin === location.origin || (url.protocol === "https:" && url.port === "" && POES.test(url.hostname));
}

/** A link, with a player where it leads to something to hear or see. Links within it are dissolved in it. */
export function linked(href, inner) {
  const { nodes, beside } = withoutLinks(inner);
  const link = made(href, nodes);
  const player = playerOf(href);
  if (player) return make("span", { class: "player" }, player, link, beside);
  return beside.length ? make("span", {}, link, beside) : link;
}

const made = (href, inner, name = null) => make("a", { href, rel: "noopener noreferrer", target: "_blank", class: name }, inner);

function playerOf(href) {
  const url = new URL(href);
  if (url.protocol !== "https:") return null;
  if (AUDIO.test(url.pathname)) return make("audio", { controls: true, preload: "none", src: href });
  if (VIDEO.test(url.pathname)) return make("video", { controls: true, preload: isTrusted(url) ? "metadata" : "none", src: href });
  return null;
}

/** What can be clicked itself stands beside a link, not in it: its name stays. */
function withoutLinks(inner) {
  const box = make("span", {}, inner);
  const beside = [...box.querySelectorAll(".player, .held")];
  for (const one of beside) {
    const link = one.querySelector("a");
    one.replaceWith(...link.childNodes);
    link.remove();
  }
  for (const link of box.querySelectorAll("a")) link.replaceWith(...link.childNodes);
  return { nodes: [...box.childNodes], beside };
}

/** Browsers are let load pictures from https and from this gateway alone. */
export function pictured(href, label) {
  const url = new URL(href);
  if (url.protocol !== "https:" && url.origin !== location.origin) return linked(href, [label || href]);
  if (isTrusted(url) || allowed.has(href)) return pictureOf(href, label);
  const show = make("button", { type: "button", class: "small" }, say("show_picture", { host: url.host }));
  const held = make("span", { class: "held" }, made(href, [label || href]), " ", show);
  show.addEventListener("click", () => {
    allowed.add(href);
    held.replaceChildren(pictureOf(href, label));
  });
  return held;
}

function pictureOf(href, label) {
  const image = make("img", { src: href, alt: label, loading: "lazy", referrerpolicy: "no-referrer" });
  image.addEventListener("error", () => image.replaceWith(label || href));
  return made(href, [image], "picture");
}
