"""JupyterLab's and Notebook's page configuration for a visitor: an allow-list with checked values.

The owner's page configuration carries the raw token and a dozen absolute paths (`token`, `rootUri`, `schemasDir`, ...),
and every extension may add more. So nothing is copied that is not named here, and what is copied must look the way
JupyterLab itself writes it: a shape in which neither an absolute path nor an address fits. Whatever does not is left
out, because JupyterLab has a default for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sharegate.lab import notebook
from sharegate.lab.notebook import LAB, View
from sharegate.shares.model import Grant, Role, RootKind

# No second slash and none at the start: an absolute path has no place in a name.
_NPM_NAME = re.compile(r"(?:@[a-z0-9][a-z0-9._-]{0,60}/)?[a-zA-Z0-9][a-zA-Z0-9._-]{0,80}\Z")
_PLUGIN = re.compile(r"(?:@[a-z0-9][a-z0-9._-]{0,60}/)?[a-zA-Z0-9][a-zA-Z0-9._-]{0,80}(?::[A-Za-z0-9._-]{1,80})?\Z")
_VERSION = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,5}){1,3}[A-Za-z0-9.+-]{0,16}\Z")
_NOTEBOOK_VERSION = re.compile(r"\[[0-9]{1,4}(?:, ?[0-9]{1,5}){1,3}(?:, ?\"[a-z0-9.]{0,16}\"){0,2}\]\Z")
_MODULE = re.compile(r"\./[A-Za-z0-9_-]{1,60}\Z")
_ENTRY = re.compile(r"static/[A-Za-z0-9_-]{1,60}(?:\.[0-9a-f]{8,64})?\.js\Z")
_MESSAGE_TYPE = re.compile(r"[a-z_]{1,40}\Z")
_WORKSPACE = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")

# Federated extensions whose script a visitor's page needs. Any other is script that the owner's server supplies, and it
# runs only where the owner said so for the share (`own_extensions`).
COLLABORATION_EXTENSIONS = ("@jupyter/docprovider-extension", "@jupyter/collaboration-extension")
_OWN_SCOPE = "@jupyterlab/"

# What no visitor has, whatever the role: the server's administration, addresses that would not work for anybody else,
# and views of the whole server.
NEVER = (
    "@jupyterlab/terminal-extension",
    "@jupyterlab/extensionmanager-extension",
    "@jupyterlab/pluginmanager-extension",
    "@jupyterlab/running-extension",
    "@jupyterlab/hub-extension",
    "@jupyterlab/lsp-extension",
    "@jupyterlab/apputils-extension:announcements",
    "@jupyterlab/apputils-extension:licenses-client",
    "@jupyterlab/apputils-extension:licenses-plugin",
    "@jupyterlab/apputils-extension:running-sessions-status",
    "@jupyterlab/help-extension:licenses-commands",
    "@jupyterlab/filebrowser-extension:share-file",
    "@jupyterlab/filebrowser-extension:open-url",
    "@jupyterlab/notebook-extension:export",
    "@jupyterlab/notebook-extension:trust-status",
    "@jupyterlab/notebook-extension:language-server",
    "@jupyterlab/fileeditor-extension:language-server",
    "@jupyterlab/workspaces-extension:menu",
    "@jupyterlab/workspaces-extension:sidebar",
    "@jupyterlab/workspaces-extension:indicator",
    "@jupyter/collaboration-extension:shared-link",
    "@jupyter/collaboration-extension:rtcGlobalAwareness",
    "@jupyter/collaboration-extension:rtcPanel",
    "@jupyter/collaboration-extension:user-menu-bar",
    "@jupyter/docprovider-extension:forkManager",
    "@jupyter/docprovider-extension:statusBarTimeline",
    "@jupyterhub/jupyter-server-proxy",
    "@jupyter-server/resource-usage",
)

# Tools that need a kernel: off for every role but `run`.
WITHOUT_KERNEL = (
    "@jupyterlab/console-extension",
    "@jupyterlab/debugger-extension",
    "@jupyterlab/inspector-extension",
    "@jupyterlab/tooltip-extension",
    "@jupyterlab/logconsole-extension",
    "@jupyterlab/notebook-extension:code-console",
    "@jupyterlab/notebook-extension:log-output",
    "@jupyterlab/notebook-extension:open-with-no-kernel",
    "@jupyterlab/apputils-extension:kernel-status",
    "@jupyterlab/notebook-extension:kernel-status",
    "@jupyterlab/notebook-extension:execution-indicator",
    "@jupyterlab/apputils-extension:kernels-settings",
    "@jupyterlab/apputils-extension:subshell-settings",
)

# Tools that only change something: off for `view`.
WITHOUT_WRITING = (
    "@jupyterlab/launcher-extension",
    "@jupyterlab/cell-toolbar-extension",
    "@jupyterlab/celltags-extension",
    "@jupyterlab/completer-extension:inline-completer",
    "@jupyterlab/completer-extension:inline-completer-factory",
    "@jupyterlab/completer-extension:inline-history",
    "@jupyterlab/notebook-extension:metadata-editor",
    "@jupyterlab/notebook-extension:active-cell-tool",
    "@jupyterlab/notebook-extension:update-raw-mimetype",
    "@jupyterlab/filebrowser-extension:create-new-language-file",
    "@jupyterlab/filebrowser-extension:file-upload-status",
    "@jupyterlab/filebrowser-extension:notify-upload",
    "@jupyterlab/docmanager-extension:saving-status",
    "@jupyterlab/application-extension:property-inspector",
)

# Files that a program loads by their name are not made in a share, so no button for them: off for `edit`.
WITHOUT_PROGRAMS = (
    "@jupyterlab/filebrowser-extension:create-new-language-file",
    "@jupyterlab/notebook-extension:metadata-editor",
)

JAVASCRIPT_OUTPUT = "@jupyterlab/javascript-extension"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a visitor's page lives. `base` is the visit's base, `static` the immutable static one; both begin and end
    with a slash and are absolute paths on one origin."""

    base: str
    static: str

    def __post_init__(self) -> None:
        for address in (self.base, self.static):
            if not (address.startswith("/") and address.endswith("/")):
                raise ValueError(f"no absolute directory address: {address!r}")

    @property
    def static_from_base(self) -> str:
        """The static address as JupyterLab joins it to its base URL (its join resolves `..`)."""
        return "../" * (self.base.count("/") - 1) + self.static[1:]


def build_config(
    upstream: Mapping[str, Any],
    *,
    grant: Grant,
    addresses: Addresses,
    tree_path: str,
    workspace: str,
    mode: str,
    view: View = LAB,
) -> dict[str, Any]:
    """The whole page configuration of one visitor's page, keys sorted as written here, no value unchecked."""
    may_run = grant.role is Role.RUN
    base, static = addresses.base, addresses.static
    config: dict[str, Any] = {
        "appName": "JupyterLab",
        "appNamespace": "lab",
        "appUrl": "/lab",
        "docUrl": "/doc",
        "treeUrl": "/lab/tree",
        "settingsUrl": "/lab/api/settings",
        "workspacesApiUrl": "/lab/api/workspaces",
        "translationsApiUrl": "/lab/api/translations",
        # JupyterLab joins these two to its base URL.
        "themesUrl": addresses.static_from_base + "lab/api/themes",
        "labextensionsUrl": addresses.static_from_base + "lab/extensions",
        "baseUrl": base,
        "wsUrl": "",
        "token": "",
        "fullAppUrl": base + "lab",
        "fullTreeUrl": base + "lab/tree",
        "fullSettingsUrl": base + "lab/api/settings",
        "fullWorkspacesApiUrl": base + "lab/api/workspaces",
        "fullTranslationsApiUrl": base + "lab/api/translations",
        "fullStaticUrl": f"{static}static/{view.app}",
        "fullLabextensionsUrl": static + "lab/extensions",
        "fullThemesUrl": static + "lab/api/themes",
        "mode": "single-document" if mode == "single-document" else "multiple-document",
        "treePath": tree_path,
        "workspace": workspace if _WORKSPACE.match(workspace) else "default",
        "allow_hidden_files": False,
        "buildAvailable": False,
        "buildCheck": False,
        "cacheFiles": False,
        "copyAbsolutePath": False,
        "delete_to_trash": True,
        "devMode": False,
        "exposeAppInBrowser": True,  # page.js reaches the application through window.jupyterapp
        "extensionManager": {},
        "licensesUrl": "",
        "listingsUrl": "",
        "news": {"disabled": True},
        "notebookStartsKernel": may_run,
        "quitButton": False,
        "serverSideExecution": False,
        "terminalsAvailable": False,
        "ignorePlugins": [],
        "disabledExtensions": disabled_extensions(upstream.get("disabledExtensions"), grant),
        "federated_extensions": federated_extensions(upstream.get("federated_extensions"), grant),
        # Without it JupyterLab would take every absolute path in an output for one inside its (unknown) root.
        "rootUri": "file:///-",
    }
    if view.notebook:
        config |= view.facts
        if view.name != "tree":
            config["treePath"] = ""  # else the page would look for a file browser, which only /tree has
    if grant.share.kind is RootKind.DIRECTORY:
        config["preferredPath"] = grant.share.root
    for key, shape in (("appVersion", _VERSION), ("notebookVersion", _NOTEBOOK_VERSION)):
        value = upstream.get(key)
        if isinstance(value, str) and shape.match(value):
            config[key] = value
    if isinstance(upstream.get("disableRTC"), bool):
        config["disableRTC"] = upstream["disableRTC"]
    types = upstream.get("untracked_message_types")
    if isinstance(types, list):
        config["untracked_message_types"] = _matching(types, _MESSAGE_TYPE)[:60]
    return config


def disabled_extensions(upstream: Any, grant: Grant) -> list[str]:
    """What the owner has switched off stays off; what the role cannot use is added."""
    off = _matching(upstream, _PLUGIN)[:200] if isinstance(upstream, list) else []
    off += (*NEVER, *notebook.NEVER)
    if grant.role is not Role.RUN:
        off += (*WITHOUT_KERNEL, *notebook.WITHOUT_KERNEL)
    if grant.role is Role.VIEW:
        off += (*WITHOUT_WRITING, *notebook.WITHOUT_WRITING)
    if grant.role is Role.EDIT:
        off += (*WITHOUT_PROGRAMS, *notebook.WITHOUT_PROGRAMS)
    if not grant.share.own_extensions:
        off.append(JAVASCRIPT_OUTPUT)
    return list(dict.fromkeys(off))


def federated_extensions(upstream: Any, grant: Grant) -> list[dict[str, Any]]:
    """The prebuilt extensions that load in a visitor's page, each rebuilt from checked fields."""
    kept: list[dict[str, Any]] = []
    for entry in upstream if isinstance(upstream, list) else ():
        if not isinstance(entry, dict):
            continue
        name, load = entry.get("name"), entry.get("load")
        if not (isinstance(name, str) and _NPM_NAME.match(name) and isinstance(load, str) and _ENTRY.match(load)):
            continue
        needed = name in COLLABORATION_EXTENSIONS or name.startswith(_OWN_SCOPE)
        if not (needed or grant.share.own_extensions):
            continue
        clean = {"name": name, "load": load}
        for part in ("extension", "mimeExtension", "style"):
            module = entry.get(part)
            if isinstance(module, str) and _MODULE.match(module):
                clean[part] = module
        kept.append(clean)
    return kept[:100]


def _matching(values: Iterable[Any], shape: re.Pattern[str]) -> list[str]:
    return [value for value in values if isinstance(value, str) and shape.match(value)]
