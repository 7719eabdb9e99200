// Every WebSocket of the page, so that all of them end when the visit does.
"use strict";

const Native = window.WebSocket;
const open = new Set();
let stopped = false;
let roomLost = () => {};

// The server restarted, and its documents with it: JupyterLab's answer to that is a dialog, ours is to load again.
export function whenRoomIsLost(callback) {
  roomLost = callback;
}

window.WebSocket = class extends Native {
  constructor(address, protocols) {
    if (stopped) throw new DOMException("The visit has ended.", "InvalidStateError");
    super(address, protocols ?? []);
    open.add(this);
    this.addEventListener("close", (event) => {
      open.delete(this);
      if (event.code === 1003 && this.url.includes("/api/collaboration/room/")) roomLost();
    });
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
      throw new DOMException("The visit has ended.", "InvalidStateError");
    }
  };
  const latest = window.setTimeout(() => {}, 0);
  for (let id = latest; id > 0; id -= 1) window.clearTimeout(id);
  window.setTimeout = window.setInterval = window.requestAnimationFrame = window.requestIdleCallback = () => 0;
  window.stop();
}
