// After the page loaded itself again: what was typed and is not in the document is offered, cell by cell.
"use strict";

import { el, keepKeys } from "./banner.js";
import { documents } from "./place.js";
import { readKept, textsOf, writeKept } from "./typed.js";
import { spoken, t } from "./words.js";

const OPENING = 20_000;
const COMPARED = 300; // lines; comparing takes time that grows with the product of both

export function offerKept(app, visit, { writes, toast }) {
  let kept = readKept(visit);
  const unfit = new Set(kept); // not compared with its document yet
  let panel = null;
  if (kept.length === 0) return;

  function store(next) {
    kept = next;
    writeKept(visit, kept);
    draw();
  }

  const opened = (path) => documents(app).find((one) => one.context.path === path);
  const opening = new Set();
  const look = () => {
    for (const path of new Set([...unfit].map((one) => one.path))) {
      const widget = opened(path);
      if (!widget || opening.has(path)) continue;
      opening.add(path);
      widget.context.ready.then(() => compare(path, widget.context));
    }
  };

  function compare(path, context) {
    const texts = textsOf(context);
    for (const one of [...unfit]) {
      if (one.path !== path) continue;
      unfit.delete(one);
      if (isThere(one, texts)) kept = kept.filter((each) => each !== one);
    }
    store(kept);
  }

  async function putBack(one) {
    let widget = opened(one.path);
    if (!widget) widget = await app.commands.execute("docmanager:open", { path: one.path });
    if (!widget?.context) return toast(t("lab.kept_no_file"));
    await widget.context.ready;
    const where = write(one, widget.context.model.sharedModel);
    if (!where) return toast(t("lab.kept_changed"));
    store(kept.filter((each) => each !== one));
    toast(t(where === "same" ? "lab.kept_done" : "lab.kept_beside"));
  }

  const dismissAll = () => store(kept.filter((one) => unfit.has(one)));

  function draw() {
    const folded = panel !== null && !panel.querySelector("details").open;
    panel?.remove();
    panel = null;
    const shown = kept.filter((one) => !unfit.has(one));
    if (!shown.length) return;
    panel = el(
      "aside",
      { ...spoken, id: "sharegate-kept", role: "region", "aria-label": t("lab.kept") },
      // Folded it is one line, out of the way of the document.
      el(
        "details",
        folded ? {} : { open: "" },
        el("summary", {}, heading(shown)),
        el("p", { class: "sg-why" }, t(writes ? "lab.kept_why" : "lab.kept_reading")),
        ...shown.map((one) => item(one)),
        ...(shown.length > 1 ? [el("div", { class: "sg-row" }, button(t("lab.kept_dismiss_all"), dismissAll))] : []),
      ),
    );
    keepKeys(panel);
    document.body.append(panel);
  }

  function item(one) {
    const widget = opened(one.path);
    const current = widget?.context.isReady ? textsOf(widget.context).find((text) => text.id === one.id)?.source : undefined;
    const lines = difference(current ?? "", one.source).map(([sign, line]) =>
      el("div", { class: sign === "+" ? "sg-plus" : sign === "-" ? "sg-minus" : "" }, `${sign} ${line}`),
    );
    return el(
      "section",
      {},
      el("div", { class: "sg-where" }, one.path.split("/").pop()),
      el("div", { class: "sg-diff", tabindex: "0" }, ...lines),
      el(
        "div",
        { class: "sg-row" },
        button(t("lab.kept_dismiss"), () => store(kept.filter((each) => each !== one))),
        button(t("lab.kept_copy"), () => copy(one.source, toast)),
        ...(writes ? [button(t("lab.kept_put_back"), () => putBack(one), "sg-main")] : []),
      ),
    );
  }

  app.shell.layoutModified?.connect(look);
  look();
  // A document that does not open by itself is offered all the same: it is opened when its text is put back.
  setTimeout(() => {
    for (const one of [...unfit]) if (!opening.has(one.path)) unfit.delete(one);
    draw();
  }, OPENING);
}

const button = (label, onclick, kind = "") => el("button", { type: "button", class: kind, onclick }, label);

export function heading(shown) {
  const files = shown.filter((one) => one.type === "file").length;
  const cells = shown.length - files;
  const one = new Set(shown.map((each) => each.path)).size === 1;
  const file = one ? shown[0].path.split("/").pop() : t("lab.kept_files");
  if (cells && !files) return cells === 1 ? t("lab.kept_cell", { file }) : t("lab.kept_cells", { file, count: cells });
  return shown.length === 1 ? t("lab.kept_text", { file }) : t("lab.kept_places", { file, count: shown.length });
}

// Whether nothing of a kept text is missing: it stands in some cell as it was, or its cell has every line of it.
export function isThere(one, texts) {
  const mine = bare(one.source);
  if (texts.some((text) => bare(text.source) === mine)) return true;
  const cell = texts.find((text) => text.id === one.id);
  return cell !== undefined && hasLinesOf(cell.source, one.source);
}

const bare = (text) => text.replace(/[ \t\r]+$/gm, "").trimEnd();

// Whether every line of `part` stands in `whole` as often (empty ones aside).
function hasLinesOf(whole, part) {
  const there = new Map();
  for (const line of bare(whole).split("\n")) there.set(line, (there.get(line) ?? 0) + 1);
  return bare(part).split("\n").every((line) => {
    if (!line.trim()) return true;
    const left = there.get(line) ?? 0;
    there.set(line, left - 1);
    return left > 0;
  });
}

// Whether writing the kept text over `current` takes nothing away from it that stood there otherwise.
const mayReplace = (one, current) =>
  current === one.before || one.source.startsWith(current) || hasLinesOf(one.source, current);

// An ordinary edit: into its cell where that is as it was, else into a new cell below. "" when neither is possible.
function write(one, shared) {
  if (!shared.cells) {
    if (!mayReplace(one, shared.getSource())) return "";
    shared.setSource(one.source);
    return "same";
  }
  const at = shared.cells.findIndex((cell) => cell.id === one.id);
  if (at >= 0 && mayReplace(one, shared.cells[at].getSource())) {
    shared.cells[at].setSource(one.source);
    return "same";
  }
  const neighbour = at >= 0 ? at : shared.cells.findIndex((cell) => cell.id === one.after);
  const place = neighbour >= 0 ? neighbour + 1 : shared.cells.length;
  const type = ["code", "markdown", "raw"].includes(one.type) ? one.type : "code";
  shared.insertCell(place, { cell_type: type, source: one.source, metadata: {} });
  return "new";
}

// Lines of `before` and `after` as ["-"|"+"|" ", line], with one unchanged line around each change.
export function difference(before, after) {
  const old = before ? before.split("\n").slice(0, COMPARED) : [];
  const now = after.split("\n").slice(0, COMPARED);
  const longest = Array.from({ length: old.length + 1 }, () => new Uint16Array(now.length + 1));
  for (let i = old.length - 1; i >= 0; i -= 1) {
    for (let j = now.length - 1; j >= 0; j -= 1) {
      longest[i][j] = old[i] === now[j] ? longest[i + 1][j + 1] + 1 : Math.max(longest[i + 1][j], longest[i][j + 1]);
    }
  }
  const lines = [];
  let i = 0;
  let j = 0;
  while (i < old.length || j < now.length) {
    if (i < old.length && j < now.length && old[i] === now[j]) lines.push([" ", now[j]]), (i += 1), (j += 1);
    else if (i < old.length && (j === now.length || longest[i + 1][j] >= longest[i][j + 1])) lines.push(["-", old[i]]), (i += 1);
    else lines.push(["+", now[j]]), (j += 1);
  }
  return lines.filter(([sign], at) => sign !== " " || lines[at - 1]?.[0].trim() || lines[at + 1]?.[0].trim());
}

async function copy(text, toast) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // No clipboard on plain http: the old way, through a selection.
    const area = el("textarea", { class: "sg-copy", "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (!done) return toast(t("lab.not_copied"));
  }
  toast(t("lab.copied"));
}
