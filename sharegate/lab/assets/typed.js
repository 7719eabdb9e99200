// What was typed in this page and is not known to be saved: which cells, and what stood there before. When the page has
// to load itself again, that text is put aside in this tab (sessionStorage), and kept.js offers it afterwards.
"use strict";

import { documents } from "./place.js";

const MOST = 2 * 1024 * 1024; // characters, all documents of a visit together
// The server saves a second after a change. What was typed shortly before it says "saved" may have come too late for it.
const SETTLED = 2500;

export const storageKey = (visit) => `sharegate-kept ${visit.base}`;

export function readKept(visit) {
  try {
    const kept = JSON.parse(sessionStorage.getItem(storageKey(visit)));
    return Array.isArray(kept) ? kept : [];
  } catch {
    return []; // not ours any more: nothing is offered
  }
}

// Newest first, and no more than fits.
export function writeKept(visit, kept) {
  let room = MOST;
  const fitting = [];
  for (const one of kept) {
    room -= one.source.length + (one.before?.length ?? 0) + 300;
    if (room >= 0) fitting.push(one);
  }
  try {
    if (fitting.length) sessionStorage.setItem(storageKey(visit), JSON.stringify(fitting));
    else sessionStorage.removeItem(storageKey(visit));
  } catch {
    // A browser without room keeps half: better the newest than nothing.
    if (fitting.length > 1) writeKept(visit, fitting.slice(0, Math.ceil(fitting.length / 2)));
  }
}

// The texts of a document: one per cell, or one for a whole file (its id is ""). `cells` is in the document's order.
export function textsOf(context) {
  const shared = context.model.sharedModel;
  if (!shared.cells) return [{ id: "", type: "file", source: shared.getSource() }];
  return shared.cells.map((cell) => ({ id: cell.id, type: cell.cell_type, source: cell.getSource() }));
}

// The id of the cell that a shared type belongs to ("" for a text file), or null when it is no text of a document.
function ownerOf(type, roots) {
  if (!roots.cells) return type === roots.source ? "" : null;
  for (let one = type; one; one = one.parent) {
    if (one.parent && one.parent === roots.cells) return one.get("id");
  }
  return null;
}

// `moved()` is called when `pending` may have changed.
export function watchTyping(app, visit, moved) {
  const followed = new Map();

  function follow(widget) {
    const { context } = widget;
    if (followed.has(context)) return;
    const state = { context, known: new Map(), touched: new Map(), pending: false, last: 0 };
    followed.set(context, state);
    widget.disposed?.connect(() => {
      followed.delete(context);
      moved();
    });
    context.ready.then(() => {
      const shared = context.model.sharedModel;
      const ydoc = shared.ydoc;
      if (!ydoc || context.isDisposed) return;
      for (const { id, source } of textsOf(context)) state.known.set(id, source);
      const roots = { cells: ydoc.share.get("cells"), source: ydoc.share.get("source") };
      ydoc.on("afterTransaction", (change) => changed(state, shared, roots, change));
      context.model.stateChanged.connect((_, news) => news.name === "dirty" && !context.model.dirty && saved(state));
    });
  }

  function changed(state, shared, roots, change) {
    const ids = new Set();
    let structure = false;
    for (const type of change.changed.keys()) {
      if (type === roots.cells) structure = true;
      else {
        const id = ownerOf(type, roots);
        if (id !== null && id !== undefined) ids.add(id);
      }
    }
    if (!structure && ids.size === 0) return;
    const now = new Map();
    // Only a change of the cells' order has all of them looked at.
    if (!shared.cells) now.set("", shared.getSource());
    else for (const cell of shared.cells) if (structure || ids.has(cell.id)) now.set(cell.id, cell.getSource());
    let typed = structure && change.local;
    for (const [id, source] of now) {
      if (state.known.get(id) === source) continue;
      if (change.local) {
        typed = true;
        const before = state.touched.has(id) ? state.touched.get(id).before : (state.known.get(id) ?? null);
        state.touched.set(id, { before, at: Date.now() });
      }
      state.known.set(id, source);
    }
    if (structure) {
      for (const id of state.known.keys()) {
        if (now.has(id)) continue;
        state.known.delete(id);
        state.touched.delete(id);
      }
    }
    if (!typed) return;
    state.pending = true;
    state.last = Date.now();
    moved();
  }

  function saved(state) {
    const age = Date.now() - state.last;
    for (const [id, { at }] of state.touched) if (Date.now() - at >= SETTLED) state.touched.delete(id);
    // What was typed shortly before may be in the next save only, so nothing is called saved until it has had its time.
    if (age < SETTLED) setTimeout(() => !state.context.isDisposed && !state.context.model.dirty && saved(state), SETTLED - age);
    else {
      state.pending = false;
      moved();
    }
  }

  // Everything that is not known to be saved, put aside before the page goes.
  function keep() {
    const fresh = [];
    for (const { context, touched } of followed.values()) {
      if (touched.size === 0 || context.isDisposed) continue;
      const texts = textsOf(context);
      texts.forEach((text, at) => {
        const mine = touched.get(text.id);
        if (!mine || !text.source.trim() || text.source === mine.before) return;
        const after = at > 0 ? texts[at - 1].id : "";
        fresh.push({ path: context.path, ...text, before: mine.before, after, at: mine.at, page: performance.timeOrigin });
      });
    }
    if (!fresh.length) return;
    fresh.sort((one, other) => other.at - one.at);
    // Put aside more than once, while typing goes on, it is one text: the newest.
    const again = (one, each) => each.source === one.source || each.page === one.page;
    const same = (one) => fresh.some((each) => each.path === one.path && each.id === one.id && again(one, each));
    writeKept(visit, [...fresh, ...readKept(visit).filter((one) => !same(one))]);
  }

  const look = () => documents(app).forEach(follow);
  app.shell.layoutModified?.connect(look);
  app.shell.currentChanged?.connect(look);
  look();
  window.addEventListener("pagehide", keep);
  return {
    keep,
    get pending() {
      return [...followed.values()].some((state) => state.pending);
    },
  };
}
