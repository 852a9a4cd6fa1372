"use strict";

// Messages in this browser: what it can do, whether it is on, and switching it.
{
  const place = document.getElementById("push");
  const said = document.getElementById("push-said");
  const token = place.querySelector("[name=csrfmiddlewaretoken]").value;
  const isApple = /iPhone|iPad|iPod/.test(navigator.userAgent) ||
    (navigator.platform === "MacIntel" && navigator.maxTouchPoints > 1);
  const isInstalled = navigator.standalone === true || matchMedia("(display-mode: standalone)").matches;

  // The choice of a channel: a list, or the only one.
  function chosen() {
    const field = document.getElementById("push-channel");
    const option = field.selectedOptions?.[0] ?? field;
    return { channelId: option.value, publicKey: option.dataset.key };
  }

  function unpacked(text) {
    const bytes = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    return Uint8Array.from(bytes, (each) => each.charCodeAt(0));
  }

  async function hashed(text) {
    const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
    return Array.from(new Uint8Array(bytes), (each) => each.toString(16).padStart(2, "0")).join("");
  }

  async function subscription() {
    const worker = await navigator.serviceWorker.getRegistration("/");
    return worker ? worker.pushManager.getSubscription() : null;
  }

  // The line of the list that is about this browser.
  async function own() {
    const there = await subscription();
    const hash = there && (await hashed(there.endpoint));
    for (const row of document.querySelectorAll(".browser[data-endpoint]")) {
      const here = row.dataset.endpoint === hash;
      row.querySelector("[data-push-here]").hidden = !here;
      if (here) return row;
    }
    return null;
  }

  function keyOf(channel) {
    const field = document.getElementById("push-channel");
    const options = field.options ? Array.from(field.options) : [field];
    return options.find((option) => option.value === channel)?.dataset.key;
  }

  async function state() {
    if (!window.isSecureContext) return "insecure";
    const can = "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;
    if (!can) return isApple && !isInstalled ? "install" : "unsupported";
    if (Notification.permission === "denied") return "blocked";
    const row = await own();
    if (!row || Notification.permission !== "granted") return "off";
    return row.dataset.key === keyOf(row.dataset.channel) ? "on" : "renew";
  }

  async function show() {
    const now = await state();
    for (const part of place.querySelectorAll("[data-push]")) part.hidden = part.dataset.push !== now;
  }

  function say(words) {
    said.textContent = words;
  }

  async function ask(method, path, body) {
    let answer;
    try {
      answer = await fetch(path, {
        method,
        headers: { "Content-Type": "application/json", "X-CSRFToken": token },
        body: body && JSON.stringify(body),
      });
    } catch {
      throw new Error(said.dataset.away);
    }
    const facts = answer.status === 204 ? {} : await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(facts.error?.message ?? said.dataset.away);
    return facts;
  }

  async function worker() {
    await navigator.serviceWorker.register(place.dataset.worker, { scope: "/", updateViaCache: "none" });
    return navigator.serviceWorker.ready;
  }

  async function subscribe(key) {
    const { pushManager } = await worker();
    try {
      return await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: unpacked(key) });
    } catch (error) {
      throw new Error(error.name === "NotAllowedError" ? said.dataset.refused : said.dataset.nowhere);
    }
  }

  const acts = {
    async on() {
      // First, while the browser still knows that somebody pressed a button.
      if ((await Notification.requestPermission()) !== "granted") throw new Error(said.dataset.refused);
      const wanted = chosen();
      // What it has may be of other keys, and a browser has one at a time.
      await (await subscription())?.unsubscribe();
      const made = await subscribe(wanted.publicKey);
      await ask("POST", place.dataset.subscriptions, { ...made.toJSON(), ...wanted });
    },
    async again() {
      const row = await own();
      const before = await subscription();
      const key = keyOf(row.dataset.channel);
      const wanted = key ? { channelId: row.dataset.channel, publicKey: key } : chosen();
      const replaces = before.endpoint;
      await before.unsubscribe();
      const made = await subscribe(wanted.publicKey);
      await ask("POST", place.dataset.subscriptions, { ...made.toJSON(), ...wanted, replaces });
    },
    async off() {
      const row = await own();
      await (await subscription())?.unsubscribe();
      if (row) await ask("DELETE", `${place.dataset.subscriptions}/${row.dataset.id}`);
    },
    async test() {
      const row = await own();
      const tried = await ask("POST", `${place.dataset.subscriptions}/${row.dataset.id}/test`);
      if (!tried.ok) throw new Error(tried.error);
      say(said.dataset.sent);
    },
  };

  // The list is asked for anew; then what is shown follows from it.
  async function refresh() {
    await htmx.ajax("GET", document.getElementById("browsers").getAttribute("hx-get"), {
      target: "#browsers",
      swap: "outerHTML",
    });
    await show();
  }

  place.addEventListener("click", async ({ target }) => {
    const button = target.closest("[data-push-do]");
    if (!button) return;
    say("");
    button.disabled = true;
    try {
      await acts[button.dataset.pushDo]();
    } catch (error) {
      say(`${said.dataset.failed} ${error.message}`);
    }
    await refresh();
    button.disabled = false;
    // Who pressed it by keyboard goes on from what took its place.
    const next = button.closest("[data-push]").hidden && place.querySelector("[data-push]:not([hidden]) button");
    (next || button).focus();
  });
  document.addEventListener("htmx:afterSwap", show);
  // A new version of the worker is taken at once, if this browser has one.
  navigator.serviceWorker?.getRegistration("/").then((known) => known?.update());
  show();
}
