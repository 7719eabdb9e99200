// What a visitor sees of sharegate: one quiet line above JupyterLab, two small dialogs, a short word now and then, and the
// notice that takes the page's place in the end. All text is set as text.
"use strict";

const ROLES = { view: "can view", edit: "can edit text", run: "can edit and run" };
const ROLE_HINTS = { edit: "You can edit text, not run code" };
const SVG = "http://www.w3.org/2000/svg";
const MARK = "M3 5.5A1.5 1.5 0 0 1 4.5 4h3.2l1.6 1.8h6.2A1.5 1.5 0 0 1 17 7.3v7.2a1.5 1.5 0 0 1-1.5 1.5h-11A1.5 1.5 0 0 1 3 14.5z";
const DEVICE = "M6 3h8a1 1 0 0 1 1 1v12a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1zM9 14.6h2";
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

export function makeBanner(visit, { leave }) {
  const hint = ROLE_HINTS[visit.role];
  const role = el("span", { class: "sg-role", ...(hint && { title: hint }) }, hint ?? ROLES[visit.role] ?? visit.role);
  const saving = el("span", { class: "sg-saving", role: "status", "aria-live": "off" });
  const left = el("span", { class: "sg-left" });
  const status = el("span", { class: "sg-status", role: "status", "aria-live": "polite" });
  const news = el("span", { class: "sg-news", hidden: "" });
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
    button("Use on another device", DEVICE, () => showDevice(visit)),
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

  function tick() {
    const rest = expires - (Date.now() / 1000 + skew);
    left.textContent = timeLeft(rest);
    left.title = `until ${moment(expires)}`;
    left.classList.toggle("sg-soon", rest < 600);
  }

  function say() {
    const sentence = again ? AGAIN : situation(visit.owner, link, server, pending);
    const back = status.textContent !== "" && sentence === "";
    if (status.textContent !== sentence) status.textContent = sentence;
    bar.classList.toggle("sg-away", sentence !== "");
    if (back) toast("Connected again.");
    saving.textContent = sentence || !typed ? "" : pending ? "Saving …" : "Saved";
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
