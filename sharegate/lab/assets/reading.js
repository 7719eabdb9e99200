// The page for reading, which is whole without this: here it follows what is saved, and closes with the visit.
"use strict";

import { connect, tellActivity } from "./live.js";

const { base, path } = document.body.dataset;
const words = JSON.parse(document.getElementById("words").textContent);
const PAUSE = 3000;
const QUIET = 20_000;

let over = false;
let reachable = "here";
let server = "here";
let gone = false;
let freshUntil = 0;

const sheet = () => document.getElementById("sheet");
const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

// What the visit ended with is told by the page of its end.
function end() {
  if (over) return;
  over = true;
  sheet().replaceChildren();
  location.replace(`${base}-/ended`);
}

function tell() {
  const trouble =
    reachable === "offline" ? "offline" : reachable !== "here" ? "waits" : server !== "here" ? "away" : gone ? "gone" : "";
  const fresh = Date.now() < freshUntil;
  const line = document.getElementById("state");
  const said = words[`live.${trouble || (fresh ? "changed" : "follows")}`];
  line.dataset.state = trouble ? "trouble" : fresh ? "changed" : "live";
  // Writing the same words again would have some screen readers say them again.
  if (line.textContent !== said) line.textContent = said;
}

// Put what is new into the page, and leave alone what is not: the place that is read stays where it is.
function update(fresh) {
  const before = sheet();
  const after = fresh.getElementById("sheet");
  if (!after) return;
  const anchor = [...before.querySelectorAll(".cell")].find((cell) => cell.getBoundingClientRect().bottom > 0);
  const at = anchor?.getBoundingClientRect().top ?? 0;
  if (before.dataset.kind === "notebook" && after.dataset.kind === "notebook") {
    const known = new Map([...before.querySelectorAll(".cell")].map((cell) => [cell.dataset.key, cell]));
    for (const cell of [...after.querySelectorAll(".cell")]) {
      const mine = known.get(cell.dataset.key);
      if (mine?.dataset.digest === cell.dataset.digest) cell.replaceWith(mine);
      else cell.classList.add("changed");
    }
  }
  after.querySelector("#state").replaceWith(document.getElementById("state"));
  const focused = document.activeElement;
  before.replaceChildren(...after.childNodes);
  before.dataset.stamp = after.dataset.stamp;
  before.dataset.kind = after.dataset.kind;
  if (focused?.isConnected && focused !== document.body) focused.focus({ preventScroll: true });
  if (anchor?.isConnected) scrollBy(0, anchor.getBoundingClientRect().top - at);
  document.title = fresh.title;
  freshUntil = Date.now() + QUIET;
  setTimeout(tell, QUIET + 100);
}

async function follow() {
  while (!over) {
    if (document.hidden || reachable !== "here" || server !== "here") {
      await wait(500);
      continue;
    }
    let pause = 0;
    try {
      const answer = await fetch(`${location.pathname}?after=${sheet().dataset.stamp}`, { cache: "no-store", redirect: "error" });
      if (over) return;
      if (answer.status === 200) update(new DOMParser().parseFromString(await answer.text(), "text/html"));
      gone = answer.status === 404;
      if (answer.status >= 400) pause = Math.max(PAUSE, 1000 * Math.min(Number(answer.headers.get("Retry-After")) || 0, 60));
    } catch {
      pause = PAUSE; // whether anybody answers is for the live channel to say
    }
    tell();
    if (pause) await wait(pause);
  }
}

async function leave() {
  await Promise.race([
    fetch(`${base}-/leave`, { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}", keepalive: true }).catch(() => null),
    wait(1500),
  ]);
  end();
}

const live = connect(base, {
  hear(word) {
    if (word.type === "hello") server = word.server;
    if (word.type === "server") server = word.state;
    if (word.type === "ended") return end();
    tell();
  },
  link(state) {
    reachable = state;
    if (state === "here") live.say({ type: "here", path });
    tell();
  },
});

const button = document.querySelector('[data-do="leave"]');
button.hidden = false;
button.addEventListener("click", leave);
// A page that the browser kept alive may show what has ended since.
addEventListener("pageshow", (event) => event.persisted && location.reload());
tellActivity((word) => live.say(word));
tell();
follow();
