// What a visitor sees of sharegate: one quiet line above JupyterLab, two small dialogs, a short word now and then, and the
// notice that takes the page's place in the end. All text is set as text.
"use strict";

import { amount, by, knows, moment, spoken, t } from "./words.js";

const ROLES = { view: "lab.may_view", edit: "lab.may_edit", run: "lab.may_run" };
const may = (role) => (ROLES[role] ? t(ROLES[role]) : role);
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
  const names = by(visit.owner);
  const role = el("span", { class: "sg-role", title: may(visit.role) }, may(visit.role));
  const saving = el("span", { class: "sg-saving", role: "status", "aria-live": "off" });
  const left = el("span", { class: "sg-left" });
  const status = el("span", { class: "sg-status", role: "status", "aria-live": "polite" });
  const news = el("span", { class: "sg-news", hidden: "" });
  // The page behind it takes no word of any script in this one: it has to be opened by a person.
  const others = el(
    "a",
    { class: "sg-others", href: visit.base + "-/coowner", target: "_blank", rel: "noopener", title: t("lab.others_hint"), hidden: "" },
    drawing(PEOPLE, 20, { class: "sg-line" }),
    el("span", {}, t("lab.others")),
  );
  const more = button(t("time.ask", names), CLOCK, askForTime);
  more.hidden = true;
  const bar = el(
    "div",
    { ...spoken, id: "sharegate", role: "region", "aria-label": t("lab.region", names) },
    drawing(MARK, 20, { class: "sg-mark" }),
    el("span", { class: "sg-what" }, el("b", {}, visit.name), el("span", { class: "sg-by" }, ` ${t("lab.by", names)}`)),
    role,
    left,
    saving,
    el("span", { class: "sg-gap" }),
    news,
    status,
    ...(PHONE.matches ? [button(t("lab.read"), SHEET, read)] : []),
    others,
    more,
    button(t("lab.device"), DEVICE, () => showDevice(visit)),
    button(t("report.title"), FLAG, () => askToReport(visit)),
    button(t("lab.leave"), DOOR, () => askToLeave(visit, leave)),
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
    left.title = t("lab.until", { moment: moment(expires, { dateStyle: "full", timeStyle: "short" }) });
    left.classList.toggle("sg-soon", rest < 600);
    more.hidden = !(time === "may" && rest < SOON);
  }

  function say() {
    const sentence = again ? t("lab.again") : situation(visit.owner, link, server, pending);
    const back = status.textContent !== "" && sentence === "";
    if (status.textContent !== sentence) status.textContent = sentence;
    bar.classList.toggle("sg-away", sentence !== "");
    if (back) toast(t("lab.connected"));
    saving.textContent = sentence || !typed ? "" : pending ? t("lab.saving") : t("lab.saved");
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
      toast((problem instanceof Error && problem.name === "Error" && problem.message) || t("lab.not_asked"));
      tick();
    }
  }

  function heard(state) {
    if (state === time) return;
    time = state;
    if (TIME[state]) toast(t(TIME[state], names));
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
      role.textContent = role.title = may(name);
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
        news.append(t("lab.newer", names), el("button", { type: "button", class: "sg-show", onclick: show }, t("lab.show")));
      }
    },
  };
}

// So long before the end it is offered to ask for more time.
const SOON = 86_400;
const TIME = { waiting: "time.asked", granted: "time.granted", refused: "time.refused" };

// `unsaved`: something was typed that is not known to be saved.
export function situation(owner, link, server, unsaved = false) {
  const say = (sentence) => (unsaved ? t("lab.unsaved", { sentence }) : sentence);
  if (link === "offline") return t(unsaved ? "lab.offline_unsaved" : "lab.offline");
  if (link === "unreachable") return say(t("lab.unreachable", by(owner)));
  if (server === "restarting") return say(t("lab.restarting", by(owner)));
  if (server === "away") return say(t("lab.away", by(owner)));
  return "";
}

export function timeLeft(seconds) {
  const count = (number, unit) => t("lab.left", { time: amount(number, unit) });
  if (seconds > 400 * 86400 - 3600) return "";
  if (seconds >= 2 * 86400) return count(Math.round(seconds / 86400), "day");
  if (seconds >= 2 * 3600) return count(Math.round(seconds / 3600), "hour");
  if (seconds >= 90) return count(Math.round(seconds / 60), "minute");
  return t(seconds > 0 ? "lab.left_minute" : "lab.left_nothing");
}

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
    box = el("div", { ...spoken, id: "sharegate-toast", role: "status", "aria-live": "polite" });
    document.body.append(box);
  }
  box.textContent = sentence;
  box.classList.add("sg-shown");
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => box.classList.remove("sg-shown"), 4500);
}

function dialog(title, ...children) {
  const box = el("dialog", { ...spoken, class: "sharegate-dialog", "aria-labelledby": "sharegate-dialog-title" });
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
    t("lab.leave_title"),
    el("p", {}, t("lab.leave_lead", by(visit.owner))),
    row(
      plain(t("lab.stay"), () => box.close()),
      plain(t("lab.leave"), () => (box.close(), leave()), "sg-main"),
    ),
  );
}

// What a visitor may tell the admins of a share, not its owner (reports.py).
const CONCERNS = {
  phishing: "report.phishing",
  private: "report.private",
  harmful: "report.harmful",
  rights: "report.rights",
  other: "report.other",
};

function askToReport(visit) {
  const choices = Object.entries(CONCERNS).map(([value, key]) =>
    el("label", { class: "sg-choice" }, el("input", { type: "radio", name: "concern", value }), el("span", {}, t(key))),
  );
  const text = el("textarea", { rows: "4", maxlength: "1000", "aria-label": t("report.more") });
  const trouble = el("p", { class: "sg-small", role: "alert" });
  const send = plain(t("report.send"), report, "sg-main");
  const body = el(
    "div",
    {},
    el("p", {}, t("report.lead", by(visit.owner))),
    el("fieldset", { class: "sg-choices" }, el("legend", {}, t("report.what")), ...choices),
    el("label", { class: "sg-more" }, el("span", {}, t("report.more")), text),
    trouble,
  );
  const buttons = row(plain(t("lab.cancel"), () => box.close()), send);
  const box = dialog(t("report.title"), body, buttons);
  body.addEventListener("input", () => (trouble.textContent = ""));

  async function report() {
    const concern = body.querySelector("input:checked")?.value;
    if (!concern) return void (trouble.textContent = t("report.missing"));
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
      const thanks = el("p", { role: "status" }, t("report.done"));
      body.replaceChildren(thanks);
      buttons.replaceChildren(plain(t("lab.close"), () => box.close(), "sg-main"));
    } catch (problem) {
      trouble.textContent = problem instanceof Error && problem.name === "Error" && problem.message ? problem.message : t("lab.not_sent");
      send.disabled = false;
    }
  }
}

async function showDevice(visit) {
  const close = () => box.close();
  const body = el("div", { class: "sg-device", role: "status" }, el("p", {}, t("lab.device_asking")));
  const box = dialog(t("lab.device"), body, row(plain(t("lab.close"), close)));
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
      el("p", {}, t("lab.device_lead")),
      drawing(path, size, { class: "sg-picture", role: "img", "aria-hidden": "false", "aria-label": t("lab.device_picture") }),
      el("p", { class: "sg-code" }, told.code),
      el("p", { class: "sg-address" }, told.address),
      el("p", { class: "sg-small" }, t("lab.device_once", { time: moment(told.expires, { timeStyle: "short" }) })),
    );
  } catch (problem) {
    const said = problem instanceof Error && problem.name === "Error" ? problem.message : "";
    body.replaceChildren(el("p", {}, said || t("lab.device_none")));
  }
}

const EXPIRED = new Set(["share_expired", "link_expired"]);
const MAY_RETURN = new Set(["share_paused", "link_paused", "share_suspended", "outside_networks", "not_yet"]);

// The last thing: JupyterLab and everything it showed is taken out of the page.
export function showEnd(visit, word) {
  const names = by(visit.owner);
  const known = knows(`closed.${word.reason}.title`);
  const say = (part) => t(`closed.${known ? word.reason : "other"}.${part}`, names);
  const heading = el("h1", { tabindex: "-1" }, say("title"));
  // A heading that says what happened needs no sentence that says it again.
  const lines = [known ? "" : word.sentence, say("advice")].filter(Boolean);
  lines.push(t("lab.closed_at", { time: moment(Date.now() / 1000, { timeStyle: "short" }) }));
  const notice = el(
    "main",
    { ...spoken, id: "sharegate-end" },
    el("div", { class: "sg-tab" }, visit.name),
    el("section", {}, heading, ...lines.map((line, at) => el("p", at ? { class: "sg-small" } : {}, line))),
  );
  if (MAY_RETURN.has(word.reason)) {
    notice.lastChild.append(row(plain(t("lab.try_again"), () => location.reload(), "sg-main")));
  }
  // The gate's own page of this visit asks, and hears the answer.
  if (EXPIRED.has(word.reason)) {
    notice.lastChild.append(row(plain(t("time.ask", names), () => location.assign(visit.base + "-/ended"), "sg-main")));
  }
  document.title = heading.textContent;
  document.documentElement.classList.add("sharegate-over");
  // Attributes that JupyterLab's style sheets go by (and its data) leave with the body that carried them.
  const body = document.createElement("body");
  body.append(notice);
  for (const sheet of document.querySelectorAll("style,link[rel=stylesheet],#jupyter-config-data")) {
    if (!sheet.href?.endsWith("/page.css")) sheet.remove();
  }
  document.adoptedStyleSheets = [];
  document.body.replaceWith(body);
  heading.focus();
}
