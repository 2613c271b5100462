// Adds what only a browser knows: its own view of the gateway's address, and the clipboard. The page works without it.
"use strict";

const base = new URL(".", location.href).href.replace(/\/$/, "");
for (const element of document.querySelectorAll("[data-base]")) element.textContent = base;

// navigator.clipboard is missing where the page came over plain HTTP from another machine.
async function copy(element) {
  if (navigator.clipboard) return navigator.clipboard.writeText(element.textContent);
  const selection = getSelection();
  selection.selectAllChildren(element);
  if (!document.execCommand("copy")) throw new Error("The browser does not let the page copy.");
  selection.removeAllRanges();
}

for (const button of document.querySelectorAll("button.copy")) {
  const label = button.textContent;
  const text = button.parentElement.querySelector("[data-text]");
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await copy(text);
    } catch {
      getSelection().selectAllChildren(text); // Ctrl+C does the rest
      return;
    }
    button.textContent = button.dataset.copied;
    setTimeout(() => { button.textContent = label; }, 1500);
  });
}
