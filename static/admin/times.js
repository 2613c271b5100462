// Times as the browser's own clock has them, and the browser's distance from UTC, told to the gateway for its charts.

const locale = document.documentElement.lang;
const clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(locale, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const whole = new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "long" });

/** `m:ss`. */
export function countdown(seconds) {
  const rounded = Math.max(0, Math.round(seconds));
  return `${Math.floor(rounded / 60)}:${String(rounded % 60).padStart(2, "0")}`;
}

/** Writes each `<time>` of a part of the page: the hour alone where it is today's. */
export function showTimes(part = document) {
  const today = new Date().toDateString();
  for (const time of part.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    const text = (at.toDateString() === today ? clock : day).format(at);
    if (time.textContent === text && time.title) continue; // what somebody has selected stays selected
    time.textContent = text;
    time.title = whole.format(at);
  }
}

/** Whether the gateway did not know yet how far this browser is from UTC; it does from now on. */
export function tellOffset(root) {
  const offset = -new Date().getTimezoneOffset();
  const known = document.cookie.split("; ").includes(`poe2openai_offset=${offset}`);
  if (!known) document.cookie = `poe2openai_offset=${offset}; path=${root}/admin; max-age=31536000; samesite=strict`;
  return !known && offset !== 0;
}
