"""Every setting: name, type, default and one sentence. config.py reads and checks their values."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sharegate.errors import Invalid


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. `type` is str, int, bool, or "list": texts, with commas between them outside of TOML."""

    name: str
    type: str
    default: Any
    sentence: str


SETTINGS: tuple[Setting, ...] = (
    Setting("data_dir", "str", "", "Where keys, store and socket live; default: the user's data folder."),
    Setting("owner", "str", "", "How visitors see you; default: your name on this computer."),
    Setting(
        "store", "str", "", "A Redis or Valkey server for several gates, `redis://HOST`; empty: a file in `data_dir`."
    ),
    Setting("store_password_file", "str", "", "A file with that server's password (or `SHAREGATE_STORE_PASSWORD`)."),
    Setting(
        "store_ca_file", "str", "", "Certificates that a `rediss://` server is checked by, instead of the system's."
    ),
    Setting("store_prefix", "str", "sharegate", "What the names of all keys on that server begin with."),
    Setting(
        "store_insecure", "bool", False, "Accept `redis://` to another computer: who listens in reads all records."
    ),
    Setting("gate_name", "str", "", "This gate's name in the history, among the gates of one store."),
    Setting(
        "keys_dir", "str", "", "Folder of the keys, which gates of one store have in common; `keys` in `data_dir`."
    ),
    Setting("gate_host", "str", "127.0.0.1", "Address or name on which visitors reach the gate."),
    Setting("gate_port", "int", 8870, "Port of the gate. Fixed, so that links survive a restart."),
    Setting("dashboard_host", "str", "localhost", "Host name of the owner's listener; never the gate's."),
    Setting("dashboard_port", "int", 8871, "Port of the owner's listener (health, keys)."),
    Setting("public_url", "str", "", "The address visitors use when something stands in front of the gate."),
    Setting("share_hosts", "str", "", "Name below which each share has its own host; see docs/hosts.md."),
    Setting("accept_shared_origin", "bool", False, "Serve several owners without share hosts; see docs/hosts.md."),
    Setting("tls_certificate", "str", "", "The gate's own TLS certificate: a PEM file, with those above it."),
    Setting("tls_key", "str", "", "The key of that certificate: a PEM file that nobody else may read."),
    Setting(
        "trusted_forwarders",
        "list",
        (),
        "Addresses or networks of proxies in front, which are believed when they say who a visitor is.",
    ),
    Setting("lan", "bool", False, "Listen on all addresses of this computer, for visitors in the local network."),
    Setting("insecure", "bool", False, "Accept plain http off this computer: who listens in can enter as a visitor."),
    Setting("policy_dir", "str", "", "A folder whose policy files replace the built-in ones of the same name."),
    Setting("full_addresses", "bool", False, "Record visitors' whole network addresses instead of shortened ones."),
    Setting("retention_days", "int", 400, "Days after which names, addresses and agents leave the history."),
    Setting("anchor_file", "str", "", "A file, best on another disk, to which signed ends of the history are added."),
    Setting("backup_dir", "str", "", "Where the dashboard puts copies of the records; else data_dir/backups."),
    Setting("anchor_minutes", "int", 60, "Minutes between two anchors of the history."),
    Setting(
        "language",
        "str",
        "auto",
        "The language of visitors' pages, `en` or `de`; `auto`: what each browser asks for.",
    ),
    Setting("log_level", "str", "warning", "debug, info, warning or error."),
    Setting("log_format", "str", "hub", "hub (lines as JupyterHub writes them) or json (an object on each line)."),
    Setting(
        "connections", "int", 0, "Connections of visitors at once; 0: as many as the limit of open files has room for."
    ),
    Setting("connections_per_address", "int", 512, "Connections of one address over which nobody has entered yet."),
    Setting("drain_seconds", "int", 10, "Seconds that answers and saves have to finish when the gate is stopped."),
    Setting("requests_at_once", "int", 64, "Requests that one visit may have running (link 8×, share 16×)."),
    Setting("channels_per_visit", "int", 32, "Live connections that one visit may hold."),
    Setting("channels_per_link", "int", 512, "Live connections over all visits of one link."),
    Setting("channels_per_share", "int", 1024, "Live connections over all visits of one share."),
    Setting("rooms_per_visit", "int", 16, "Live documents that one visit may have open."),
    Setting("idle_minutes", "int", 60, "Minutes without an act of a visitor after which a live document rests."),
    Setting(
        "megabytes_per_minute",
        "int",
        600,
        "Data to one visit in a minute (link 8×, share 16×).",
    ),
    Setting(
        "requests_per_minute",
        "int",
        3000,
        "Requests of one visit in a minute (link 8×, share 16×).",
    ),
    Setting("upstream_seconds", "int", 60, "Seconds that a server may say nothing before and within an answer."),
    Setting("upstream_ca", "str", "", "PEM file of the authorities for https servers; default: the system's."),
    Setting("smtp_host", "str", "", "The mail server that takes mail from the gate; empty: the gate sends none."),
    Setting("smtp_port", "int", 0, "Its port; 0: the usual one of `smtp_security` (465, 587 or 25)."),
    Setting("smtp_security", "str", "tls", "tls, starttls or none (none: on this computer, or with `insecure`)."),
    Setting("smtp_user", "str", "", "The name to log in with there; empty: without a login."),
    Setting("smtp_password_file", "str", "", "A file with the password for that (or `SHAREGATE_SMTP_PASSWORD`)."),
    Setting("smtp_ca_file", "str", "", "Certificates that the mail server is checked by, instead of the system's."),
    Setting("mail_from", "str", "", "The sender of all mail: `share@example.org`, or `Name <share@example.org>`."),
    Setting("oidc_issuer", "str", "", "The OpenID Connect provider at which people sign in; empty: nobody does."),
    Setting("oidc_name", "str", "", "What buttons call it, as in `Sign in with NAME`; default: its host."),
    Setting("oidc_client_id", "str", "", "What it calls this gate; see docs/oidc.md for the addresses that it needs."),
    Setting("oidc_client_secret_file", "str", "", "A file with the secret (or `SHAREGATE_OIDC_CLIENT_SECRET`)."),
    Setting("oidc_ca_file", "str", "", "Certificates that the provider is checked by, instead of the system's."),
    Setting("oidc_scopes", "list", (), "What it is asked for; default: openid, email, profile."),
    Setting("oidc_groups_claim", "str", "groups", "Where it says in which groups somebody is."),
    Setting("oidc_owner", "list", (), "Who signs in to the dashboard as owner: addresses, or `sub:SUBJECT`."),
    Setting("oidc_admin_groups", "list", (), "Who is in one of these groups signs in to the dashboard as an admin."),
    Setting("oidc_sign_out", "bool", True, "Whether who signs out of the dashboard is sent to sign out there as well."),
    Setting("oidc_session_hours", "int", 12, "Hours after which whoever signed in to the dashboard does so anew."),
    Setting(
        "notify_file",
        "str",
        "",
        "A file with addresses of services that tell you what happens, one a line (or `SHAREGATE_NOTIFY`).",
    ),
    Setting("notify_admins_file", "str", "", "The same for admins: reports, alarms (or `SHAREGATE_NOTIFY_ADMINS`)."),
    Setting("notify_about", "list", (), "What is told, see docs/notifications.md; empty: everything."),
    Setting("notify_quiet", "int", 10, "Minutes between two notifications of one kind about one share."),
    Setting("strangers_per_minute", "int", 300, "Refused requests from one address in a minute."),
    Setting("versions_megabytes", "int", 1024, "Room for kept versions of one server's documents, compressed."),
    Setting("versions_per_document", "int", 200, "Versions kept of one document."),
    Setting(
        "versions_days", "int", 30, "Days after which versions are forgotten, but for the newest of each document."
    ),
    Setting("versions_minutes", "int", 5, "Minutes between two versions of a document while visitors write in it."),
    Setting("undo_megabytes", "int", 32, "Changes of one document that are kept to undo a person's work."),
)


# Characters; a device has no end.
_LONGEST_FILE = 1 << 20


def kind_in_words(kind: str) -> str:
    """A type in words."""
    return {"str": "text", "int": "a whole number", "bool": "true or false", "list": "a list of texts"}[kind]


def read_file(path: Path | None, faults: list[Invalid]) -> dict[str, Any]:
    """What a file of settings says; what is wrong with it goes to `faults`."""
    if path is None:
        return {}
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_LONGEST_FILE + 1)
        if len(text) > _LONGEST_FILE:
            faults.append(Invalid(str(path), "is too long for a file of settings", "Check --config"))
            return {}
        return tomllib.loads(text)
    except FileNotFoundError:
        faults.append(Invalid(str(path), "there is no such file", "Check --config"))
    except (OSError, UnicodeDecodeError) as error:
        faults.append(Invalid(str(path), f"cannot be read ({type(error).__name__})", "Check its permissions"))
    except tomllib.TOMLDecodeError as error:
        faults.append(Invalid(str(path), f"is not TOML: {error}", "Mend that line"))
    except (ValueError, RecursionError) as error:  # an integer of thousands of digits; thousands of brackets
        faults.append(Invalid(str(path), f"cannot be read: {str(error)[:200]}", "Mend that value"))
    return {}


def documentation() -> str:
    """docs/reference/settings.md, made from SETTINGS."""
    rows = [
        f"| `{setting.name}` | {kind_in_words(setting.type)} | {_default(setting)} | {setting.sentence} |"
        for setting in SETTINGS
    ]
    return "\n".join(
        [
            "# Settings",
            "",
            "Generated from the program: change the settings there, not here.",
            "",
            "A setting comes from the command line, else from the environment (`SHAREGATE_GATE_PORT=9000`), else from",
            "the TOML file given by `--config` or `SHAREGATE_CONFIG`, else it has its default. Unknown names are",
            "faults, and all faults are reported together. `sharegate config check` looks without starting anything.",
            "",
            "| setting | is | default | meaning |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _default(setting: Setting) -> str:
    if isinstance(setting.default, bool):
        return "`true`" if setting.default else "`false`"
    return f"`{setting.default}`" if setting.default not in ("", ()) else ""
