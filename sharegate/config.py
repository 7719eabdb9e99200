"""Configuration: one TOML file, environment variables above it, loaded once into a frozen object.

Every setting is a row of SETTINGS: name, type, default and one sentence. `SHAREGATE_GATE_PORT=9000` overrides
`gate_port`. Unknown keys are faults, and all faults are reported together.
"""

from __future__ import annotations

import contextlib
import dataclasses
import getpass
import hashlib
import ipaddress
import os
import pwd
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import platformdirs

from sharegate.errors import Faults, Invalid
from sharegate.language.catalogue import faults as language_faults
from sharegate.mail.configured import faults as mail_faults
from sharegate.mail.configured import mail_server
from sharegate.mail.model import MailServer
from sharegate.notify.configured import FILES as NOTIFY_FILES
from sharegate.notify.configured import VARIABLES as NOTIFY_VARIABLES
from sharegate.notify.configured import Notices, read
from sharegate.oidc.configured import AccountSettings
from sharegate.oidc.configured import faults as account_faults
from sharegate.passwords import Place, password
from sharegate.settings import SETTINGS, kind_in_words, read_file
from sharegate.store_url import StoreUrl
from sharegate.store_url import faults as store_faults

_HOST = re.compile(r"[A-Za-z0-9.\-]{1,253}\Z")
# Labels of letters, digits and hyphens; the last is no number, which a browser would read as an address.
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"(?:{_LABEL}\.)*(?![0-9.]+\Z|0x[0-9a-f]*\Z){_LABEL}\Z")
_LONGEST_BASE = 200
LONGEST_SOCKET = 100
# Of whatever is counted; more than anybody means, and no sum of it is too large for a date.
MOST = 1_000_000
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


_BY_NAME = {setting.name: setting for setting in SETTINGS}
# What the environment may hold besides settings: for the gate, and for programs that join a share (sharegate.client).
_NO_SETTINGS = (
    *("SHAREGATE_CONFIG", "SHAREGATE_STORE_PASSWORD", "SHAREGATE_SMTP_PASSWORD", "SHAREGATE_OIDC_CLIENT_SECRET"),
    *NOTIFY_VARIABLES,
    *("SHAREGATE_LINK", "SHAREGATE_URL", "SHAREGATE_TOKEN", "SHAREGATE_TOKEN_FILE"),
)
_FILES = (
    *("policy_dir", "store_password_file", "store_ca_file", "tls_certificate", "tls_key", "upstream_ca"),
    *("anchor_file", "backup_dir", "smtp_password_file", "smtp_ca_file", "oidc_client_secret_file", "oidc_ca_file"),
    *NOTIFY_FILES,
)
_STORE_PASSWORD = Place("store_password_file", "SHAREGATE_STORE_PASSWORD", "the store", "store")
_SMTP_PASSWORD = Place("smtp_password_file", "SHAREGATE_SMTP_PASSWORD", "the mail server", "smtp_host")
_OIDC_SECRET = Place("oidc_client_secret_file", "SHAREGATE_OIDC_CLIENT_SECRET", "the provider", "oidc_issuer")
_LISTS = tuple(setting.name for setting in SETTINGS if setting.type == "list")
_PORTS = ("gate_port", "dashboard_port")
_MAY_BE_NONE = ("connections",)
_COUNTS = tuple(
    setting.name
    for setting in SETTINGS
    if setting.type == "int" and setting.name not in (*_PORTS, *_MAY_BE_NONE, "smtp_port")
)


@dataclass(frozen=True, slots=True)
class Config(AccountSettings):
    """The settings, checked. Paths are absolute."""

    data_dir: Path
    owner: str
    store: str
    store_password_file: Path | None
    store_ca_file: Path | None
    store_prefix: str
    store_insecure: bool
    gate_name: str
    keys_dir: Path
    gate_host: str
    gate_port: int
    dashboard_host: str
    dashboard_port: int
    public_url: str
    share_hosts: str
    accept_shared_origin: bool
    tls_certificate: Path | None
    tls_key: Path | None
    trusted_forwarders: tuple[str, ...]
    lan: bool
    insecure: bool
    policy_dir: Path | None
    full_addresses: bool
    retention_days: int
    anchor_file: Path | None
    backup_dir: Path | None
    anchor_minutes: int
    language: str
    log_level: str
    log_format: str
    connections: int
    connections_per_address: int
    drain_seconds: int
    requests_at_once: int
    channels_per_visit: int
    channels_per_link: int
    channels_per_share: int
    rooms_per_visit: int
    idle_minutes: int
    megabytes_per_minute: int
    requests_per_minute: int
    upstream_seconds: int
    upstream_ca: Path | None
    smtp_host: str
    smtp_port: int
    smtp_security: str
    smtp_user: str
    smtp_password_file: Path | None
    smtp_ca_file: Path | None
    mail_from: str
    notify_file: Path | None
    notify_admins_file: Path | None
    notify_about: tuple[str, ...]
    notify_quiet: int
    strangers_per_minute: int
    versions_megabytes: int
    versions_per_document: int
    versions_days: int
    versions_minutes: int
    undo_megabytes: int
    store_password: str = dataclasses.field(default="", repr=False)
    smtp_password: str = dataclasses.field(default="", repr=False)
    notices: Notices = dataclasses.field(default=Notices(), repr=False)
    file: Path | None = None
    """The file that settings were read from."""

    @property
    def database(self) -> Path:
        return self.data_dir / "store" / "sharegate.db"

    @property
    def store_socket(self) -> Path | None:
        """The Unix socket of the store, where it has one."""
        url = StoreUrl.parse(self.store) if self.store else None
        return Path(url.path) if url is not None and url.path else None

    @property
    def own_files(self) -> list[Path]:
        """What the gate lives by: it must never lie where visitors read or write."""
        named = (self.file, self.store_socket, *(getattr(self, name) for name in _FILES))
        return [self.data_dir, self.keys_dir, self.database, self.socket_path, *(each for each in named if each)]

    @property
    def socket_path(self) -> Path:
        """The owner's Unix socket, in a 0700 directory. A path that does not fit sun_path (104 bytes on macOS) is
        replaced by a short one that is the same for the same data_dir."""
        path = self.data_dir / "run" / "gate.sock"
        if len(os.fsencode(path)) <= LONGEST_SOCKET:
            return path
        digest = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:12]
        return Path(f"/tmp/sharegate-{os.getuid()}-{digest}/gate.sock")  # noqa: S108 -- a 0700 directory, checked to be ours

    @property
    def gate_url(self) -> str:
        """The address in links, without a trailing slash."""
        if self.public_url:
            return self.public_url.rstrip("/")
        host = f"[{self.gate_host}]" if ":" in self.gate_host else self.gate_host
        return f"{'https' if self.tls_certificate else 'http'}://{host}:{self.gate_port}"

    @property
    def mail(self) -> MailServer | None:
        """Where the gate hands in its mail; None: it sends none."""
        values = {setting.name: getattr(self, setting.name) for setting in SETTINGS}
        name = urlsplit(self.gate_url).hostname or "localhost"
        return mail_server(values, name=name, password=self.smtp_password, ca_file=self.smtp_ca_file)

    @property
    def one_owner(self) -> bool:
        """Whether all that is shared here must be one owner's, since it has one origin."""
        return not self.share_hosts and not self.accept_shared_origin

    @property
    def dashboard_url(self) -> str:
        host = f"[{self.dashboard_host}]" if ":" in self.dashboard_host else self.dashboard_host
        return f"http://{host}:{self.dashboard_port}"

    @property
    def reach(self) -> str:
        """Who can reach the gate, in people's words."""
        if self.public_url:
            host = urlsplit(self.public_url).hostname or ""
            return "this computer" if loopback(host) else "public"
        return "local network" if self.lan or not loopback(self.gate_host) else "this computer"

    def as_dict(self) -> dict[str, Any]:
        """For `config show`. There is no secret among them: keys are files of their own, and the store's password was
        taken out of its address."""
        return {setting.name: _plain(getattr(self, setting.name)) for setting in SETTINGS}


def _plain(value: Any) -> Any:
    """As JSON and TOML write it."""
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def loopback(host: str) -> bool:
    """Whether a host name or address can only mean this computer."""
    if host in LOOPBACK_NAMES or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def host_of(url: str) -> str:
    """ "" where there is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def person() -> str:
    """The name of this account's owner, as the system knows it."""
    try:
        entry = pwd.getpwuid(os.getuid())
    except KeyError:
        return getpass.getuser()
    return entry.pw_gecos.split(",")[0].strip() or entry.pw_name


def load(path: Path | None, environ: Mapping[str, str], overrides: Mapping[str, Any] | None = None) -> Config:
    """Defaults < file < environment < overrides (the command line). Raises Faults with everything that is wrong."""
    faults: list[Invalid] = []
    values: dict[str, Any] = {setting.name: setting.default for setting in SETTINGS}
    if path is None and environ.get("SHAREGATE_CONFIG"):
        path = Path(environ["SHAREGATE_CONFIG"])
    for field, value in read_file(path, faults).items():
        _put(values, field, value, f"{field} in {path}", faults)
    for name, text in environ.items():
        if name.startswith("SHAREGATE_") and name not in _NO_SETTINGS:
            field = name.removeprefix("SHAREGATE_").lower()
            _put(values, field, _from_text(field, text), name, faults)
    for field, value in (overrides or {}).items():
        if value is not None:
            given = _from_text(field, value) if isinstance(value, str) and _is_list(field) else value
            _put(values, field, given, "--" + field.replace("_", "-"), faults)
    _check(values, faults)
    store_password, smtp_password, oidc_client_secret = _passwords(values, environ, faults)
    faults += account_faults(values, near=loopback(host_of(values["oidc_issuer"])))
    notices = read(values, environ, faults)
    faults += mail_faults(values, near=loopback(values["smtp_host"]), password=smtp_password)
    if faults:
        raise Faults(str(path or "configuration"), faults)
    data_dir = _path(values["data_dir"] or platformdirs.user_data_dir("sharegate"))
    return Config(
        **{
            **values,
            **{name: _path(values[name]) if values[name] else None for name in _FILES},
            "data_dir": data_dir,
            "owner": values["owner"] or person(),
            "share_hosts": values["share_hosts"].lower(),
            **{name: tuple(values[name]) for name in _LISTS},
            "keys_dir": _path(values["keys_dir"]) if values["keys_dir"] else data_dir / "keys",
            "store": str(StoreUrl.parse(values["store"])) if values["store"] else "",
            "store_password": store_password,
            "smtp_password": smtp_password,
            "oidc_client_secret": oidc_client_secret,
            "notices": notices,
            "file": path.absolute() if path else None,
        }
    )


def _path(text: str) -> Path:
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError:  # nobody of that name has a home here: then it is a folder with a tilde
        return Path(text).absolute()


def _passwords(values: dict[str, Any], environ: Mapping[str, str], faults: list[Invalid]) -> list[str]:
    """Of the store, the mail server and the provider of accounts, each from the one place that has it."""
    in_url: dict[str, str] = {}
    if values["store"]:
        with contextlib.suppress(Invalid):  # told already
            in_url["store"] = StoreUrl.parse(values["store"]).password
    found = []
    for place, more in ((_STORE_PASSWORD, in_url), (_SMTP_PASSWORD, {}), (_OIDC_SECRET, {})):
        name = values[place.file]
        file = _path(name) if name.strip() else None
        needed = bool(values[place.setting])
        found.append(password(place, file, environ.get(place.variable, ""), needed, faults, **more))
    return found


def _from_text(field: str, text: str) -> Any:
    """An environment variable as the type of its setting; what does not fit stays text and is reported."""
    kind = _BY_NAME[field].type if field in _BY_NAME else "str"
    if kind == "bool" and text.lower() in ("1", "true", "yes", "on", "0", "false", "no", "off"):
        return text.lower() in ("1", "true", "yes", "on")
    if kind == "int" and re.fullmatch(r"\d{1,9}", text):
        return int(text)
    if kind == "list":
        return [one.strip() for one in text.split(",") if one.strip()]
    return text


def _is_list(field: str) -> bool:
    return field in _BY_NAME and _BY_NAME[field].type == "list"


def _put(values: dict[str, Any], field: str, value: Any, said: str, faults: list[Invalid]) -> None:
    setting = _BY_NAME.get(field)
    if setting is None:
        faults.append(Invalid(said, "is no setting", "`sharegate config show` lists them"))
    elif type(value).__name__ != setting.type or (setting.type == "list" and not all(map(_is_text, value))):
        default = f"Default: {setting.default!r}" if setting.type != "list" else 'Example: ["127.0.0.1"]'
        faults.append(Invalid(said, f"must be {kind_in_words(setting.type)}, not {_written(value)}", default))
    else:
        values[field] = value


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _check(values: dict[str, Any], faults: list[Invalid]) -> None:
    for name in _PORTS:
        if not 0 <= values[name] <= 65535:
            faults.append(Invalid(name, f"{_written(values[name])} is no port", "Choose 1024 to 65535, or 0 for any"))
    for name in _COUNTS:
        if values[name] < 1:
            faults.append(Invalid(name, f"{_written(values[name])} is less than 1", "Give a whole number, 1 or more"))
    for name in (*_COUNTS, *_MAY_BE_NONE):
        if values[name] > MOST:
            faults.append(Invalid(name, f"is more than {MOST}", "Give a smaller number"))
    for name in _MAY_BE_NONE:
        if values[name] < 0:
            faults.append(Invalid(name, f"{_written(values[name])} is less than 0", "Give a whole number, or 0"))
    for name in ("gate_host", "dashboard_host"):
        if not (_HOST.match(values[name]) or _is_address(values[name])):
            faults.append(Invalid(name, f"{values[name]!r} is no host name or address", "Example: 127.0.0.1"))
    if values["gate_host"].lower() == values["dashboard_host"].lower():
        faults.append(
            Invalid(
                "dashboard_host",
                "is the gate's host; a script in a shared file could then act as you",
                "Give the two listeners different host names, for example 127.0.0.1 and localhost",
            )
        )
    if not loopback(values["dashboard_host"]):
        faults.append(Invalid("dashboard_host", "is not on this computer", "Use localhost"))
    faults.extend(language_faults(values["language"]))
    if values["log_level"] not in ("debug", "info", "warning", "error"):
        faults.append(Invalid("log_level", f"{values['log_level']!r} is no level", "debug, info, warning or error"))
    faults += store_faults(values, near=loopback)
    if values["log_format"] not in ("hub", "json"):
        faults.append(Invalid("log_format", f"{values['log_format']!r} is no format", "hub or json"))
    for name in ("data_dir", "keys_dir", *_FILES):
        if values[name] and (not values[name].strip() or "\0" in values[name]):
            faults.append(Invalid(name, "is blank or no path", "Give a path, or leave it out"))
    if len(values["owner"]) > 60 or not values["owner"].isprintable():
        faults.append(Invalid("owner", "is not a name of up to 60 visible characters", "Shorten it"))
    for entry in values["trusted_forwarders"]:
        _check_forwarder(entry, faults)
    _check_tls(values, faults)
    _check_reach(values, faults)
    if values["share_hosts"]:
        faults.extend(_share_hosts_faults(values, values["share_hosts"].lower()))


def _share_hosts_faults(values: dict[str, Any], base: str) -> Iterator[Invalid]:
    """What is wrong with `base` in itself, then beside the dashboard, then beside the gate's own address."""
    if not _NAME.match(base) or len(base) > _LONGEST_BASE:
        yield Invalid(
            "share_hosts",
            f"{values['share_hosts']!r} is no host name below which shares could have theirs",
            "Give the wildcard's name without the star, for example share.example.org; on this computer: localhost",
        )
        return
    dashboard = values["dashboard_host"].lower()
    # Pages below one registrable name can set cookies for one another. `localhost` counts like a top-level domain.
    apart = base != "localhost" and _site(dashboard) != _site(base)
    if not (apart or _is_address(dashboard) or dashboard == "localhost"):
        yield Invalid(
            "share_hosts",
            f"and the dashboard's host {dashboard} are one site; a script in a shared file could then act as you",
            "Leave dashboard_host at localhost",
        )
    try:
        url = urlsplit(values["public_url"])
        own = url.hostname or values["gate_host"].lower()
    except ValueError:  # told with public_url
        return
    only_here = loopback(base)
    # The gate's own certificate counts where nothing stands in front.
    secure = url.scheme == "https" if values["public_url"] else bool(values.get("tls_certificate"))
    if own.endswith("." + base):
        yield Invalid("share_hosts", f"the gate's own host {own} lies below it, among the shares'", "Use another name")
    elif only_here and (values["lan"] or not loopback(own)):
        yield Invalid(
            "share_hosts", "is a name that only this computer knows", "Use a name that visitors' computers can look up"
        )
    elif values["public_url"] and not (only_here or base == own or base.endswith("." + own)):
        yield Invalid("share_hosts", f"is neither public_url's host {own} nor a name below it", f"Example: share.{own}")
    elif not (secure or only_here or values["insecure"]):
        yield Invalid(
            "share_hosts",
            "would be plain http off this computer",
            "Put TLS in front and set public_url, or accept it with --insecure",
        )


def _site(host: str) -> str:
    """The registrable part of a name below `localhost`."""
    return ".".join(host.split(".")[-2:])


def _check_forwarder(entry: str, faults: list[Invalid]) -> None:
    field, example = "trusted_forwarders", "Example: 127.0.0.1, or 10.0.3.0/24"
    try:
        network = ipaddress.ip_network(entry)
    except ValueError:
        faults.append(Invalid(field, f"{entry!r} is no address or network", example))
        return
    if network.prefixlen == 0:
        faults.append(Invalid(field, f"{entry} is everybody: whoever asks could say who they are", example))


def _check_tls(values: dict[str, Any], faults: list[Invalid]) -> None:
    """What can be seen without the files; app.py reads them."""
    certificate, key = values["tls_certificate"], values["tls_key"]
    if bool(certificate) != bool(key):
        missing, given = ("tls_key", "tls_certificate") if certificate else ("tls_certificate", "tls_key")
        faults.append(Invalid(missing, f"is missing, {given} is there", "Give both, or none"))
    elif certificate and values["public_url"].startswith("http:"):
        faults.append(Invalid("public_url", "is plain http, but the gate has a certificate", "Write https://"))


def _check_reach(values: dict[str, Any], faults: list[Invalid]) -> None:
    url = values["public_url"]
    if url:
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname or "", parts.port
        except ValueError:
            parts, host = urlsplit(""), ""
        # As a browser writes it: an international name in its ASCII form, no underscore.
        named = bool(_HOST.match(host)) or _is_address(host)
        wrong = parts.scheme not in ("http", "https") or not named or parts.query or parts.fragment
        if wrong or parts.path not in ("", "/") or parts.username:
            faults.append(
                Invalid("public_url", f"{url!r} is no address of a gate", "Example: https://share.example.org")
            )
        elif parts.scheme == "http" and not loopback(host) and not values["insecure"]:
            faults.append(
                Invalid("public_url", "is plain http off this computer", "Use https, or accept it with --insecure")
            )
        elif host.lower() == values["dashboard_host"].lower():
            faults.append(Invalid("public_url", "has the dashboard's host name", "Use another name"))
        return
    off = not values["tls_certificate"] and (values["lan"] or not loopback(values["gate_host"]))
    if off and not values["insecure"]:
        faults.append(
            Invalid(
                "lan" if values["lan"] else "gate_host",
                "visitors in the network would use plain http, which others there can listen to",
                "Set tls_certificate and tls_key, or put TLS in front and set public_url, or accept it with --insecure",
            )
        )
    if values["lan"] and loopback(values["gate_host"]):
        faults.append(
            Invalid("gate_host", "is an address that only this computer knows", "Give this computer's name or address")
        )


def _written(value: object) -> str:
    """Python refuses to write out an integer of thousands of digits."""
    try:
        text = repr(value)
    except ValueError:
        return "that"
    return text if len(text) <= 200 else f"{text[:200]}…"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
