// Asking the owner to run a cell: what this visit has asked, shown at the cell, and taken back there.
"use strict";

import { el } from "./banner.js";
import { documents } from "./place.js";
import { by, spoken, t } from "./words.js";

const MOST = 5;
const MAX_SOURCE = 64 * 1024; // bytes of UTF-8; the gate reads no more

const keyOf = (path, cell) => `${path}\n${cell}`;
const bytes = (text) => new TextEncoder().encode(text).length;

// `say(word)` sends on the live channel and tells whether it could.
export function makeHands(visit, { say, toast }) {
  const names = by(visit.owner);
  const up = new Map(); // key → the source that was asked for (null: asked before this page was loaded)
  const told = new Set(); // keys of which the gate has said that they wait
  const followed = new WeakSet();
  let app = null;

  function ask(panel, cell) {
    const source = cell.model.sharedModel.getSource();
    const path = panel.context.path;
    const key = keyOf(path, cell.model.id);
    if (!source.trim()) return;
    if (up.get(key) === source) return toast(t("lab.hand_twice", names));
    if (!up.has(key) && up.size >= MOST) return toast(t("lab.hand_most", { ...names, count: MOST }));
    if (bytes(source) > MAX_SOURCE) return toast(t("lab.hand_long"));
    if (!say({ type: "ask", path, cell: cell.model.id, source })) return toast(t("lab.hand_away"));
    up.set(key, source);
    told.delete(key);
    show();
  }

  function withdraw(path, id) {
    if (!say({ type: "withdraw", path, cell: id })) return toast(t("lab.hand_stays"));
    up.delete(keyOf(path, id));
    show();
  }

  function heard({ path, cell, state }) {
    const key = keyOf(path, cell);
    const mine = up.has(key);
    if (state === "waiting") {
      if (!mine) up.set(key, null);
      else if (up.get(key) !== null && !told.has(key)) toast(t("lab.hand_asked", names));
      told.add(key);
    } else {
      // Another source was asked for in the same breath: the word is about the former one.
      const again = state === "changed" && mine && !told.has(key);
      told.delete(key);
      if (!again) up.delete(key);
      if (WORDS[state] && mine && !again) toast(t(WORDS[state], names));
    }
    show();
  }

  // The channel is new: the gate says anew what it knows, and what it does not know is not waited for.
  function begin() {
    up.clear();
    told.clear();
    show();
  }

  function show() {
    if (!app) return;
    for (const widget of documents(app)) {
      for (const cell of widget.content?.widgets ?? []) mark(widget.context.path, cell);
    }
  }

  function mark(path, cell) {
    if (!cell.model) return;
    const wanted = up.has(keyOf(path, cell.model.id));
    const present = cell.node.querySelector(":scope > .sg-hand");
    if (!wanted) return present?.remove();
    if (present) return undefined;
    const back = el("button", { type: "button", onclick: () => withdraw(path, cell.model.id) }, t("lab.hand_back"));
    return cell.node.append(el("div", { ...spoken, class: "sg-hand" }, el("span", {}, t("lab.hand_waits", names)), back));
  }

  function attach(found) {
    app = found;
    const follow = () => {
      for (const widget of documents(app)) {
        if (!widget.content?.model?.cells || followed.has(widget)) continue;
        followed.add(widget);
        widget.context.ready.then(() => {
          show();
          widget.content.model?.cells.changed.connect(() => setTimeout(show));
        });
      }
    };
    app.shell.layoutModified?.connect(follow);
    follow();
  }

  return { ask, heard, begin, attach };
}

const WORDS = {
  ran: "lab.hand_ran",
  declined: "lab.hand_declined",
  changed: "lab.hand_changed",
  moved: "lab.hand_moved",
  closed: "lab.hand_closed",
  full: "lab.hand_full",
};
