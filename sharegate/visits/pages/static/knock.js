// Knocking, and waiting for the answer in sight of the person.

import { Problem, ask, enter, inWords, onSend, put, say, show, tell, wrong } from "./door.js";
import { ago } from "./moments.js";
import { t } from "./words.js";

const EVERY = 2000;
const PATIENT = 60;

let back = "";

// Let `form` knock with what `about(same, name, passphrase)` gives; `section` is where "Knock again" leads. `before` may
// make something else of the click.
export function canKnock(form, section, about, failed = () => false, before = () => false) {
  onSend(form, t("script.knocking"), async () => {
    try {
      if (await before(form)) return;
    } catch (problem) {
      if (await failed(problem)) return;
      throw problem;
    }
    const who = form.querySelector("input[name=who]:checked");
    const name = form.querySelector("input[name=name]").value.trim();
    const secret = form.querySelector("input[name=passphrase]");
    const passphrase = secret.closest("[hidden]") ? "" : secret.value;
    let answer;
    try {
      answer = await ask("/join/knock", about(Boolean(who) && who.value === "same", name, passphrase));
      secret.value = "";
    } catch (problem) {
      if (problem instanceof Problem && problem.code === "passphrase_wrong") wrong(secret);
      if (await failed(problem)) return;
      throw problem;
    }
    back = section;
    tell({ patience: "short" });
    put("waited", t("script.knocked_now"));
    put("trouble", "");
    show("waiting", true);
    wait(String(answer.knock));
  });
}

async function wait(knock) {
  const since = Date.now();
  for (;;) {
    await nextTurn(EVERY);
    let answer;
    try {
      answer = await ask("/join/knock/state", { knock });
      put("trouble", "");
    } catch (problem) {
      // Being offline or asking too often passes; whatever else the gate refuses does not.
      if (problem instanceof Problem && ["offline", "too_many", "fault", "gate_restarting", "gate_fault"].includes(problem.code)) {
        put("trouble", t("script.keeps_trying", { message: inWords(problem) }));
        await nextTurn(Math.max(problem.wait * 1000, EVERY));
        continue;
      }
      show("gone", true);
      return;
    }
    if (answer.state === "admitted") {
      show("admitted", true);
      enter(answer);
      return;
    }
    if (answer.state === "refused" || answer.state === "gone") {
      show(answer.state, true);
      return;
    }
    const minutes = Math.floor((Date.now() - since) / 60000);
    put("waited", minutes < 1 ? t("script.knocked_now") : t("script.knocked_ago", { ago: ago(-minutes, "minute") }));
    if (Date.now() - since > PATIENT * 1000) tell({ patience: "long" });
  }
}

// A pause that ends early when the person looks at the page again: browsers slow the timers of a hidden one.
function nextTurn(milliseconds) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
      resolve();
    };
    const seen = () => document.visibilityState === "visible" && done();
    const timer = setTimeout(done, milliseconds);
    document.addEventListener("visibilitychange", seen);
  });
}

for (const button of document.querySelectorAll('[data-do="knock-again"]')) {
  button.addEventListener("click", () => {
    say("");
    show(back, true);
  });
}
