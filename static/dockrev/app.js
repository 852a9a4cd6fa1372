"use strict";

// `/` puts the cursor into the search field of the page.
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, [contenteditable]")) return;
  const field = document.querySelector("[data-focus-key='/']");
  if (!field) return;
  event.preventDefault();
  field.focus();
  field.select();
});

// Copying. The clipboard API needs https; on plain http a selection does the same.
async function copy(text) {
  if (navigator.clipboard && window.isSecureContext) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "said";
  field.setAttribute("readonly", "");
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

function textOfLog(log) {
  return Array.from(log.querySelectorAll("li:not(.log-more)"), (line) =>
    line.innerText.replace(/\s*\n\s*/g, " ").trim()
  ).join("\n");
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-from]");
  if (!button) return;
  const source = button.dataset.copyFrom && document.querySelector(button.dataset.copyFrom);
  await copy(!source ? button.dataset.copy : source.matches("ol") ? textOfLog(source) : source.innerText);
  const word = button.querySelector(".copy-word");
  const before = word.dataset.before ?? word.textContent;
  word.dataset.before = before;
  word.textContent = button.dataset.copied;
  button.focus();
  setTimeout(() => (word.textContent = before), 2000);
});

// A log follows its end, unless the reader scrolled up.
const follows = new WeakMap();

function atEnd(log) {
  return log.scrollHeight - log.scrollTop - log.clientHeight < 24;
}

function followLogs() {
  for (const log of document.querySelectorAll("[data-follow]")) {
    if (follows.get(log) ?? true) log.scrollTop = log.scrollHeight;
  }
}

document.addEventListener(
  "scroll",
  ({ target }) => {
    if (target.matches?.("[data-follow]")) follows.set(target, atEnd(target));
  },
  true
);
document.addEventListener("htmx:afterSwap", followLogs);
followLogs();

// What comes anew keeps what was open in it, and the keyboard's place where no id keeps that.
const named = (e) => e.href || e.dataset.copy || e.ariaLabel || [e.textContent, e.value, e.form?.action].join();
const alike = (e) => Array.from(document.getElementsByTagName(e.localName)).filter((each) => named(each) === named(e));
let kept = [];
document.addEventListener("htmx:beforeSwap", () => {
  const all = [document.activeElement, ...document.querySelectorAll("[open] > summary")];
  kept = all.map((e) => [e, alike(e).indexOf(e)]);
});
document.addEventListener("htmx:afterSwap", () => {
  const came = kept.map(([e, at]) => (e.isConnected ? null : alike(e)[at]));
  for (const summary of came.slice(1)) summary?.parentElement.toggleAttribute("open", true);
  if (document.activeElement === document.body) came[0]?.focus({ preventScroll: true });
  kept = [];
});

// A page that nobody sees does not ask; it asks as soon as it is seen again.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && event.detail.requestConfig.verb === "get") event.preventDefault();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) htmx.trigger(document.body, "changed");
});

// When the server does not answer, what is shown may be old, and the page says so.
function offline(is) {
  document.getElementById("offline").hidden = !is;
}
document.addEventListener("htmx:sendError", () => offline(true));
document.addEventListener("htmx:afterRequest", (event) => {
  const status = event.detail.xhr.status;
  if (status) offline(status >= 500);
});

// What was refused is sent again as a plain form, so that the server's page says why.
document.addEventListener("htmx:responseError", ({ detail }) => {
  if (detail.xhr.status < 500 && detail.elt.matches("form")) detail.elt.submit();
});

// A form of settings can be saved once something in it changed; leaving with changes asks.
const changed = new Set();
for (const form of document.querySelectorAll("form[data-keeps]")) {
  const save = form.querySelector(".button-main");
  const failed = form.querySelector("[aria-invalid]") || form.dataset.keeps === "changed";
  save.disabled = !failed;
  form.addEventListener("input", () => {
    save.disabled = false;
    changed.add(form);
  });
  form.addEventListener("submit", () => changed.delete(form));
}
window.addEventListener("beforeunload", (event) => {
  if (changed.size) event.preventDefault();
});

// What a script alone can do is hidden where there is none: finding in a long list, another row.
for (const each of document.querySelectorAll(".needs-script")) each.hidden = false;
document.addEventListener("input", ({ target }) => {
  if (!target.dataset.narrows) return;
  const words = target.value.trim().toLowerCase();
  for (const label of document.querySelectorAll(`${target.dataset.narrows} label`)) {
    label.hidden = !label.textContent.toLowerCase().includes(words);
  }
});
document.addEventListener("click", ({ target }) => {
  if (!target.dataset?.adds) return;
  const rows = target.parentElement.querySelectorAll(`.${target.dataset.adds}`);
  const row = rows[rows.length - 1].cloneNode(true);
  for (const field of row.querySelectorAll("input")) {
    field.value = "";
    field.removeAttribute("id");
    field.ariaLabel = field.ariaLabel.replace(rows.length, rows.length + 1);
  }
  target.before(row);
  row.querySelector("input").focus();
});

// A menu closes by a click elsewhere, and by Escape.
function closeMenus(except) {
  for (const menu of document.querySelectorAll(".menu[open]")) if (menu !== except) menu.open = false;
}
document.addEventListener("click", ({ target }) => closeMenus(target.closest("summary")?.parentElement));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  document.querySelector(".menu[open] summary")?.focus();
  closeMenus();
});
