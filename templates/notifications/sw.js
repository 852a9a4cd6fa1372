{% load static %}"use strict";

// Shows what is pushed, and opens it. It keeps nothing and answers no requests.

const ICON = "{% static 'dockrev/icon-192.png' %}";
const BADGE = "{% static 'dockrev/badge.png' %}";
const KEY = "/api/web-push/key";
const SUBSCRIPTIONS = "/api/web-push/subscriptions";

self.addEventListener("install", () => self.skipWaiting());

// The address of a page of ours, whatever was sent.
function ours(path) {
  try {
    const url = new URL(path, self.location.origin);
    if (url.origin === self.location.origin) return url.href;
  } catch {
    // as for any other that is not ours
  }
  return `${self.location.origin}/`;
}

function told(event) {
  try {
    return event.data.json();
  } catch {
    return {};
  }
}

async function show(event) {
  const message = told(event);
  const tag = message.tag || message.id || "dockrev";
  const before = await self.registration.getNotifications({ tag });
  await self.registration.showNotification(message.title || "Dockrev", {
    body: message.body || "",
    tag,
    // What is new about the same thing is heard; the same again is not.
    renotify: before.length > 0 && !before.some((shown) => shown.data?.id === message.id),
    requireInteraction: message.urgent === true,
    icon: ICON,
    badge: BADGE,
    data: { id: message.id, url: message.url },
  });
}

async function open(address) {
  const tabs = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const there = tabs.find((tab) => tab.url.split("#")[0] === address.split("#")[0]);
  return there ? there.focus() : self.clients.openWindow(address);
}

// The browser has a new address to be pushed to, or none any more.
async function renew(event) {
  const answer = await fetch(KEY, { credentials: "same-origin", redirect: "error" });
  if (!answer.ok) return; // signed out: the settings page says that this browser is off
  const { publicKey, channels, csrfToken } = await answer.json();
  const before = event.oldSubscription;
  const known = before && packed(before.options?.applicationServerKey);
  const channel = channels.find((each) => each.publicKey === known);
  const key = channel ? channel.publicKey : publicKey;
  const made =
    event.newSubscription ??
    (await self.registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key }));
  await fetch(SUBSCRIPTIONS, {
    method: "POST",
    credentials: "same-origin",
    headers: { "Content-Type": "application/json", "X-CSRFToken": csrfToken },
    body: JSON.stringify({
      ...made.toJSON(),
      publicKey: key,
      ...(channel && { channelId: channel.id }),
      ...(before && { replaces: before.endpoint }),
    }),
  });
}

function packed(key) {
  if (!key) return "";
  const text = btoa(String.fromCharCode(...new Uint8Array(key)));
  return text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

self.addEventListener("push", (event) => event.waitUntil(show(event)));
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(ours(event.notification.data?.url ?? "/")));
});
self.addEventListener("pushsubscriptionchange", (event) => event.waitUntil(renew(event)));
