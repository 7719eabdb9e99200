// What a visitor sees of sharegate: one quiet line above JupyterLab, two small dialogs, a short word now and then, and the
// notice that takes the page's place in the end. All text is set as text.
"use strict";

const ROLES = { view: "can view", edit: "can edit text", run: "can edit and run" };
const ROLE_HINTS = { edit: "You can edit text, not run code" };
const SVG = "http://www.w3.org/2000/svg";
const MARK = "M3 5.5A1.5 1.5 0 0 1 4.5 4h3.2l1.6 1.8h6.2A1.5 1.5 0 0 1 17 7.3v7.2a1.5 1.5 0 0 1-1.5 1.5h-11A1.5 1.5 0 0 1 3 14.5z";
const DEVICE = "M6 3h8a1 1 0 0 1 1 1v12a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1zM9 14.6h2";
const SHEET = "M5 3h7l3 3v11H5zM8 9h4M8 12h4";
const PHONE = matchMedia("(max-width: 44rem) and (pointer: coarse)");
const PEOPLE = "M7.5 9a2.750 2.750 0 1 0 0-5.500 2.750 2.750 0 0 0 0 5.500zM2.500 16.500v-1a4 4 0 0 1 4-4h2a4 4 0 0 1 4 4v1M14.500 6v6M17.500 9h-6";
const CLOCK = "M10 3a7 7 0 1 1 0 14 7 7 0 0 1 0-14zM10 6v4.200l2.800 1.800";
const FLAG = "M5 17V4M5 4h9l-2 3 2 3H5";
const DOOR = "M11.5 4H5v12h6.500M9 10h8M14 7l3 3-3 3";

export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

function drawing(path, side, attributes = {}) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [name, value] of Object.entries({ viewBox: `0 0 ${side} ${side}`, "aria-hidden": "true", ...attributes })) {
    svg.setAttribute(name, value);
  }
  const shape = document.createElementNS(SVG, "path");
  shape.setAttribute("d", path);
  svg.append(shape);
  return svg;
}

const button = (label, path, onclick) =>
  el("button", { type: "button", title: label, onclick }, drawing(path, 20, { class: "sg-line" }), el("span", {}, label));

export function makeBanner(visit, { leave, read }) {
  const hint = ROLE_HINTS[visit.role];
  const role = el("span", { class: "sg-role", ...(hint && { title: hint }) }, hint ?? ROLES[visit.role] ?? visit.role);
  const saving = el("span", { class: "sg-saving", role: "status", "aria-live": "off" });
  const left = el("span", { class: "sg-left" });
  const status = el("span", { class: "sg-status", role: "status", "aria-live": "polite" });
  const news = el("span", { class: "sg-news", hidden: "" });
  // The page behind it takes no word of any script in this one: it has to be opened by a person.
  const others = el(
    "a",
    { class: "sg-others", href: visit.base + "-/coowner", target: "_blank", rel: "noopener", title: "Let people in, put them out, pause", hidden: "" },
    drawing(PEOPLE, 20, { class: "sg-line" }),
    el("span", {}, "Who comes in"),
  );
  const more = button(`Ask ${visit.owner} for more time`, CLOCK, askForTime);
  more.hidden = true;
  const bar = el(
    "div",
    { id: "sharegate", role: "region", "aria-label": `Shared by ${visit.owner}` },
    drawing(MARK, 20, { class: "sg-mark" }),
    el("span", { class: "sg-what" }, el("b", {}, visit.name), el("span", { class: "sg-by" }, ` shared by ${visit.owner}`)),
    role,
    left,
    saving,
    el("span", { class: "sg-gap" }),
    news,
    status,
    ...(PHONE.matches ? [button("Read without JupyterLab", SHEET, read)] : []),
    others,
    more,
    button("Use on another device", DEVICE, () => showDevice(visit)),
    button("Report this share", FLAG, () => askToReport(visit)),
    button("Leave", DOOR, () => askToLeave(visit, leave)),
  );
  keepKeys(bar);
  document.body.prepend(bar);
  followTheme();

  let link = "here";
  let server = "here";
  let expires = visit.expires;
  let skew = 0;
  let pending = false;
  let typed = false;
  let again = false;
  // How asking for more time stands (live.py).
  let time = "may";

  function tick() {
    const rest = expires - (Date.now() / 1000 + skew);
    left.textContent = timeLeft(rest);
    left.title = `until ${moment(expires)}`;
    left.classList.toggle("sg-soon", rest < 600);
    more.hidden = !(time === "may" && rest < SOON);
  }

  function say() {
    const sentence = again ? AGAIN : situation(visit.owner, link, server, pending);
    const back = status.textContent !== "" && sentence === "";
    if (status.textContent !== sentence) status.textContent = sentence;
    bar.classList.toggle("sg-away", sentence !== "");
    if (back) toast("Connected again.");
    saving.textContent = sentence || !typed ? "" : pending ? "Saving …" : "Saved";
  }

  async function askForTime() {
    more.hidden = true;
    try {
      const answer = await fetch(visit.base + "-/time", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: "{}",
        signal: AbortSignal.timeout(10_000),
      });
      const told = await answer.json();
      if (!answer.ok) throw new Error(told.error?.message ?? "");
      heard(told.state);
    } catch (problem) {
      toast((problem instanceof Error && problem.name === "Error" && problem.message) || "That could not be asked just now. Try again in a moment.");
      tick();
    }
  }

  function heard(state) {
    if (state === time) return;
    time = state;
    const said = TIME[state];
    if (said) toast(said(visit.owner));
    tick();
  }

  tick();
  setInterval(tick, 20_000);
  return {
    link(state) {
      link = state;
      say();
    },
    server(state) {
      server = state;
      say();
    },
    role(name) {
      role.textContent = ROLES[name] ?? name;
      role.removeAttribute("title");
    },
    coowner(now) {
      others.hidden = !now;
    },
    // Whether something typed here is not known to be saved.
    pending(now) {
      pending = now;
      typed ||= now;
      say();
    },
    // A document is not connected any more; the page loads itself again in a moment.
    again() {
      again = true;
      say();
    },
    time: heard,
    expires(at, now) {
      expires = at;
      skew = now - Date.now() / 1000;
      tick();
    },
    // `show` opens the newer version; null takes the offer back.
    news(show) {
      news.hidden = !show;
      news.replaceChildren();
      if (show) {
        news.append(`${visit.owner} saved a new version.`, el("button", { type: "button", class: "sg-show", onclick: show }, "Show it"));
      }
    },
  };
}

// So long before the end it is offered to ask for more time.
const SOON = 86_400;
const TIME = {
  waiting: (owner) => `${owner} is asked for more time.`,
  granted: (owner) => `${owner} gave you more time.`,
  refused: (owner) => `${owner} did not give more time.`,
};

const AGAIN = "The document was opened anew. This page loads again in a moment and keeps what you typed.";

// `unsaved`: something was typed that is not known to be saved.
export function situation(owner, link, server, unsaved = false) {
  const say = (sentence) => (unsaved ? `Not saved: ${sentence}` : sentence[0].toUpperCase() + sentence.slice(1));
  if (link === "offline") return say("you are offline. This page goes on when you are back.");
  if (link === "unreachable") return say(`${owner}'s computer is offline. This page keeps trying.`);
  if (server === "restarting") return say(`${owner}'s Jupyter is restarting.`);
  if (server === "away") return say(`${owner}'s Jupyter is not running. This page waits for it.`);
  return "";
}

export function timeLeft(seconds) {
  const count = (number, unit) => `${number} ${unit}${number === 1 ? "" : "s"} left`;
  if (seconds > 400 * 86400 - 3600) return "";
  if (seconds >= 2 * 86400) return count(Math.round(seconds / 86400), "day");
  if (seconds >= 2 * 3600) return count(Math.round(seconds / 3600), "hour");
  if (seconds >= 90) return count(Math.round(seconds / 60), "minute");
  return seconds > 0 ? "about a minute left" : "time is up";
}

const moment = (at) => new Date(at * 1000).toLocaleString([], { dateStyle: "full", timeStyle: "short" });

// JupyterLab listens for keys on the document: those typed into our own controls are none of its business.
export function keepKeys(node) {
  for (const kind of ["keydown", "keyup", "keypress"]) node.addEventListener(kind, (event) => event.stopPropagation());
}

// JupyterLab's theme wins over the system's; before it is there, the system's is the best guess.
function followTheme() {
  const show = () => {
    const light = document.body.dataset.jpThemeLight;
    const dark = light ? light === "false" : matchMedia("(prefers-color-scheme: dark)").matches;
    document.documentElement.classList.toggle("sharegate-dark", dark);
  };
  new MutationObserver(show).observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  show();
}

export function toast(sentence) {
  let box = document.getElementById("sharegate-toast");
  if (!box) {
    box = el("div", { id: "sharegate-toast", role: "status", "aria-live": "polite" });
    document.body.append(box);
  }
  box.textContent = sentence;
  box.classList.add("sg-shown");
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => box.classList.remove("sg-shown"), 4500);
}

function dialog(title, ...children) {
  const box = el("dialog", { class: "sharegate-dialog", "aria-labelledby": "sharegate-dialog-title" });
  box.append(el("h2", { id: "sharegate-dialog-title" }, title), ...children);
  keepKeys(box);
  box.addEventListener("close", () => box.remove());
  box.addEventListener("click", (event) => event.target === box && box.close());
  document.body.append(box);
  box.showModal();
  return box;
}

const row = (...buttons) => el("div", { class: "sg-row" }, ...buttons);
const plain = (label, onclick, kind = "") => el("button", { type: "button", class: kind, onclick }, label);

function askToLeave(visit, leave) {
  const box = dialog(
    "Leave?",
    el("p", {}, `The page closes and ${visit.owner} sees that you left. Your link still works in this browser.`),
    row(
      plain("Stay", () => box.close()),
      plain("Leave", () => (box.close(), leave()), "sg-main"),
    ),
  );
}

// What a visitor may tell the admins of a share, not its owner. The words are those of the door's page (reports.py).
const CONCERNS = {
  phishing: "It asks for passwords, or pretends to be somebody",
  private: "It shows private data of people",
  harmful: "It harms computers or people",
  rights: "It shows what is not theirs to share",
  other: "It is something else",
};

function askToReport(visit) {
  const choices = Object.entries(CONCERNS).map(([value, words]) =>
    el("label", { class: "sg-choice" }, el("input", { type: "radio", name: "concern", value }), el("span", {}, words)),
  );
  const text = el("textarea", { rows: "4", maxlength: "1000", "aria-label": "More, if it helps" });
  const trouble = el("p", { class: "sg-small", role: "alert" });
  const send = plain("Send the report", report, "sg-main");
  const body = el(
    "div",
    {},
    el("p", {}, `This goes to whoever runs this gate, not to ${visit.owner}. Nobody answers it here.`),
    el("fieldset", { class: "sg-choices" }, el("legend", {}, "What is wrong?"), ...choices),
    el("label", { class: "sg-more" }, el("span", {}, "More, if it helps"), text),
    trouble,
  );
  const buttons = row(plain("Cancel", () => box.close()), send);
  const box = dialog("Report this share", body, buttons);
  body.addEventListener("input", () => (trouble.textContent = ""));

  async function report() {
    const concern = body.querySelector("input:checked")?.value;
    if (!concern) return void (trouble.textContent = "Say first what is wrong.");
    send.disabled = true;
    trouble.textContent = "";
    try {
      const answer = await fetch(visit.base + "-/report", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ concern, text: text.value.trim() }),
        signal: AbortSignal.timeout(10_000),
      });
      if (!answer.ok) throw new Error((await answer.json()).error?.message ?? "");
      const thanks = el("p", { role: "status" }, "Thank you. The report was sent.");
      body.replaceChildren(thanks);
      buttons.replaceChildren(plain("Close", () => box.close(), "sg-main"));
    } catch (problem) {
      trouble.textContent = problem instanceof Error && problem.name === "Error" && problem.message ? problem.message : "It could not be sent. Try again in a moment.";
      send.disabled = false;
    }
  }
}

async function showDevice(visit) {
  const close = () => box.close();
  const body = el("div", { class: "sg-device", role: "status" }, el("p", {}, "Asking for a code …"));
  const box = dialog("Use on another device", body, row(plain("Close", close)));
  try {
    const answer = await fetch(visit.base + "-/device", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: "{}",
      signal: AbortSignal.timeout(10_000),
    });
    const told = await answer.json();
    if (!answer.ok) throw new Error(told.error?.message ?? "");
    const { size, path } = told.picture;
    body.replaceChildren(
      el("p", {}, "Point your phone's camera at the picture, or open the address there and type the code."),
      drawing(path, size, { class: "sg-picture", role: "img", "aria-hidden": "false", "aria-label": "QR code for the other device" }),
      el("p", { class: "sg-code" }, told.code),
      el("p", { class: "sg-address" }, told.address),
      el("p", { class: "sg-small" }, `For you alone. It works once, until ${new Date(told.expires * 1000).toLocaleTimeString([], { timeStyle: "short" })}.`),
    );
  } catch (problem) {
    const said = problem instanceof Error && problem.name === "Error" ? problem.message : "";
    body.replaceChildren(el("p", {}, said || "No code could be made just now. Close this and try again in a moment."));
  }
}

const HEADINGS = {
  left: () => "You left",
  visit_ended: () => "This visit has ended",
  share_revoked: (owner) => `${owner} ended sharing`,
  link_revoked: (owner) => `${owner} ended this link`,
  link_replaced: (owner) => `${owner} replaced this link`,
  share_paused: (owner) => `${owner} paused sharing`,
  link_paused: (owner) => `${owner} paused this link`,
  share_suspended: () => "Sharing is suspended",
  share_expired: () => "The time is over",
  link_expired: () => "The time is over",
  knock_refused: (owner) => `${owner} ended your visit`,
  outside_networks: () => "This link does not open from here",
  not_yet: () => "This link does not open yet",
  passphrase_needed: () => "This link asks for a passphrase now",
  account_needed: () => "This link asks you to sign in now",
  recipient_needed: () => "This link asks for your e-mail address now",
  approval_needed: (owner) => `${owner} lets people in one by one now`,
};
const EXPIRED = new Set(["share_expired", "link_expired"]);
const MAY_RETURN = new Set(["share_paused", "link_paused", "share_suspended", "outside_networks", "not_yet"]);

// The last thing: JupyterLab and everything it showed is taken out of the page.
export function showEnd(visit, word) {
  const { owner } = visit;
  const known = HEADINGS[word.reason];
  const heading = el("h1", { tabindex: "-1" }, known ? known(owner) : "This share is closed");
  // A heading that says what happened needs no sentence that says it again.
  const lines = word.reason === "left"
    ? ["Open your link again in this browser to come back."]
    : [known ? "" : word.sentence, word.advice || `If you need it again, ask ${owner}.`].filter(Boolean);
  const time = new Date().toLocaleTimeString([], { timeStyle: "short" });
  lines.push(`This page closed at ${time}.`);
  const notice = el(
    "main",
    { id: "sharegate-end" },
    el("div", { class: "sg-tab" }, visit.name),
    el("section", {}, heading, ...lines.map((line, at) => el("p", at ? { class: "sg-small" } : {}, line))),
  );
  if (MAY_RETURN.has(word.reason)) {
    notice.lastChild.append(row(plain("Try again", () => location.reload(), "sg-main")));
  }
  // The gate's own page of this visit asks, and hears the answer.
  if (EXPIRED.has(word.reason)) {
    notice.lastChild.append(row(plain(`Ask ${owner} for more time`, () => location.assign(visit.base + "-/ended"), "sg-main")));
  }
  document.title = heading.textContent;
  document.documentElement.classList.add("sharegate-over");
  // Attributes that JupyterLab's style sheets go by (and its data) leave with the body that carried them.
  const body = document.createElement("body");
  body.append(notice);
  for (const sheet of document.querySelectorAll("style, link[rel=stylesheet], #jupyter-config-data")) {
    if (!sheet.href?.endsWith("/page.css")) sheet.remove();
  }
  document.adoptedStyleSheets = [];
  document.body.replaceWith(body);
  heading.focus();
}
