// The visitor's page: JupyterLab as it is, a banner above it, and the gate's word on what is going on.
//
// Nothing here protects the owner (the gate does that); it makes a page that tells the truth about itself: what cannot be
// done is not offered, and what happened is said in words.
"use strict";

import { makeBanner, showEnd, toast } from "./banner.js";
import { makeEditor } from "./editing.js";
import { makeHands } from "./hands.js";
import { offerKept } from "./kept.js";
import { connect, tellActivity } from "./live.js";
import { keepPlace, watchForSaves } from "./place.js";
import { makeReadOnly } from "./readonly.js";
import { stopEverything, whenRoomIsLost } from "./sockets.js";
import { watchTyping } from "./typed.js";
import { t } from "./words.js";

const visit = JSON.parse(document.getElementById("sharegate-visit").textContent);
const banner = makeBanner(visit, { leave, read });
let lastServer = "here";
let over = false;
let leaving = false;
let lost = false;
let going = false;
let place = { save() {}, path: () => "" };
let typed = { keep() {}, pending: false };
const hands = makeHands(visit, { say: (word) => live.say(word), toast });

function end(word) {
  if (over) return;
  over = true;
  place.save();
  typed.keep(); // a share that was paused may come back in this tab
  stopEverything();
  showEnd(visit, leaving ? { reason: "left" } : word);
}

async function leave() {
  leaving = true; // the live channel says that the visit ended, and may say it first
  // Fails towards leaving: an answer that does not come must not keep anybody in.
  const answer = fetch(visit.base + "-/leave", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: "{}",
    keepalive: true,
  }).catch(() => null);
  await Promise.race([answer, new Promise((done) => setTimeout(done, 1500))]);
  end({});
}

// The same document, or the folder, in the gate's own pages.
function read() {
  // Before a document is open the address says which it will be.
  const named = location.pathname.slice(visit.base.length).match(/^(?:lab|doc)\/tree\/(.+)$/);
  const open = (place.path() || (named ? "" : visit.root)).split("/").map(encodeURIComponent).join("/");
  place.save();
  typed.keep();
  location.assign(`${visit.base}-/read/${open || named[1]}`);
}

function loadAgain() {
  going = true;
  place.save();
  typed.keep();
  location.reload();
}

// JupyterLab asks "leave this page?" while a document is not saved. What was typed is put aside: nobody is asked.
window.addEventListener("beforeunload", (event) => going && event.stopImmediatePropagation(), true);

const live = connect(visit.base, {
  hear(word) {
    switch (word.type) {
      case "hello":
        if (word.role !== visit.role) return loadAgain();
        banner.expires(word.expires, word.now);
        banner.coowner(word.coowner);
        hands.begin();
        return server(word.server);
      case "server":
        return server(word.state);
      case "expiring":
        return banner.expires(word.expires, word.now);
      case "time":
        return banner.time(word.state);
      case "role":
        return word.role === visit.role && !word.again ? undefined : loadAgain();
      case "coowner":
        return banner.coowner(word.coowner);
      case "changed":
        return place.changed?.(word.path, word.stamp);
      case "asked":
        return hands.heard(word);
      case "writing_ended":
        return writingEnded();
      case "ended":
        return end(word);
    }
  },
  link(state) {
    banner.link(state);
    if (state === "here") live.say({ type: "here", path: place.path() });
  },
});

function server(state) {
  const before = lastServer;
  lastServer = state;
  banner.server(state);
  // What a reader has open belongs to a session that is over. An editor's rooms are the gate's: it closes them when it
  // has to, and what was typed meanwhile goes on to the server otherwise.
  if (state === "here" && before !== "here" && visit.role === "view") loadAgain();
}

const AGAIN = "sharegate-loaded-again";
const READING = "sharegate-only-reading";
const LARGE = "sharegate-too-large";
const SOON = 1200;
const PAUSE = 30_000;

// A room that closes for good is the end of the visit, which the live channel says within this second, or a document that
// was opened anew. Loading again at once and again would be a loop: the second time waits.
whenRoomIsLost((why) => {
  typed.keep();
  if (why === "writing_ended") writingEnded();
  if (why === "update_too_large") sessionStorage.setItem(LARGE, visit.base);
  if (going || lost) return;
  lost = true;
  const since = Date.now() - Number(sessionStorage.getItem(AGAIN));
  const wait = since < PAUSE ? PAUSE - since : SOON;
  if (wait > SOON) banner.again();
  setTimeout(() => {
    if (over) return;
    sessionStorage.setItem(AGAIN, String(Date.now()));
    loadAgain();
  }, wait);
});

// Too much had to be taken back: the visit goes on reading.
function writingEnded() {
  typed.keep();
  if (sessionStorage.getItem(READING) === visit.base) return;
  sessionStorage.setItem(READING, visit.base);
  if (!lost) loadAgain();
}

// Whether this tab heard that writing has ended. A role that the gate gives after it took writing away counts anew.
function mayOnlyRead() {
  const noted = sessionStorage.getItem(READING);
  if (noted === visit.base) {
    if (visit.role === "view") sessionStorage.setItem(READING, `${visit.base} told`);
    return true;
  }
  if (noted === `${visit.base} told` && visit.role !== "view") sessionStorage.removeItem(READING);
  return false;
}

function settle(app) {
  place = keepPlace(app, visit, (path) => live.say({ type: "here", path }));
  const barred = mayOnlyRead();
  const writes = visit.role !== "view" && !barred;
  if (writes) {
    typed = watchTyping(app, visit, () => banner.pending(typed.pending));
    if (visit.role === "edit") makeEditor(app, visit, { toast, ask: hands.ask });
    hands.attach(app);
  } else {
    document.body.classList.replace("sharegate-edit", "sharegate-view");
    if (barred) banner.role("view");
    makeReadOnly(app, visit, toast);
  }
  if (barred) toast(t("lab.only_reading"));
  if (sessionStorage.getItem(LARGE) === visit.base) {
    sessionStorage.removeItem(LARGE);
    toast(t("lab.too_large"));
  }
  if (!visit.collaboration) watchForSaves(app, visit, place, banner);
  app.restored.then(() => offerKept(app, visit, { writes, toast }));
}

// JupyterLab sets window.jupyterapp as soon as it has started, before a document is open.
let held;
Object.defineProperty(window, "jupyterapp", {
  configurable: true,
  get: () => held,
  set(app) {
    held = app;
    settle(app);
  },
});

tellActivity((word) => live.say(word));
