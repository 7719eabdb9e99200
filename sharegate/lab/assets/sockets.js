// Every WebSocket of the page, so that all of them end when the visit does.
"use strict";

const Native = window.WebSocket;
const open = new Set();
let stopped = false;
let roomLost = () => {};

// A room that closed for good: the server restarted and its documents with it, or the gate took a change back. JupyterLab's
// answer to that is a dialog or trying for ever; ours is to load again. `callback(why)` gets one of the words below.
export function whenRoomIsLost(callback) {
  roomLost = callback;
}

const ROOM = "/api/collaboration/room/";
// What the gate takes in one message (FROM_EDITOR in channels/scan.py). One so large would break the connection, and be
// sent again with the next.
const LARGEST = 8 * 1024 * 1024;
const tooLarge = new Set(); // addresses of rooms whose document holds such a change: what follows would be refused

// "" for a room that may come back. The gate says `code` where it took a change back: update_refused, update_too_large,
// writing_ended.
function whyLost(event) {
  if (event.code !== 1003) return "";
  try {
    const said = JSON.parse(event.reason);
    return said.code || said.reason || "unknown_session";
  } catch {
    return event.reason || "unknown_session"; // plain words, or none
  }
}

window.WebSocket = class extends Native {
  constructor(address, protocols) {
    if (stopped) throw new DOMException("over", "InvalidStateError");
    super(address, protocols ?? []);
    open.add(this);
    // The first listener of all, so that it can keep the others from hearing.
    this.addEventListener("close", (event) => {
      open.delete(this);
      const why = this.url.includes(ROOM) && whyLost(event);
      if (!why) return;
      event.stopImmediatePropagation();
      roomLost(why);
    });
  }

  send(data) {
    if (data.byteLength >= LARGEST && this.url.includes(ROOM)) tooLarge.add(this.url);
    if (!tooLarge.has(this.url)) return super.send(data);
    roomLost("update_too_large");
    this.close();
  }
};

// End what is under way and keep anything new from starting: JupyterLab knows no "closed for good" and would go on trying.
export function stopEverything() {
  stopped = true;
  for (const socket of open) socket.close();
  const never = () => new Promise(() => {});
  window.fetch = never;
  window.XMLHttpRequest = class {
    constructor() {
      throw new DOMException("over", "InvalidStateError");
    }
  };
  const latest = window.setTimeout(() => {}, 0);
  for (let id = latest; id > 0; id -= 1) window.clearTimeout(id);
  window.setTimeout = window.setInterval = window.requestAnimationFrame = window.requestIdleCallback = () => 0;
  window.stop();
}
