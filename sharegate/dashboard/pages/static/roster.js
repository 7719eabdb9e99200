// Lists of people in the browser: a file as text, links as a table, and mails one by one.

import { call, sentence } from "./board.js";
import { clear, show } from "./fields.js";

const MOST_BYTES = 512 * 1024;
const OTHERS = ["PK\u0003\u0004", "\u00d0\u00cf\u0011\u00e0", "%PDF"];

// As sharegate/rosters/text.py reads it: a text with a note, or what is wrong.
async function textOf(file) {
  if (file.size > MOST_BYTES) return { fault: "The file is larger than 512 kB. Leave out the columns that are no names." };
  const bytes = new Uint8Array(await file.arrayBuffer());
  const begin = String.fromCharCode(...bytes.slice(0, 4));
  const wrong = { fault: "This is no CSV file but that of another program. In the spreadsheet choose Save as, CSV UTF-8." };
  if (OTHERS.some((one) => begin.startsWith(one))) return wrong;
  const wide = begin.startsWith("\u00ff\u00fe") ? "utf-16le" : begin.startsWith("\u00fe\u00ff") ? "utf-16be" : "";
  let text;
  let note = "";
  try {
    text = new TextDecoder(wide || "utf-8", { fatal: true }).decode(bytes);
  } catch {
    if (wide) return wrong;
    text = new TextDecoder("windows-1252").decode(bytes);
    note = "It is not UTF-8 and was read as Windows writes it: look at the names.";
  }
  return text.includes("\0") ? wrong : { text, note };
}

// What a spreadsheet would run gets an apostrophe in front, as in sharegate/audit/sheet.py.
const FORMULA = /(^|[;|\t\r\n])(?=[\s"]*[=+\-@＝＋－＠])|^(?=[\t\r\n])/g;
const cell = (value) => {
  const harmless = value.replace(FORMULA, "$1'");
  return /[",;\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
};

// The table is made here, of links that this page shows: they lie in no address and in no file of the gate.
export function merge(columns, rows, name) {
  const text = [columns, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

const TOLD = { sent: "mailed", already: "was mailed before", unsure: "may have been mailed before: ask whether it arrived" };

// One after the other; `told` hears of each. What stops one for all stops here.
export async function mail(ids, told) {
  let sent = 0;
  for (const [at, id] of ids.entries()) {
    const result = await call("POST", `/api/v1/links/${id}/send`);
    sent += result.ok;
    told(id, at + 1, result.ok, result.ok ? TOLD[result.said.outcome] : sentence(result.error));
    if (!result.ok && ["mail_limit", "mail_off"].includes(result.error.code)) break;
  }
  return sent;
}

// -- a list, and what would be made of it ---------------------------------------------------------------------------

export const count = (number, one, many) => `${number} ${number === 1 ? one : many}`;
export function element(name, words, more = {}) {
  const made = document.createElement(name);
  made.append(...[words].flat());
  return Object.assign(made, more);
}
// What somebody else named: its direction stays its own.
export const named = (text, kind = "") => element("bdi", text, { className: kind });

// What is wrong: by rows in `rows`, the rest beside its field.
export function refused(form, rows, error) {
  // A problem document tells several apart in `errors`.
  const several = (error.errors || []).map(({ field, detail, remedy }) => ({ field, message: detail, remedy }));
  const faults = several.length ? several : [error];
  const ofRows = faults.filter((one) => /^roster row /.test(one.field || ""));
  const others = faults.filter((one) => !ofRows.includes(one));
  // Several of one field are told together.
  const fields = [...new Set(others.map((one) => one.field))];
  const joined = fields.map((field) => {
    const same = others.filter((one) => one.field === field);
    return { field, message: same.map((one) => one.message).join("; "), remedy: same[0].remedy };
  });
  if (joined.length) show(form, { faults: joined });
  rows.hidden = !ofRows.length;
  rows.replaceChildren(...ofRows.map((one) => {
    const where = one.field.replace(/^roster row /, "Row ");
    return element("li", [`${where}: `, named(one.message), `.${one.remedy ? ` ${one.remedy}.` : ""}`]);
  }));
  if (!ofRows.length) return;
  const list = form.elements.roster;
  list.setAttribute("aria-invalid", "true");
  list.setAttribute("aria-describedby", rows.id);
  list.focus();
}

// A chosen file becomes the form's list, or stands there as what is wrong with it.
export async function fill(form, input, rows, readAs) {
  const [file] = input.files;
  const { text, note, fault } = await textOf(file);
  // The same file, mended and chosen again, is read again.
  input.value = "";
  clear(form);
  rows.hidden = true;
  readAs.replaceChildren();
  if (fault) return show(form, { message: fault.replace(/\.$/, ""), field: "roster" });
  form.elements.roster.value = text;
  form.dataset.dirty = "";
  readAs.replaceChildren(named(file.name), " was read. ", note);
}

export async function once(button, does) {
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  try {
    await does();
  } finally {
    button.removeAttribute("aria-disabled");
  }
}
