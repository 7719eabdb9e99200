
// A co-owner's page: shows what the gate says, and tells it what was clicked. All text is set as text.
"use strict";
(() => {
  const { key, protocol } = document.body.dataset;
  const address = location.href.replace(/^http/, "ws").split("#")[0].split("?")[0];
  const by = (id) => document.getElementById(id);
  const PAUSES = [300, 1000, 2000, 5000, 10000];
  const SILENCE = 50_000;
  // What has just appeared, or come to the front, is not clicked on purpose: somebody may have chosen the moment.
  const SETTLE = 700;
  const CAN = { view: "would read", edit: "would edit text", run: "would run code" };
  const MAY = { view: "can view", edit: "can edit text", run: "can run code" };
  const LACKS = { email: "has not proved an address", passphrase: "has not shown the passphrase" };
  let socket = null;
  let tries = 0;
  let silence = 0;
  let number = 0;
  let skew = 0;
  let ended = false;
  let quietUntil = performance.now() + SETTLE;
  const waiting = new Map();
  const sure = new Map();

  const settle = (wait = SETTLE) => (quietUntil = Math.max(quietUntil, performance.now() + wait));
  window.addEventListener("focus", () => settle());
  document.addEventListener("visibilitychange", () => settle());

  function el(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
    node.append(...children.filter((child) => child !== ""));
    return node;
  }

  function ago(at) {
    const seconds = Math.max(0, Date.now() / 1000 + skew - at);
    if (seconds < 60) return "just now";
    const [count, unit] = seconds < 3600 ? [seconds / 60, "minute"] : seconds < 86400 ? [seconds / 3600, "hour"] : [seconds / 86400, "day"];
    const whole = Math.floor(count);
    return `${whole} ${unit}${whole === 1 ? "" : "s"} ago`;
  }

  const say = (text) => (by("say").textContent = text);

  // -- clicks -------------------------------------------------------------------------------------------------------

  function act(place, word) {
    if (performance.now() < quietUntil || waiting.size > 20) return;
    if (!socket || socket.readyState !== WebSocket.OPEN) return trouble(place, "The gate does not answer. Try again in a moment.");
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
    if (!sure.has(place)) return [button(`ask-${place}`, place, label, "", () => {
      if (performance.now() < quietUntil) return;
      sure.set(place, words);
      settle(400);
      show();
      by(`no-${place}`)?.focus();
      say(words);
    })];
    const back = () => {
      sure.delete(place);
      show();
      by(`ask-${place}`)?.focus();
    };
    return [
      button(`yes-${place}`, place, yes, "grave", () => act(place, word)),
      button(`no-${place}`, place, "No", "", back),
    ];
  }

  // -- what is shown ------------------------------------------------------------------------------------------------

  let state = null;

  function fill(node, children) {
    if (node.childNodes.length === children.length && children.every((child, at) => node.childNodes[at] === child)) return;
    const focused = document.activeElement;
    node.replaceChildren(...children);
    if (focused && focused !== document.activeElement && node.contains(focused)) focused.focus();
  }

  function row(place, lines, buttons) {
    const id = `row-${place}`;
    let node = by(id);
    if (!node) {
      node = el("li", { class: "row", id }, el("div", { class: "words" }), el("p", { class: "acts" }), el("p", { class: "trouble", id: `trouble-${place}` }));
      settle();
    }
    const words = node.firstChild;
    const text = lines.map((line) => line.textContent).join("\n");
    if (words.dataset.text !== text) {
      words.dataset.text = text;
      words.replaceChildren(...lines);
    }
    fill(node.children[1], buttons);
    return node;
  }

  const bdi = (text) => el("bdi", {}, text);

  function knockLines(knock) {
    const who = knock.email ? `✓ ${knock.email}` : knock.name ? `says “${knock.name}”` : "no name";
    const lines = [el("p", {}, el("strong", {}, bdi(who)), knock.link ? " at the link for " : " at a link", knock.link ? bdi(knock.link) : "")];
    const from = knock.same_person ? "says to be the same person in another browser" : "";
    const how = knock.by_address ? "came by the address of a page, not by a link" : "";
    lines.push(el("p", { class: "soft" }, [`knocked ${ago(knock.since)}`, CAN[knock.role], how, from].filter(Boolean).join(" · ")));
    if (knock.came_from) lines.push(el("p", { class: "doubt" }, "The link was opened by ", bdi(knock.came_from), " before. This may be somebody else."));
    const signs = [...knock.doubts, ...knock.lacks.map((need) => LACKS[need] || need)];
    if (signs.length) lines.push(el("p", { class: "doubt" }, signs.join(" · ")));
    if (!knock.answerable) lines.push(el("p", { class: "soft" }, bdi(state.owner), " answers this one: it is at a co-owner’s link."));
    return lines;
  }

  function personLines(person) {
    const tags = [person.you ? "you" : "", person.coowner && !person.you ? "co-owner" : ""].filter(Boolean);
    const first = el("p", {}, el("strong", {}, bdi(person.badge)), ...tags.flatMap((tag) => [" ", el("span", { class: "tag" }, tag)]));
    const here = person.here ? el("span", { class: "here" }, "here now") : "away";
    const more = [`${MAY[person.role]}`, `came ${ago(person.since)}`, person.devices > 1 ? `${person.devices} devices` : ""].filter(Boolean).join(" · ");
    return [first, el("p", { class: "soft" }, here, ` · ${more}`)];
  }

  function show() {
    if (!state || ended) return;
    const words = { open: "Open: whoever has a link can use it.", paused: "Paused: everybody is out. Their links work again when it goes on.", paused_by_owner: "Paused by the owner, who alone opens it again." };
    const said = words[state.state];
    if (by("door-words").textContent !== said) by("door-words").textContent = said;
    const door = state.state === "open"
      ? asking("door", "Pause", "Pause it? Everybody is out at once, you too; this page stays.", "Pause it", { type: "pause" })
      : state.state === "paused" ? [button("resume", "door", "Let it go on", "main", () => act("door", { type: "resume" }))] : [];
    if (state.state !== "open") sure.delete("door");
    let note = by("trouble-door");
    if (!note) by("door").append((note = el("p", { class: "trouble", id: "trouble-door" })));
    fill(by("door-acts"), door);
    fill(by("knocks"), state.knocks.map((knock) => row(knock.id, knockLines(knock), knock.answerable ? [
      button(`admit-${knock.id}`, knock.id, "Let in", "main", () => act(knock.id, { type: "admit", id: knock.id })),
      button(`refuse-${knock.id}`, knock.id, "Refuse", "", () => act(knock.id, { type: "refuse", id: knock.id })),
    ] : [])));
    by("no-knocks").hidden = state.knocks.length > 0;
    const seen = new Set(state.people.map((person) => person.id));
    for (const place of sure.keys()) if (place !== "door" && !seen.has(place)) sure.delete(place);
    fill(by("people"), state.people.map((person) => row(person.id, personLines(person), person.removable
      ? asking(person.id, "Put out", "Put out? They can open their link again.", "Put out now", { type: "remove", id: person.id })
      : [])));
    by("no-people").hidden = state.people.length > 0;
    const knocking = state.knocks.length;
    document.title = `${knocking ? `(${knocking}) ` : ""}Who comes in · ${state.share} · sharegate`;
    busy();
  }

  // -- the connection -----------------------------------------------------------------------------------------------

  function unreachable(text) {
    by("link").textContent = text;
    by("link").hidden = !text;
  }

  function over() {
    ended = true;
    clearTimeout(silence);
    document.querySelector("main").remove();
    by("over").hidden = false;
    by("over").querySelector("h1").focus();
    document.title = "Over · sharegate";
  }

  function listen(mine) {
    clearTimeout(silence);
    silence = setTimeout(() => mine.close(), SILENCE);
  }

  function hear(word) {
    if (word.type === "state") {
      const before = state ? state.knocks.length : 0;
      skew = word.now - Date.now() / 1000;
      state = word;
      if (word.knocks.length > before) say(word.knocks.length === 1 ? "Somebody knocks." : `${word.knocks.length} people knock.`);
      return show();
    }
    if (word.type === "over") return over();
    if (word.type !== "answer") return;
    const one = waiting.get(word.n);
    waiting.delete(word.n);
    if (one) {
      sure.delete(one.place);
      if (word.problem) trouble(one.place, [word.problem, word.remedy].filter(Boolean).join(" "));
      else say({ admit: "Let in.", refuse: "Refused.", remove: "Put out.", pause: "Paused.", resume: "It goes on." }[one.word.type]);
    }
    show();
    busy();
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
      if (tries > 2) unreachable("The gate does not answer. If this stays so, load the page again.");
      setTimeout(open, PAUSES[Math.min(tries, PAUSES.length) - 1]);
    };
  }

  open();
  setInterval(show, 20_000);
})();
