// Asking the owner to run a cell: what this visit has asked, shown at the cell, and taken back there.
"use strict";

import { el } from "./banner.js";
import { documents } from "./place.js";

const MOST = 5;
const MAX_SOURCE = 64 * 1024; // bytes of UTF-8; the gate reads no more

const keyOf = (path, cell) => `${path}\n${cell}`;
const bytes = (text) => new TextEncoder().encode(text).length;

// `say(word)` sends on the live channel and tells whether it could.
export function makeHands(visit, { say, toast }) {
  const up = new Map(); // key → the source that was asked for (null: asked before this page was loaded)
  const told = new Set(); // keys of which the gate has said that they wait
  const followed = new WeakSet();
  let app = null;

  function ask(panel, cell) {
    const source = cell.model.sharedModel.getSource();
    const path = panel.context.path;
    const key = keyOf(path, cell.model.id);
    if (!source.trim()) return;
    if (up.get(key) === source) return toast(`${visit.owner} has been asked to run this cell already.`);
    if (!up.has(key) && up.size >= MOST) return toast(`${MOST} cells wait for ${visit.owner} already. Take one back first.`);
    if (bytes(source) > MAX_SOURCE) return toast("This cell is too long to ask for.");
    if (!say({ type: "ask", path, cell: cell.model.id, source })) return toast("Not asked: the connection is away just now.");
    up.set(key, source);
    told.delete(key);
    show();
  }

  function withdraw(path, id) {
    if (!say({ type: "withdraw", path, cell: id })) return toast("Not taken back: the connection is away just now.");
    up.delete(keyOf(path, id));
    show();
  }

  function heard({ path, cell, state }) {
    const key = keyOf(path, cell);
    const mine = up.has(key);
    if (state === "waiting") {
      if (!mine) up.set(key, null);
      else if (up.get(key) !== null && !told.has(key)) toast(`Asked ${visit.owner} to run this cell.`);
      told.add(key);
    } else {
      // Another source was asked for in the same breath: the word is about the former one.
      const again = state === "changed" && mine && !told.has(key);
      told.delete(key);
      if (!again) up.delete(key);
      const sentence = WORDS[state]?.(visit.owner);
      if (sentence && mine && !again) toast(sentence);
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
    const back = el("button", { type: "button", onclick: () => withdraw(path, cell.model.id) }, "Take back");
    return cell.node.append(el("div", { class: "sg-hand" }, el("span", {}, `Asked ${visit.owner} to run this`), back));
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
  ran: (owner) => `${owner} ran the cell.`,
  declined: (owner) => `${owner} did not run the cell.`,
  changed: () => "The cell was changed after you asked. Ask again to have it run as it is now.",
  moved: () => "The notebook was renamed or moved after you asked. Ask again.",
  closed: () => "The cell is not asked for any more: the notebook was closed or moved. Open it and ask again.",
  full: (owner) => `Too many cells wait for ${owner} just now.`,
};
