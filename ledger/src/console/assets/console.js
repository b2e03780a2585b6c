// Makes the pages a little better; each works without it.
"use strict";

// Copies what a field holds, and says so where a screen reader hears it.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  const field = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(field.value);
    button.textContent = "Copied";
  } catch {
    // Without the clipboard (plain HTTP to another machine): mark it, so that one key copies it.
    field.select();
    button.textContent = "Press Ctrl+C";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 3000);
});

// One box that chooses all of a table, where there are boxes.
for (const table of document.querySelectorAll("table")) {
  const boxes = [...table.querySelectorAll("tbody input[type=checkbox]")];
  const head = table.querySelector("thead th");
  if (boxes.length < 2) continue;
  const all = document.createElement("input");
  all.type = "checkbox";
  all.setAttribute("aria-label", "Choose all on this page");
  all.addEventListener("change", () => boxes.forEach((box) => { box.checked = all.checked; }));
  head.replaceChildren(all);
}

// A form is sent once, however often its button is pressed.
document.addEventListener("submit", (event) => {
  if (event.target.method !== "post") return;
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "yes";
  // A download leaves the page as it is.
  setTimeout(() => { delete event.target.dataset.sent; }, 3000);
});

// A page that changes by itself is loaded again, unless somebody is about to do something on it.
const again = document.querySelector("[data-again]");
if (again) {
  setInterval(() => {
    if (!document.hidden && !document.activeElement?.closest("main form, main table")) location.reload();
  }, again.dataset.again * 1000);
}

// The page that one is on.
for (const link of document.querySelectorAll("header nav a")) {
  const here = location.pathname === link.pathname || (link.pathname !== "/" && location.pathname.startsWith(link.pathname + "/"));
  if (here) link.setAttribute("aria-current", "page");
}
