
// A co-owner's page: shows what the gate says, and tells it what was clicked. All text is set as text.

const { key, protocol } = document.body.dataset;
const sentences = JSON.parse(document.getElementById("words").textContent);
const language = document.documentElement.lang;
const address = location.href.replace(/^http/, "ws").split("#")[0].split("?")[0];
const by = (id) => document.getElementById(id);
const PAUSES = [300, 1000, 2000, 5000, 10000];
const SILENCE = 50_000;
// What has just appeared, or come to the front, is not clicked on purpose: somebody may have chosen the moment.
const SETTLE = 700;
const LACKS = { account: "coowner.lacks_account", email: "coowner.lacks_email", passphrase: "coowner.lacks_passphrase" };
const waiting = new Map();
const sure = new Map();
const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
const title = document.title;
let socket = null;
let tries = 0;
let silence = 0;
let number = 0;
let skew = 0;
let ended = false;
let state = null;
let quietUntil = performance.now() + SETTLE;

const settle = (wait = SETTLE) => (quietUntil = Math.max(quietUntil, performance.now() + wait));
window.addEventListener("focus", () => settle());
document.addEventListener("visibilitychange", () => settle());

function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
  node.append(...children.filter((child) => child !== ""));
  return node;
}

const bdi = (text) => el("bdi", {}, text);

// A sentence as text; and in parts, of which some are elements.
const t = (name, values = {}) => sentences[name].replace(/\{([A-Za-z_]+)\}/g, (_, slot) => values[slot]);
const parts = (name, values) => sentences[name].split(/\{([A-Za-z_]+)\}/).map((part, at) => (at % 2 ? values[part] : part));

function ago(at) {
  const seconds = Math.max(0, Date.now() / 1000 + skew - at);
  const [length, unit] = seconds < 3600 ? [60, "minute"] : seconds < 86400 ? [3600, "hour"] : [86400, "day"];
  return seconds < 60 ? relative.format(0, "second") : relative.format(-Math.floor(seconds / length), unit);
}

const say = (text) => (by("say").textContent = text);

// -- clicks -----------------------------------------------------------------------------------------------------------

function act(place, word) {
  if (performance.now() < quietUntil || waiting.size > 20) return;
  if (socket?.readyState !== WebSocket.OPEN) return trouble(place, t("coowner.unreachable"));
  if ([...waiting.values()].some((other) => other.place === place)) return;
  const n = ++number;
  waiting.set(n, { place, word });
  socket.send(JSON.stringify({ ...word, n }));
  trouble(place, "");
  busy();
}

function trouble(place, text) {
  const line = by(`trouble-${place}`);
  if (line) line.textContent = text;
  if (text) say(text);
}

function busy() {
  const places = new Set([...waiting.values()].map((one) => one.place));
  for (const button of document.querySelectorAll("button[data-place]")) {
    if (places.has(button.dataset.place)) button.setAttribute("aria-disabled", "true");
    else button.removeAttribute("aria-disabled");
  }
}

function button(id, place, label, kind, click) {
  const node = by(id) || el("button", { type: "button", id, "data-place": place });
  if (node.textContent !== label) node.textContent = label;
  node.className = kind;
  node.onclick = (event) => event.isTrusted && click();
  return node;
}

// What ends something asks once more, in the same place.
function asking(place, label, words, yes, word) {
  if (!sure.has(place)) {
    return [button(`ask-${place}`, place, label, "", () => {
      if (performance.now() < quietUntil) return;
      sure.set(place, words);
      settle(400);
      show();
      by(`no-${place}`)?.focus();
      say(words);
    })];
  }
  const back = () => {
    sure.delete(place);
    show();
    by(`ask-${place}`)?.focus();
  };
  return [
    button(`yes-${place}`, place, yes, "grave", () => act(place, word)),
    button(`no-${place}`, place, t("coowner.no"), "", back),
  ];
}

// -- what is shown ----------------------------------------------------------------------------------------------------

function fill(node, children) {
  if (node.childNodes.length === children.length && children.every((child, at) => node.childNodes[at] === child)) return;
  const focused = document.activeElement;
  node.replaceChildren(...children);
  if (focused && focused !== document.activeElement && node.contains(focused)) focused.focus();
}

function row(place, lines, buttons) {
  let node = by(`row-${place}`);
  if (!node) {
    const below = [el("p", { class: "sure", id: `sure-${place}` }), el("p", { class: "trouble", id: `trouble-${place}` })];
    node = el("li", { class: "row", id: `row-${place}` }, el("div", { class: "words" }), el("p", { class: "acts" }), ...below);
    settle();
  }
  const words = node.firstChild;
  const text = lines.map((line) => line.textContent).join("\n");
  if (words.dataset.text !== text) {
    words.dataset.text = text;
    words.replaceChildren(...lines);
  }
  fill(node.children[1], buttons);
  node.children[2].textContent = sure.get(place) || "";
  return node;
}

const line = (kind, ...children) => el("p", { class: kind }, ...children);

// Whose word a name is: a proof, the owner's link, or their own.
function called(who) {
  if (who.email) return el("strong", {}, bdi(`✓ ${who.email}`));
  if (!who.name) return el("strong", {}, t("coowner.no_name"));
  return el("strong", {}, ...parts(who.own ? "coowner.own_link" : "coowner.says", { name: bdi(who.name) }));
}

function knockLines(knock) {
  const who = called(knock);
  const place = knock.link ? parts("coowner.at_link", { name: who, person: bdi(knock.link) }) : parts("coowner.at_a_link", { name: who });
  const more = [t("coowner.knocked", { ago: ago(knock.since) }), t("coowner.once_in", { role: t(`role.${knock.role}`) })];
  if (knock.by_address) more.push(t("coowner.by_address"));
  if (knock.same_person) more.push(t("coowner.same_person"));
  for (const need of knock.lacks) if (LACKS[need]) more.push(t(LACKS[need]));
  const lines = [line("", ...place), line("soft", more.join(" · "))];
  if (knock.came_from) lines.push(line("doubt", ...parts("coowner.opened_by", { name: bdi(knock.came_from) })));
  const signs = knock.doubts.map((sign) => t(`coowner.sign_${sign}`));
  if (signs.length) lines.push(line("doubt", t("coowner.signs", { signs: signs.join(", ") })));
  if (!knock.answerable) lines.push(line("soft", ...parts("coowner.owner_answers", { who: bdi(state.owner) })));
  return lines;
}

function personLines(person) {
  const tag = person.you ? t("coowner.you") : person.coowner ? t("coowner.coowner") : "";
  const tags = tag ? [" ", el("span", { class: "tag" }, tag)] : [];
  const here = person.here ? el("span", { class: "here" }, t("coowner.here")) : t("coowner.away");
  const more = [t(`role.${person.role}`), t("coowner.came", { ago: ago(person.since) })];
  if (person.devices > 1) more.push(t("coowner.devices", { count: person.devices }));
  return [line("", called(person), ...tags), line("soft", here, ` · ${more.join(" · ")}`)];
}

function doorButtons() {
  if (state.state === "open") {
    return asking("door", t("coowner.pause"), t("coowner.pause_sure"), t("coowner.pause_yes"), { type: "pause" });
  }
  sure.delete("door");
  return state.state === "paused" ? [button("resume", "door", t("coowner.go_on"), "main", () => act("door", { type: "resume" }))] : [];
}

const knockButtons = (knock) => [
  button(`admit-${knock.id}`, knock.id, t("coowner.let_in"), "main", () => act(knock.id, { type: "admit", id: knock.id })),
  button(`refuse-${knock.id}`, knock.id, t("coowner.refuse"), "", () => act(knock.id, { type: "refuse", id: knock.id })),
];

const personButtons = (person) =>
  asking(person.id, t("coowner.put_out"), t("coowner.put_out_sure"), t("coowner.put_out_yes"), { type: "remove", id: person.id });

function show() {
  if (!state || ended) return;
  const said = t(`coowner.is_${state.state}`);
  if (by("door-words").textContent !== said) by("door-words").textContent = said;
  const seen = new Set(["door", ...state.people.map((person) => person.id)]);
  for (const place of sure.keys()) if (!seen.has(place)) sure.delete(place);
  fill(by("door-acts"), doorButtons());
  by("sure-door").textContent = sure.get("door") || "";
  fill(by("knocks"), state.knocks.map((knock) => row(knock.id, knockLines(knock), knock.answerable ? knockButtons(knock) : [])));
  fill(by("people"), state.people.map((person) => row(person.id, personLines(person), person.removable ? personButtons(person) : [])));
  by("no-knocks").hidden = state.knocks.length > 0;
  by("no-people").hidden = state.people.length > 0;
  document.title = state.knocks.length ? `(${state.knocks.length}) ${title}` : title;
  busy();
}

// -- the connection ---------------------------------------------------------------------------------------------------

function unreachable(text) {
  by("link").textContent = text;
  by("link").hidden = !text;
}

function over() {
  ended = true;
  clearTimeout(silence);
  by("desk").remove();
  say("");
  by("over").hidden = false;
  by("over").querySelector("h1").focus();
  document.title = by("over").querySelector("h1").textContent;
}

function listen(mine) {
  clearTimeout(silence);
  silence = setTimeout(() => mine.close(), SILENCE);
}

function answered(word) {
  const one = waiting.get(word.n);
  waiting.delete(word.n);
  if (one) {
    sure.delete(one.place);
    if (word.code) trouble(one.place, t(`coowner.no_${word.code}`));
    else say(t(`coowner.did_${one.word.type}`));
  }
  show();
  busy();
}

function hear(word) {
  if (word.type === "over") return over();
  if (word.type === "answer") return answered(word);
  if (word.type !== "state") return;
  const before = state ? state.knocks.length : 0;
  const now = word.knocks.length;
  skew = word.now - Date.now() / 1000;
  state = word;
  if (now > before) say(now === 1 ? t("coowner.one_knocks") : t("coowner.some_knock", { count: now }));
  show();
}

function open() {
  const mine = (socket = new WebSocket(address, [protocol, key]));
  mine.onopen = () => listen(mine);
  mine.onmessage = (event) => {
    tries = 0;
    unreachable("");
    listen(mine);
    hear(JSON.parse(event.data));
  };
  mine.onclose = (event) => {
    if (ended) return;
    clearTimeout(silence);
    if (event.code === 4403) return over();
    waiting.clear();
    busy();
    tries += 1;
    // A key that does not count any more is refused like a gate that does not answer: loading anew tells which.
    if (tries > 2) unreachable(t("coowner.unreachable"));
    setTimeout(open, PAUSES[Math.min(tries, PAUSES.length) - 1]);
  };
}

open();
setInterval(show, 20_000);
