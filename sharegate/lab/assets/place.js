// Where the visitor is: remembered over a reload (this tab only), and told to the gate for the owner's screen.
"use strict";

const KEY = "sharegate-place";
const POLL = 5000;

const isNotebook = (widget) => Boolean(widget?.content?.model?.cells);
export const documents = (app) => [...app.shell.widgets("main")].filter((widget) => widget.context?.model);

export function keepPlace(app, visit, tell) {
  const front = () => (app.shell.currentWidget?.context ? app.shell.currentWidget : null);
  const path = () => front()?.context.path ?? "";

  function save() {
    const widget = front();
    // A page that goes before its document came leaves what the one before it remembered.
    if (!widget?.context.isReady || (isNotebook(widget) && !widget.content.activeCell)) return;
    const spot = { base: visit.base, path: path() };
    if (isNotebook(widget)) {
      spot.cell = widget.content.activeCell.model.id;
    } else {
      spot.scroll = widget.node.querySelector(".cm-scroller")?.scrollTop;
    }
    sessionStorage.setItem(KEY, JSON.stringify(spot));
  }

  async function restore() {
    let spot = null;
    try {
      spot = JSON.parse(sessionStorage.getItem(KEY));
    } catch {
      return; // not ours any more: start at the top
    }
    if (spot?.base !== visit.base) return;
    // The document opens some time after the layout is back; a person who is quicker than that is left alone.
    for (let look = 0; look < 60; look += 1) {
      const widget = documents(app).find((one) => one.context.path === spot.path);
      if (widget) {
        await widget.context.ready;
        return goTo(widget, spot);
      }
      await new Promise((done) => setTimeout(done, 250));
    }
  }

  async function goTo(widget, spot) {
    if (isNotebook(widget)) {
      // Cells arrive after the document is ready; ten looks are enough for any notebook that loads at all.
      for (let look = 0; look < 10; look += 1) {
        const at = widget.content.widgets.findIndex((cell) => cell.model.id === spot.cell);
        if (at >= 0) {
          widget.content.activeCellIndex = at;
          await widget.content.scrollToItem?.(at, "smart").catch(() => {});
          return;
        }
        await new Promise((done) => setTimeout(done, 300));
      }
    } else if (spot.scroll) {
      const scroller = widget.node.querySelector(".cm-scroller");
      if (scroller) scroller.scrollTop = spot.scroll;
    }
  }

  let told = "";
  function moved() {
    const now = path();
    if (now !== told) tell((told = now));
  }
  app.shell.currentChanged?.connect(moved);
  window.addEventListener("pagehide", save);
  restore();

  return { save, path, goTo, front, changed: null };
}

// A server without jupyter-collaboration: the page asks every few seconds whether the file in front was saved since.
export function watchForSaves(app, visit, place, banner) {
  let asking = false;

  async function look() {
    const widget = place.front();
    if (asking || document.hidden || !widget?.context.isReady) return;
    asking = true;
    try {
      const model = await app.serviceManager.contents.get(widget.context.path, { content: false });
      const mine = widget.context.contentsModel?.last_modified;
      if (mine && model.last_modified !== mine) offer(widget);
      else banner.news(null);
    } catch {
      // The server is away or the file is gone; the banner says the former, the document the latter.
    } finally {
      asking = false;
    }
  }

  function offer(widget) {
    banner.news(async () => {
      const spot = { cell: widget.content.activeCell?.model.id, scroll: widget.node.querySelector(".cm-scroller")?.scrollTop };
      await (widget.context.sharegateReload ?? (() => widget.context.revert()))();
      await place.goTo(widget, spot);
      banner.news(null);
    });
  }

  place.changed = (path) => path === place.path() && look();
  app.shell.currentChanged?.connect(() => banner.news(null));
  setInterval(look, POLL);
}
