// The visitor's page: JupyterLab as it is, a banner above it, and the gate's word on what is going on.
//
// Nothing here protects the owner (the gate does that); it makes a page that tells the truth about itself: what cannot be
// done is not offered, and what happened is said in words.
"use strict";

import { makeBanner, showEnd, toast } from "./banner.js";
import { connect } from "./live.js";
import { keepPlace, watchForSaves } from "./place.js";
import { makeReadOnly } from "./readonly.js";
import { stopEverything, whenRoomIsLost } from "./sockets.js";

const visit = JSON.parse(document.getElementById("sharegate-visit").textContent);
const banner = makeBanner(visit, { leave });
let lastServer = "here";
let over = false;
let leaving = false;
let place = { save() {}, path: () => "" };

function end(word) {
  if (over) return;
  over = true;
  place.save();
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

function loadAgain() {
  place.save();
  location.reload();
}

const live = connect(visit.base, {
  hear(word) {
    switch (word.type) {
      case "hello":
        if (word.role !== visit.role) return loadAgain();
        banner.expires(word.expires, word.now);
        return server(word.server);
      case "server":
        return server(word.state);
      case "expiring":
        return banner.expires(word.expires, word.now);
      case "role":
        return word.role === visit.role ? undefined : loadAgain();
      case "changed":
        return place.changed?.(word.path, word.stamp);
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
  // A server that was away has another document session, and JupyterLab's own answer to that is a dialog.
  if (state === "here" && before !== "here") loadAgain();
}

const AGAIN = "sharegate-loaded-again";

// A room that closes for good is either the end of the visit, which the live channel says within this second, or a
// restart too quick to be noticed. Once in a while is a restart; again at once would be a loop.
whenRoomIsLost(() => {
  if (visit.role !== "view") return;
  setTimeout(() => {
    if (over || Date.now() - Number(sessionStorage.getItem(AGAIN)) < 30_000) return;
    sessionStorage.setItem(AGAIN, String(Date.now()));
    loadAgain();
  }, 1200);
});

function settle(app) {
  place = keepPlace(app, visit, (path) => live.say({ type: "here", path }));
  if (visit.role === "view") makeReadOnly(app, visit, toast);
  if (!visit.collaboration) watchForSaves(app, visit, place, banner);
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
