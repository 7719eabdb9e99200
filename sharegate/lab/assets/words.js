// What this page says, in the visitor's language: data in its head. JupyterLab's own words are JupyterLab's.
"use strict";

const { language, dir, sentences } = JSON.parse(document.getElementById("sharegate-words").textContent);

// For what stands in a page of another language.
export const spoken = { lang: language, dir };

// The sentence, filled in. It is put on the page as text, whatever fills it.
export function t(key, values = {}) {
  return sentences[key].replace(/\{([A-Za-z_]+)\}/g, (_, name) => values[name]);
}

export const knows = (key) => key in sentences;

// Who shares, in the middle of a sentence and at its beginning.
export const by = (owner) => ({ who: owner || t("word.owner"), Who: owner || t("word.Owner") });

// The reader's own order of day and month where they read that language.
const own = (navigator.languages || []).find((tag) => tag.toLowerCase().split("-")[0] === language.toLowerCase());
const written = own || (language === "en" ? "en-GB" : language);

// `at` is in seconds since the epoch.
export const moment = (at, form) => new Intl.DateTimeFormat(written, form).format(new Date(at * 1000));
export const amount = (number, unit) => new Intl.NumberFormat(written, { style: "unit", unit, unitDisplay: "long" }).format(number);
