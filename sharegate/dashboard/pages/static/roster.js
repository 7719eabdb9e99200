// Lists of people in the browser: a file as text, links as a table, and mails one by one.

import { call, sentence } from "./board.js";

const MOST_BYTES = 512 * 1024;
const OTHERS = ["PK\u0003\u0004", "\u00d0\u00cf\u0011\u00e0", "%PDF"];

// As sharegate/rosters/text.py reads it: a text with a note, or what is wrong.
export async function textOf(file) {
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

// One after the other; `told` hears of each. What stops one for all stops here.
export async function mail(ids, told) {
  let sent = 0;
  for (const [at, id] of ids.entries()) {
    const result = await call("POST", `/api/v1/links/${id}/send`);
    sent += result.ok;
    told(id, at + 1, result.ok, result.ok ? (result.said.outcome === "sent" ? "mailed" : "was mailed before") : sentence(result.error));
    if (!result.ok && ["mail_limit", "mail_off"].includes(result.error.code)) break;
  }
  return sent;
}
