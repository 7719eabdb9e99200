// Asking for more time, and waiting for the answer in sight of the person. Nothing is opened by asking.

import { ask, form, onSend, say, tell } from "./door.js";
import { t } from "./words.js";

const EVERY = 10000;
let state = "";

// How it stands, as the gate said.
export function time(now) {
  state = now || "";
  tell({ time: state });
}

// `about()` is what is posted to `address`; `look()` finds out how it stands while an answer is waited for.
export function canAskForTime(address, about, look) {
  const element = form("time");
  if (!element) return;
  onSend(element, t("script.asking"), async () => {
    time((await ask(address, about())).state);
    const shown = [...document.querySelectorAll('p[data-when^="time="]')].find((each) => !each.hidden);
    if (shown) say(shown.textContent);
    else await look();
  });
  setInterval(() => {
    if (state === "waiting" && document.visibilityState === "visible") look();
  }, EVERY);
}
