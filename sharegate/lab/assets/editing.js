// Role "edit": JupyterLab as an editor. What needs a kernel is taken away; running a cell becomes asking for it.
"use strict";

import { hideEmptyMenus } from "./menus.js";
import { by, t } from "./words.js";

// Commands that need a kernel, reach around the live document, or concern the owner's server. A name ending in * stands
// for all that begin so.
const OFF = `
  notebook:restart* notebook:interrupt* notebook:shutdown* notebook:reconnect* notebook:change-kernel notebook:run-all*
  notebook:run-in-console notebook:trust notebook:access-* notebook:export* notebook:create-console
  notebook:enable-windowing notebook:close-and-shutdown notebook:*-log*
  kernelmenu:* runmenu:run-all runmenu:run-above runmenu:run-below runmenu:restart* filemenu:close-and-cleanup
  filemenu:shutdown filemenu:logout filemenu:create-console toc:run-cells
  fileeditor:run-* fileeditor:create-console fileeditor:restart-* fileeditor:replace-selection markdownviewer:trust
  docmanager:save-as docmanager:reload docmanager:restore-checkpoint docmanager:toggle-autosave
  docmanager:show-in-file-browser-external filebrowser:shutdown filebrowser:copy-download-link filebrowser:share-main
  inline-completer:* workspace-ui:* inspector:* console:* debugger:* logconsole:* tooltip:* running:*
  apputils:reset
`.trim().split(/\s+/);
const off = new Set(OFF.filter((name) => !name.endsWith("*")));
const beginnings = OFF.filter((name) => name.endsWith("*")).map((name) => name.slice(0, -1));
// Listed by a beginning above, and of use to editors all the same.
const STAYS = new Set(["kernelmenu:open"]);

// What asks for the selected cells, and what happens to the selection afterwards.
const ASKING = new Map([
  ["notebook:run-cell", "stay"],
  ["notebook:run-cell-and-select-next", "next"],
  ["notebook:run-cell-and-insert-below", "insert"],
]);
// The menu's own entries hand on to those above.
const BY_MENU = new Map([["runmenu:run", "notebook:run-cell-and-select-next"]]);
const RUNNING = /^(notebook:(run-|restart|interrupt)|runmenu:|kernelmenu:|fileeditor:run-|toc:run-cells)/;

// New files of a programming language are the kernel's offer, and such files cannot be made here.
const makesProgram = (id, args) => id === "fileeditor:create-new" && Boolean(args?.kernelName ?? args?.fileExt);

export const isOff = (id, args) =>
  !STAYS.has(id) && (off.has(id) || makesProgram(id, args) || beginnings.some((start) => id.startsWith(start)));

// `ask(panel, cell)` raises the hand for one code cell.
export function makeEditor(app, visit, { toast, ask }) {
  const refuseRun = () => toast(t("lab.no_running"));
  limitCommands(app, visit, { ask, refuseRun });
  withoutKernels(app.serviceManager);
  app.shell.layoutModified?.connect(() => tidyLaunchers(app));
  app.restored.then(() => {
    hideEmptyMenus(app, ["jp-mainmenu-kernel"]);
    tidyLaunchers(app);
  });
}

const tidied = new WeakSet();

// A launcher shows its tiles whether their commands are visible or not.
function tidyLaunchers(app) {
  for (const { content } of app.shell.widgets("main")) {
    const model = content?.model;
    if (!Array.isArray(model?.itemsList) || typeof model.items !== "function" || tidied.has(model)) continue;
    tidied.add(model);
    const { items } = model;
    model.items = () => [...items.call(model)].filter((item) => !isOff(item.command, item.args)).values();
    content.update();
  }
}

function limitCommands(app, visit, { ask, refuseRun }) {
  const { commands } = app;
  const { isEnabled, isVisible, execute, label, caption } = commands;
  const asks = (id) => ASKING.has(id) || BY_MENU.has(id);
  const words = new Map([
    ["notebook:run-cell", t("lab.ask_run_stay", by(visit.owner))],
    ["notebook:run-cell-and-select-next", t("lab.ask_run", by(visit.owner))],
    ["notebook:run-cell-and-insert-below", t("lab.ask_run_insert", by(visit.owner))],
    ["runmenu:run", t("lab.ask_run", by(visit.owner))],
  ]);
  // A key bound to a running command has to arrive, so that it can be answered in words.
  commands.isEnabled = (id, args) => (isOff(id, args) ? RUNNING.test(id) : isEnabled.call(commands, id, args));
  commands.isVisible = (id, args) => !isOff(id, args) && isVisible.call(commands, id, args);
  commands.label = (id, args) => words.get(id) ?? label.call(commands, id, args);
  commands.caption = (id, args) => words.get(id) ?? caption.call(commands, id, args);
  commands.execute = (id, args) => {
    const panel = app.shell.currentWidget;
    if (asks(id) && panel?.content?.model?.cells) return askFor(app, panel, ASKING.get(BY_MENU.get(id) ?? id), ask);
    if (isOff(id, args) || asks(id)) {
      if (RUNNING.test(id)) refuseRun();
      return Promise.resolve(undefined);
    }
    return execute.call(commands, id, args);
  };
  commands.notifyCommandChanged();
}

// A person's Shift+Enter: text cells are rendered here, code cells are asked for, and the selection moves as it would.
async function askFor(app, panel, then, ask) {
  const notebook = panel.content;
  const chosen = notebook.widgets.filter((cell) => notebook.isSelectedOrActive(cell));
  for (const cell of chosen) {
    if (cell.model.type === "markdown") cell.rendered = true;
    else if (cell.model.type === "code") ask(panel, cell);
  }
  notebook.mode = "command";
  const last = notebook.widgets.indexOf(chosen[chosen.length - 1]);
  if (then === "insert") return app.commands.execute("notebook:insert-cell-below");
  if (then === "next") {
    if (last < notebook.widgets.length - 1) {
      notebook.deselectAll();
      notebook.activeCellIndex = last + 1;
      await notebook.scrollToItem?.(last + 1, "smart").catch(() => {});
    } else if (chosen[chosen.length - 1]?.model.type !== "code") {
      return app.commands.execute("notebook:insert-cell-below");
    }
  }
  return undefined;
}

// No request for a kernel leaves the page, and a file's history is the gate's: the server's checkpoints are not touched.
function withoutKernels({ contents, sessions }) {
  const off = () => Promise.reject(new Error(t("lab.no_running")));
  if (sessions) sessions.startNew = off;
  Object.assign(contents, {
    createCheckpoint: () => Promise.resolve({ id: "checkpoint", last_modified: new Date().toISOString() }),
    listCheckpoints: () => Promise.resolve([]),
    restoreCheckpoint: () => Promise.resolve(),
    deleteCheckpoint: () => Promise.resolve(),
  });
}
