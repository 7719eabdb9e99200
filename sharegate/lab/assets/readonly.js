// Role "view": JupyterLab with everything that changes something taken away.
//
// Three layers, each enough for most cases: commands are off unless listed here; documents do not take local changes
// (what the owner changes comes in another way); and the page's own requests to write are answered without being sent.
"use strict";

import { hideEmptyMenus } from "./menus.js";
import { documents } from "./place.js";
import { by, spoken, t } from "./words.js";

// What a reader uses. A name ending in * stands for all that begin so. Everything else is off, also what an extension adds.
const READING = `
  apputils:activate-command-palette apputils:load-statedb apputils:reset-on-load apputils:print apputils:toggle-header
  apputils:display-shortcuts apputils:change-theme apputils:change-light-theme apputils:change-dark-theme
  apputils:adaptive-theme apputils:theme-scrollbars apputils:change-font apputils:incr-font-size apputils:decr-font-size
  apputils:notify apputils:update-notification apputils:dismiss-notification apputils:display-notifications
  apputils:move-section-to apputils:move-section-back
  application:* router:*
  mathjax:* mermaid:copy-source imageviewer:* csv:go-to-line tsv:go-to-line rendermime:handle-local-link
  statusbar:toggle sidebar:switch
  documentsearch:start documentsearch:highlightNext documentsearch:highlightPrevious documentsearch:end
  documentsearch:toggleSearchInSelection
  help:about help:jupyter-forum help:open helpmenu:* settingsmenu:open tabsmenu:* viewmenu:* mainmenu:open-first
  filemenu:open editmenu:open editmenu:go-to-line recentmenu:open-recent recentmenu:reopen-last
  docmanager:open docmanager:clone docmanager:download docmanager:open-browser-tab docmanager:show-in-file-browser
  docmanager:clear-recents
  filebrowser:download filebrowser:open-browser-tab filebrowser:select-all filebrowser:go-to-path filebrowser:go-up
  filebrowser:open-path filebrowser:open filebrowser:refresh filebrowser:copy-path filebrowser:toggle-* filebrowser:activate
  filebrowser:hide-main filebrowser:edit-path
  toc:display-* toc:show-panel toc:toggle-collapse
  settingeditor:* jupyterlab-translation:*
  code-viewer:open markdownviewer:open fileeditor:markdown-preview
  fileeditor:change-font-size fileeditor:toggle-* fileeditor:change-theme fileeditor:find fileeditor:go-to-line
  fileeditor:change-language fileeditor:select-all fileeditor:copy
  codemirror:fold-* codemirror:unfold-* codemirror:toggle-tab-focus-mode codemirror:select-next-occurrence
  notebook:set-side-by-side-ratio notebook:toggle-render-side-by-side-current notebook:render-all-markdown
  notebook:copy-cell notebook:copy-selected-text notebook:copy-to-clipboard notebook:move-cursor-*
  notebook:extend-marked-cells-* notebook:select-all notebook:deselect-all notebook:enter-command-mode
  notebook:enter-edit-mode notebook:toggle-all-cell-line-numbers notebook:hide-* notebook:show-* notebook:toggle-cell-outputs
  notebook:enable-output-scrolling notebook:disable-output-scrolling notebook:toggle-output-scrolling
  notebook:toggle-heading-collapse notebook:collapse-all-headings notebook:expand-all-headings
  notebook:toggle-virtual-scrollbar
`.trim().split(/\s+/);
const exact = new Set(READING.filter((name) => !name.endsWith("*")));
const beginnings = READING.filter((name) => name.endsWith("*")).map((name) => name.slice(0, -1));
// Listed by a beginning above, and not for readers all the same.
const NOT_READING = new Set(["filebrowser:toggle-hidden-files", "application:rename", "application:duplicate"]);

const RUNNING = /^(notebook:(run-|restart|interrupt)|runmenu:|kernelmenu:(restart|interrupt)|fileeditor:run-|toc:run-cells)/;
const DOCUMENT_EDITOR = ".jp-Notebook .cm-content, .jp-FileEditor .cm-content";
const EMPTY_MENUS = ["jp-mainmenu-run", "jp-mainmenu-kernel"];

// One file has no neighbours, so there is no way out of the single-document view.
const ONLY_FOLDERS = ["application:set-mode", "application:toggle-mode", "docmanager:open-browser-tab"];

const mayUse = (id) =>
  !NOT_READING.has(id) && (exact.has(id) || beginnings.some((start) => id.startsWith(start)));

export function makeReadOnly(app, visit, toast) {
  if (visit.kind === "file") ONLY_FOLDERS.forEach((id) => NOT_READING.add(id));
  const said = new Set();
  function once(kind, sentence) {
    if (said.has(kind)) return;
    said.add(kind);
    toast(sentence);
  }
  const refuseRun = () => once("run", t("lab.no_running"));
  const refuseEdit = () => once("edit", t("lab.no_editing", by(visit.owner)));

  limitCommands(app.commands, refuseRun);
  answerWritesHere(app.serviceManager);
  guardEvents(refuseEdit);

  const lockAll = () => documents(app).forEach(lock);
  app.shell.layoutModified?.connect(lockAll);
  app.shell.currentChanged?.connect(lockAll);
  lockAll();
  app.restored.then(() => {
    lockAll();
    tidy(app, visit);
  });
}

function limitCommands(commands, refuseRun) {
  const { isEnabled, isVisible, execute } = commands;
  // A key bound to a running command has to arrive, so that it can be answered in words.
  commands.isEnabled = (id, args) => (mayUse(id) ? isEnabled.call(commands, id, args) : RUNNING.test(id));
  commands.isVisible = (id, args) => mayUse(id) && isVisible.call(commands, id, args);
  commands.execute = (id, args) => {
    if (mayUse(id)) return execute.call(commands, id, args);
    if (RUNNING.test(id)) refuseRun();
    return Promise.resolve(undefined);
  };
  commands.notifyCommandChanged();
}

// What the gate would refuse is not asked. JupyterLab sees the answer of a server on which nothing changed.
function answerWritesHere({ contents, sessions }) {
  const unchanged = (path) => contents.get(path, { content: false });
  const off = () => Promise.reject(new Error(t("lab.viewing")));
  Object.assign(contents, {
    save: (path) => unchanged(path),
    rename: (path) => unchanged(path),
    delete: () => Promise.resolve(),
    copy: off,
    newUntitled: off,
    createCheckpoint: () => Promise.resolve({ id: "checkpoint", last_modified: new Date(0).toISOString() }),
    restoreCheckpoint: () => Promise.resolve(),
    deleteCheckpoint: () => Promise.resolve(),
  });
  if (sessions) sessions.startNew = off;
}

const locked = new WeakSet();

function lock(widget) {
  if (locked.has(widget)) return;
  locked.add(widget);
  const { context, content } = widget;
  const shared = context.model.sharedModel;
  const document = shared?.ydoc ?? shared?.ymodel?.doc;
  const transact = document?.transact;

  context.save = () => Promise.resolve();
  context.saveAs = () => Promise.resolve();
  context.rename = () => Promise.resolve();
  // All local changes of a shared document are transactions of its own; the owner's changes are applied by the library,
  // which does not come this way.
  const close = () => document && (document.transact = () => undefined);
  const reopen = () => document && (document.transact = transact.bind(document));
  context.ready.then(close);
  context.sharegateReload = async () => {
    reopen();
    try {
      await context.revert();
    } finally {
      close();
    }
  };

  // Their tools change or run something; what a reader needs of them is in the menus.
  if (content.model?.cells || content.editor) widget.toolbar?.hide();
  if (content.model?.cells) lockNotebook(widget);
  else if (content.editor) lockEditor(content.editor);
  else content.ready?.then?.(() => content.editor && lockEditor(content.editor));
}

function lockEditor(editor) {
  if (locked.has(editor)) return;
  locked.add(editor);
  // JupyterLab sets an editor's options anew whenever a setting changes: each time with this one in it.
  const { setOption, setOptions } = editor;
  editor.setOption = (name, value) => setOption.call(editor, name, name === "readOnly" ? true : value);
  if (setOptions) editor.setOptions = (options) => setOptions.call(editor, { ...options, readOnly: true });
  editor.setOption("readOnly", true);
  // No keyboard that slides up on a phone for a text that takes no typing.
  editor.host?.querySelector(".cm-content")?.setAttribute("inputmode", "none");
}

function lockNotebook(panel) {
  const notebook = panel.content;
  const lockCell = (cell) => {
    if (locked.has(cell)) return;
    locked.add(cell);
    cell.syncEditable = false; // else the cell would write its state into the document's metadata
    cell.readOnly = true;
    Object.defineProperty(cell, "readOnly", { get: () => true, set() {} });
    if ("showEditorForReadOnly" in cell) cell.showEditorForReadOnly = false;
    cell.ready.then(() => cell.editor && lockEditor(cell.editor));
  };
  const lockCells = () => notebook.widgets.forEach(lockCell);
  lockCells();
  notebook.model?.cells.changed.connect(lockCells);
  notebook.modelContentChanged?.connect(lockCells);
  notebook.modelChanged?.connect(() => {
    lockCells();
    notebook.model?.cells.changed.connect(lockCells);
  });
}

function guardEvents(refuseEdit) {
  const inEditor = (event) => event.target instanceof Element && event.target.closest(DOCUMENT_EDITOR);
  const stop = (event) => {
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  for (const kind of ["beforeinput", "paste", "cut", "drop"]) {
    window.addEventListener(kind, (event) => inEditor(event) && (stop(event), refuseEdit()), true);
  }
  window.addEventListener(
    "keydown",
    (event) => {
      const types = event.key.length === 1 || event.key === "Backspace" || event.key === "Delete";
      if (types && !event.ctrlKey && !event.metaKey && !event.altKey && inEditor(event)) refuseEdit();
    },
    true,
  );
  // Files from the desktop, and cells or files inside the page. Arranging tabs stays possible.
  for (const kind of ["dragover", "drop"]) {
    window.addEventListener(kind, (event) => event.dataTransfer?.types.includes("Files") && stop(event), true);
  }
  for (const kind of ["lm-dragenter", "lm-dragover", "lm-drop"]) {
    window.addEventListener(
      kind,
      (event) => {
        const cells = event.mimeData?.hasData("application/vnd.jupyter.cells");
        const folder = event.target instanceof Element && event.target.closest(".jp-DirListing, .jp-BreadCrumbs");
        if (cells || folder) stop(event);
      },
      true,
    );
  }
  // Controls inside outputs belong to a kernel that is not there.
  for (const kind of ["input", "change", "click"]) {
    window.addEventListener(
      kind,
      (event) => {
        const control = event.target instanceof Element && event.target.closest("input,select,textarea,button");
        if (control?.closest(".jp-OutputArea-output, .jp-RenderedMarkdown")) stop(event);
      },
      true,
    );
  }
}

// Menus without a single entry, panels without a content, an empty main area: gone, or put into words.
function tidy(app, visit) {
  hideEmptyMenus(app, EMPTY_MENUS);
  if ([...app.shell.widgets("right")].length === 0) app.shell.collapseRight();
  if (window.innerWidth < 700) app.shell.collapseLeft();

  const hint = window.document.createElement("div");
  Object.assign(hint, { id: "sharegate-empty", ...spoken });
  const line = window.document.createElement("p");
  line.textContent = t("lab.empty", by(visit.owner));
  hint.append(line);
  const show = () => {
    const empty = [...app.shell.widgets("main")].length === 0;
    if (empty) window.document.getElementById("jp-main-dock-panel")?.append(hint);
    else hint.remove();
  };
  app.shell.layoutModified?.connect(show);
  show();
}
