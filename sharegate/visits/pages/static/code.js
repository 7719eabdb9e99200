// The page where a short code is typed. What came in the fragment (the QR code on the wall) is filled in and leaves the
// address bar; nothing is sent before the person clicks.

import { Problem, ask, form, onSend, wrong } from "./door.js";
import { t } from "./words.js";

const field = form("code").querySelector("input");
const plain = (text) => text.replace(/[^A-Za-z0-9]/g, "").toUpperCase();

const given = plain(location.hash.slice(1));
if (location.hash || location.href.endsWith("#")) history.replaceState(null, "", location.pathname);
if (given.length === 8) field.value = `${given.slice(0, 4)} ${given.slice(4)}`;
else field.focus();

onSend(form("code"), t("script.asking"), async () => {
  const code = plain(field.value);
  if (code.length !== 8) {
    wrong(field);
    throw new Problem("short_code_invalid", t("script.type_short_code"));
  }
  try {
    const said = await ask("/code", { code });
    // Its door may be on a host of its own.
    location.replace(String(said.location));
    return true;
  } catch (problem) {
    if (problem instanceof Problem && problem.code === "short_code_invalid") wrong(field);
    throw problem;
  }
});
