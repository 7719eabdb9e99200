// The page behind a link. The share token lives in this module's memory, from the fragment until the page goes: it is
// put into no storage, no history entry, no element. Nothing is spent before the person clicks.

import { Problem, ask, enter, form, inWords, onSend, put, putList, show, tell, wrong } from "./door.js";
import * as account from "./account.js";
import * as email from "./email.js";
import { canKnock } from "./knock.js";
import { distance, moment } from "./moments.js";
import { canReport } from "./report.js";
import { canAskForTime, time } from "./time.js";
import { t } from "./words.js";

const TOKEN = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
const CODE = /^[A-Za-z0-9]{8}$/;
// What mail programs and people leave behind a pasted address.
const TRAILING = /[\s.,;:!?'")\]>*]+$/;
const LONGEST = 4096;
// The name below which each share has a host of its own; empty where all live on one.
const HOSTS = document.querySelector('meta[name="sharegate-share-hosts"]').content;
const BELOW = `.${HOSTS}${location.port && ":" + location.port}`;
const NO_DOOR = HOSTS && !location.host.endsWith(BELOW);

let token = "";
let code = "";
let expires = 0;
let opens = 0;

function take() {
  const fragment = location.hash.slice(1);
  if (location.hash || location.href.endsWith("#")) history.replaceState(null, "", location.pathname + location.search);
  return fragment;
}

// Understand a fragment or what somebody typed: a token, a code, or neither.
function read(text) {
  const plain = text.replace(TRAILING, "");
  if (plain.length > LONGEST) return {};
  if (TOKEN.test(plain)) return { token: plain };
  const short = plain.replace(/^code=/i, "").replace(/[\s\u2011-]/g, "");
  return CODE.test(short) ? { code: short.toUpperCase() } : {};
}

// Whose token it says it is. Nobody has checked it: it leads to a host below HOSTS at most, which will.
function shareOf(text) {
  try {
    const claims = JSON.parse(atob(text.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")));
    return /^[a-z0-9]{4,40}$/.test(claims.sub) ? claims.sub : "";
  } catch {
    return "";
  }
}

async function begin(found, acted = false) {
  token = found.token || "";
  code = found.code || "";
  tell({ reference: "no", reportable: "no" });
  if (HOSTS && token) {
    const share = shareOf(token);
    if (!share) token = "";
    else if (location.host !== share + BELOW) {
      // The token stays in the fragment. Nothing is spent: the other page asks for a click as this one would.
      return location.replace(`${location.protocol}//${share}${BELOW}/join#${token}`);
    }
  }
  if (NO_DOOR) code = "";
  if (code) return page("device", t("tab.device"), acted);
  if (!token) return page("unknown", t("tab.nothing"), acted);
  show("looking", acted);
  return look(acted);
}

// Show a section that has no folder to name on its tab.
function page(section, tab, acted = false) {
  put("folder", tab);
  show(section, acted);
}

async function look(acted) {
  try {
    picture(await ask("/join/about", { token }), acted);
  } catch (problem) {
    if (problem instanceof Problem && problem.code === "no_access") {
      token = "";
      reference(problem);
      page("unknown", t("tab.nothing"), acted);
    } else {
      trouble(problem, acted);
    }
  }
}

function reference(problem) {
  const id = problem instanceof Problem ? problem.id : "";
  put("reference", id);
  tell({ reference: id ? "yes" : "no" });
}

function trouble(problem, acted) {
  const known = problem instanceof Problem && problem.code !== "offline";
  put("problem", known ? problem.message : inWords(problem));
  put("remedy", t("script.nothing_opened"));
  reference(problem);
  page("problem", t("tab.not_opened"), acted);
}

const yes = (value) => (value ? "yes" : "no");

// Fill the page with what the gate told about the link, and show the section of its state.
function picture(about, acted) {
  const owner = about.owner || "";
  const share = about.share || {};
  const link = about.link || {};
  const file = share.kind === "file";
  put("Who", owner || t("word.somebody"));
  put("who", owner || t("word.owner"));
  put("By", about.ended_by || owner || t("word.Owner"));
  put("badge", about.owner_badge || "");
  put("share", share.name || "");
  put("message", share.message || "");
  put("folder", `${share.folder || ""}${share.folder && !file ? "/" : ""}` || t("tab.link"));
  put("for", link.name || "");
  put("role", about.role_sentence || about.role || "");
  putList("recorded", about.recorded || []);
  put("recorded_line", (about.recorded || []).join(", "));
  const needs = about.needs || [];
  email.begin(about);
  const signing = account.begin(about);
  expires = Number(about.expires) || 0;
  opens = Number(about.opens) || 0;
  times();
  put("ended", about.ended_at ? moment(about.ended_at) : "");
  const why = about.ended_why || (about.state === "paused" ? "paused" : "");
  tell({
    state: about.state,
    badge: yes(about.owner_badge && about.owner_badge !== owner),
    named: yes(share.name),
    kind: file ? "file" : "directory",
    message: yes(share.message),
    for: yes(link.name),
    preview: yes(link.kind === "preview"),
    ask: yes(about.ask_name),
    shared_origin: yes(about.shared_origin),
    recorded: yes((about.recorded || []).length),
    // Who has to sign in does that first: the browser leaves this page for it, and would forget what was typed.
    ...(signing && { step: "sign" }),
    passphrase: yes(needs.includes("passphrase") && !signing),
    // Where everybody knocks, the owner hears only of who has what else the link asks for.
    knock_passphrase: yes(needs.includes("passphrase") && needs.includes("approval") && !signing),
    why: ["revoked", "paused", "suspended", "expired", "replaced"].includes(why) ? why : "other",
    when: yes(about.ended_at),
    patience: "short",
    // From outside its networks nothing of the link is answered.
    reportable: yes(about.state !== "outside" && link.kind !== "preview"),
  });
  time(about.time);
  document.querySelector(".folder").dataset.kind = file ? "file" : "directory";
  const offer = needs.includes("approval") ? "asks" : "offer";
  const sections = {
    ...{ open: offer, reenter: offer, in_use: "in_use", full: "full", paused: "over", ended: "over" },
    ...{ not_yet: "not_yet", outside: "outside" },
  };
  const section = sections[about.state];
  if (section) show(section, acted);
  else trouble(new Problem("fault", t("script.not_understood")), acted);
}

function times() {
  if (opens && opens <= Date.now() / 1000) {
    opens = 0;
    look(false);
    return;
  }
  if (opens) {
    put("opens", moment(opens));
    put("opens_distance", distance(opens));
  }
  if (!expires) return;
  put("until", moment(expires));
  put("distance", distance(expires));
}

// When the gate refuses what the page offered, the link's state has changed: look again instead of arguing.
const CHANGED = /^(link_|share_|seats_taken|visit_ended|no_access|outside_networks|not_yet|other_account|(passphrase|recipient|account|approval)_needed)/;
async function changed(problem) {
  if (!(problem instanceof Problem) || !CHANGED.test(problem.code)) return false;
  await look(true);
  return true;
}

onSend(form("open"), t("script.opening"), async (element) => {
  const field = element.querySelector("input[name=name]");
  const secret = element.querySelector("input[name=passphrase]");
  try {
    if (await account.leavesFirst(element, token)) return true;
    if (await email.asksFirst(element, token)) return false;
    const name = field.closest("[hidden]") ? "" : field.value.trim();
    const passphrase = secret.closest("[hidden]") ? "" : secret.value;
    const proof = { ...(passphrase && { passphrase }), ...email.proof(element) };
    const entry = await ask("/join", { token, name, ...proof });
    secret.value = "";
    enter(entry);
    return true;
  } catch (problem) {
    if (problem instanceof Problem && problem.code === "passphrase_wrong") wrong(secret);
    email.refused(element, problem);
    if (await changed(problem)) return false;
    throw problem;
  }
});

onSend(form("device"), t("script.opening"), async () => {
  enter(await ask("/join/device", { code, name: "" }));
  return true;
});

onSend(form("start"), t("script.looking"), async (element) => {
  const field = element.querySelector("input");
  const typed = field.value.trim();
  if (!typed) throw new Problem("input", t(NO_DOOR ? "script.paste" : "script.paste_or_code"));
  let found = read(typed);
  if (/^https?:\/\//i.test(typed)) {
    const address = URL.canParse(typed) ? new URL(typed) : null;
    if (!address) throw new Problem("input", t("script.incomplete"));
    const another = HOSTS && address.protocol === location.protocol && address.host.endsWith(BELOW);
    if (address.origin !== location.origin && !another) {
      throw new Problem("input", t("script.leads_elsewhere", { host: address.host }));
    }
    found = read(address.hash.slice(1));
  }
  if (found.code && NO_DOOR) throw new Problem("input", t("script.code_elsewhere"));
  if (!found.token && !found.code) {
    throw new Problem("input", t(NO_DOOR ? "script.no_link" : "script.no_link_or_code"));
  }
  field.value = "";
  await begin(found, true);
});

email.canMail(form("open"), () => token);
canReport("/join/report", () => ({ token }));
canAskForTime("/join/time", () => ({ token }), () => look(false));

const knocking = (same, name, passphrase) => ({ token, name, same_person: same, ...(passphrase && { passphrase }) });
// Where everybody knocks, with the code that was mailed.
const proving = (...said) => ({ ...knocking(...said), ...email.proof(form("asks")) });
// A link that came to lead nowhere, or asks for something else than it did.
const MOVED = /^(no_access|outside_networks|not_yet|other_account|(passphrase|recipient|account)_needed)$/;
const unanswered = async (problem) => {
  email.refused(form("asks"), problem);
  return problem instanceof Problem && MOVED.test(problem.code) && changed(problem);
};
for (const section of ["in_use", "full", "over"]) canKnock(form(section), section, knocking, unanswered);
canKnock(form("asks"), "asks", proving, unanswered, async (element) => (await account.leavesFirst(element, token)) || email.asksFirst(element, token));
for (const button of document.querySelectorAll('[data-do="sign-again"]')) {
  button.addEventListener("click", async () => {
    const trouble = button.closest("form").querySelector(".trouble");
    trouble.textContent = "";
    try {
      await account.leave(token, true);
    } catch (problem) {
      trouble.textContent = inWords(problem);
    }
  });
}
email.canMail(form("asks"), () => token);

// "I am Bo" says the name already; it stays theirs to change.
for (const section of ["in_use", "asks"]) {
  form(section).addEventListener("change", (event) => {
    const name = form(section).querySelector("input[name=name]");
    const known = document.querySelector('[data-section="in_use"] [data-slot="for"]').textContent;
    if (event.target.value === "same" && !name.value) name.value = known;
    if (event.target.value === "other" && name.value === known) name.value = "";
  });
}

document.querySelector('[data-do="start"]').addEventListener("click", () => page("start", t("tab.link"), true));
for (const button of document.querySelectorAll('[data-do="again"]')) {
  button.addEventListener("click", () => begin({ token, code }, true));
}
// A link pasted over this page changes the fragment only and loads nothing.
addEventListener("hashchange", () => {
  const fragment = take();
  if (fragment) begin(read(fragment));
});
// A page that the browser kept alive would still know the token.
addEventListener("pageshow", (event) => event.persisted && location.reload());
setInterval(times, 30000);

tell({ codes: NO_DOOR ? "no" : "yes" });
const fragment = take();
if (fragment) begin(read(fragment));
else page("start", t("tab.link"));
