// Showing that somebody reads a mailbox: the first click of a form asks for a code, the next one sends it along.

import { Problem, ask, inWords, put, say, tell, wrong } from "./door.js";
import { t } from "./words.js";

// The gate allows three codes to a mailbox at once; a mail takes seconds.
const PAUSE = 30_000;

let needed = false;
let address = "";
let domain = "";
let pause = 0;

// What the gate told about the link: whether it asks for an address, and which.
export function begin(about) {
  const mail = about.mail || {};
  needed = (about.needs || []).includes("email");
  address = "";
  domain = String(mail.domain || "").replace(/^\*\./, "");
  put("mailto", String(mail.to || ""));
  put("maildomain", domain);
  tell({ email: needed ? "yes" : "no", mailto: mail.to ? "yes" : "no", step: needed ? "mail" : "code" });
}

const field = (form, name) => form.querySelector(`input[name=${name}]`);

// Whether a click on the form's button asks for a code first. If so, it has been asked for when this returns.
export async function asksFirst(form, token) {
  if (!needed || form.querySelector('[data-when="email=yes&step=mail"]').hidden) return false;
  const typed = field(form, "email");
  const shown = !typed.closest("[hidden]");
  if (shown && !/^\S+@\S+$/.test(typed.value.trim())) throw lacks(typed, t("script.type_address", { domain }));
  await send(form, token, shown ? typed.value.trim() : "");
  field(form, "code").value = "";
  field(form, "code").focus();
  return true;
}

// What was proved, for what the form sends.
export function proof(form) {
  if (!needed) return {};
  const code = field(form, "code");
  if (!/[\p{L}\p{N}]/u.test(code.value)) throw lacks(code, t("script.type_code"));
  return { email: address, code: code.value.trim() };
}

// A code that was no good, a passphrase, or an address of another domain, is typed over.
export function refused(form, problem) {
  if (!needed || !(problem instanceof Problem)) return;
  if (problem.code === "passphrase_wrong") wrong(field(form, "passphrase"));
  if (problem.code === "mail_code_invalid") wrong(field(form, "code"));
  if (problem.code === "other_domain") wrong(field(form, "email"));
}

function lacks(input, words) {
  input.setAttribute("aria-invalid", "true");
  input.focus();
  return new Problem("input", words);
}

async function send(form, token, email) {
  // Where a passphrase is asked for, too, no mail goes out without it.
  const secret = field(form, "passphrase");
  const passphrase = secret.closest("[hidden]") ? "" : secret.value;
  let answer;
  try {
    answer = await ask("/join/code", { token, email, ...(passphrase && { passphrase }) });
  } catch (problem) {
    if (problem instanceof Problem && problem.code === "other_domain") problem.message = t("script.other_domain", { domain });
    throw problem;
  }
  address = email;
  put("mailed", String(answer.to));
  tell({ step: "code", again: "no" });
  say(t("script.code_sent", { address: answer.to }));
  clearTimeout(pause);
  pause = setTimeout(() => tell({ again: "yes" }), PAUSE);
}

// Let the small buttons of a form work; `token` gives the link's.
export function canMail(form, token) {
  const trouble = form.querySelector(".trouble");
  for (const button of form.querySelectorAll('[data-do="mail-again"]')) {
    button.addEventListener("click", async () => {
      if (button.getAttribute("aria-disabled") === "true") return;
      button.setAttribute("aria-disabled", "true");
      trouble.textContent = "";
      try {
        await send(form, token(), address);
        field(form, "code").value = "";
        field(form, "code").focus();
      } catch (problem) {
        refused(form, problem);
        trouble.textContent = inWords(problem);
      }
      button.removeAttribute("aria-disabled");
    });
  }
  for (const button of form.querySelectorAll('[data-do="mail-other"]')) {
    button.addEventListener("click", () => {
      trouble.textContent = "";
      tell({ step: "mail" });
      field(form, "email").focus();
    });
  }
}
