// The one WebSocket between this page and the gate (words: sharegate/lab/live.py), and how the network looks from here.
"use strict";

const SILENCE = 50_000;
// How long a new connection may take: one to a computer that sleeps may hang for minutes, also after it woke.
const ANSWER = 12_000;
// Words for an end that passes by itself (live.passes): the connection ended, the visit did not.
const PASSING = new Set(["gate_restarting", "gate_fault", "too_many", "server_away", "server_slow", "server_fault"]);
const ENDED = { 4403: "closed", 4408: "share_expired", 4410: "visit_ended" };

// `hear(word)` gets each message; `link(state)` gets "here", "unreachable" (the gate does not answer) or "offline".
const ACTIVE_EVERY = 60_000;

// Tell the gate that there is a person, at most once a minute: a page that is only open may rest.
export function tellActivity(say) {
  let last = 0;
  const acted = () => {
    if (Date.now() - last >= ACTIVE_EVERY && say({ type: "active" })) last = Date.now();
  };
  for (const kind of ["keydown", "pointerdown", "wheel", "touchmove", "scroll"]) {
    window.addEventListener(kind, (event) => event.isTrusted && acted(), { capture: true, passive: true });
  }
}

export function connect(base, { hear, link }) {
  const address = new URL(base + "-/live", location.href);
  address.protocol = address.protocol.replace("http", "ws");
  let socket = null;
  let tries = 0;
  let waiting = 0;
  let silence = 0;
  let state = "joining";

  function become(next) {
    if (next === state) return;
    state = next;
    link(next);
  }

  function listen(patience = SILENCE) {
    clearTimeout(silence);
    silence = setTimeout(() => {
      const dead = socket;
      socket = null;
      // Whoever is silent does not answer a close either, for which the browser would wait.
      dead?.close();
      again(true);
    }, patience);
  }

  function open() {
    clearTimeout(waiting);
    waiting = 0;
    const mine = (socket = new WebSocket(address));
    mine.onmessage = (event) => {
      if (mine !== socket) return;
      tries = 0;
      listen();
      become("here");
      const word = JSON.parse(event.data);
      if (word.type !== "ended" || !PASSING.has(word.reason)) hear(word);
    };
    mine.onclose = (event) => {
      if (mine !== socket) return;
      clearTimeout(silence);
      socket = null;
      if (ENDED[event.code]) return hear({ type: "ended", reason: ENDED[event.code] });
      again();
    };
    listen(ANSWER);
  }

  async function again(silent = false) {
    tries += 1;
    // The first break is often a blip: nothing is said about it until a second try has failed as well. A silence after
    // which nobody answers is none.
    const answer = await ask();
    if (answer) return hear(answer);
    if (tries > 1 || (silent && answer === undefined)) become(navigator.onLine ? "unreachable" : "offline");
    const pause = Math.min(15_000, 400 * 2 ** Math.min(tries, 6));
    waiting = setTimeout(open, pause * (0.75 + Math.random() / 2));
  }

  // A refused upgrade tells a script nothing, so the gate is asked in plain HTTP whether the visit still stands: a word
  // when it does not, null when it may, undefined when nobody answers.
  async function ask() {
    try {
      const answer = await fetch(base + "api/me", { cache: "no-store", signal: AbortSignal.timeout(5000) });
      if (![401, 403, 410].includes(answer.status)) return null;
      const { error } = await answer.json().catch(() => ({}));
      return { type: "ended", reason: error?.code ?? "closed", sentence: error?.message ?? "" };
    } catch {
      return undefined; // no answer is no verdict: the page goes on waiting
    }
  }

  function soon() {
    if (waiting) {
      tries = Math.min(tries, 1);
      open();
    }
  }
  window.addEventListener("online", soon);
  window.addEventListener("offline", () => state === "unreachable" && become("offline"));
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && soon());
  open();

  return {
    // Whether the word could be sent.
    say(word) {
      if (socket?.readyState !== WebSocket.OPEN) return false;
      socket.send(JSON.stringify(word));
      return true;
    },
  };
}
