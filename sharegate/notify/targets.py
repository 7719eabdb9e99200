"""Where messages go: addresses of services, as the library `apprise` writes them. Each holds a secret.

Only services of the list below are used, which speak HTTP or SMTP and nothing else: no programs, no files, no system
bus, no plug-ins of others. No redirect is followed. What the library writes into logs stays silent: it names addresses.
"""

from __future__ import annotations

import ipaddress
import logging
import re
import warnings
from urllib.parse import parse_qsl, urlsplit

from apprise import Apprise, AppriseAsset, NotifyFormat
from apprise.common import PersistentStoreMode

from sharegate.errors import Invalid
from sharegate.notify.model import Message

# Encrypted, or of a service that is only reached so.
SECURE = frozenset(
    [
        "jsons",
        "forms",
        "xmls",
        "mailtos",
        "ntfys",
        "gotifys",
        "mmosts",
        "rockets",
        "matrixs",
        "slack",
        "discord",
        "tgram",
        "zulip",
        "msteams",
        "workflows",
        "wxteams",
        "gchat",
        "pover",
        "pbul",
        "signals",
        "pagerduty",
        "opsgenie",
        "mailgun",
        "sendgrid",
        "twist",
        "ryver",
        "flock",
        "guilded",
    ]
)
PLAIN = frozenset({"json", "form", "xml", "mailto", "ntfy", "gotify", "mmost", "rocket", "matrix"})
# Of what an address may say behind its question mark: nothing that names a file, or loosens a check.
PARAMETERS = frozenset(
    [
        "to",
        "from",
        "cc",
        "bcc",
        "name",
        "smtp",
        "user",
        "pass",
        "port",
        "mode",
        "channel",
        "channels",
        "thread",
        "topic",
        "priority",
        "sound",
        "token",
        "tags",
        "method",
        "overflow",
        "format",
        "reply",
        "title",
    ]
)
_SCHEME = re.compile(r"\s*([A-Za-z0-9]{2,20})://")
CONNECT_SECONDS, READ_SECONDS = 5.0, 8.0
MOST = 10


def _asset() -> AppriseAsset:
    return AppriseAsset(
        app_id="sharegate",
        app_desc="sharegate",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        async_mode=False,
        secure_logging=True,
        storage_mode=PersistentStoreMode.MEMORY,
        plugin_paths=[],
        http_redirects=False,
        allow_templates=False,
        pgp_autogen=False,
        pem_autogen=False,
        default_service_retry=0,
    )


class Target:
    """One place where messages go. Its repr and `name` say which service it is, and nothing of the address."""

    def __init__(self, name: str, service: Apprise) -> None:
        self.name = name
        self._service = service

    def send(self, message: Message) -> bool:
        """Blocks, for some seconds at most unless the service drips. Whether it was taken. Never raises: what a library
        says of a failure may hold the address."""
        try:
            taken = self._service.notify(body=message.body, title=message.title, body_format=NotifyFormat.TEXT)
        except Exception:  # fails closed: not taken
            return False
        return bool(taken)

    def __repr__(self) -> str:
        return f"<Target {self.name}>"


def targets(urls: tuple[str, ...]) -> list[Target]:
    """Of addresses without faults. Two of one service are told apart by a number."""
    made: list[Target] = []
    names = [scheme_of(url) for url in urls]
    for at, url in enumerate(urls):
        service = _service(url)
        if service is None:
            continue  # told as a fault before
        for plugin in service:
            plugin.socket_connect_timeout, plugin.socket_read_timeout = CONNECT_SECONDS, READ_SECONDS
        number = names[: at + 1].count(names[at])
        made.append(Target(f"{names[at]} {number}" if names.count(names[at]) > 1 else names[at], service))
    return made


def scheme_of(url: str) -> str:
    found = _SCHEME.match(url)
    return found[1].lower() if found else ""


def fault(url: str, field: str, *, insecure: bool) -> Invalid | None:
    """What is wrong with one address. Never repeats it."""
    scheme = scheme_of(url)
    if len(url) > 2000 or not url.isprintable():
        return Invalid(field, "an address is too long, or has invisible characters", "Copy it anew")
    if scheme not in SECURE | PLAIN:
        what = f"{scheme}:// is no service that may be used" if scheme else "a line is no address of a service"
        return Invalid(field, what, "See docs/notifications.md for those that are")
    for name, value in parse_qsl(urlsplit(url.strip()).query, keep_blank_values=True):
        if name.lower() not in PARAMETERS and not name.startswith("+"):
            return Invalid(field, f"{scheme}:// with {name[:20]!r} is not accepted", "Leave that out of the address")
        if scheme.startswith("mailto") and name.lower() == "mode" and value.lower() == "insecure":
            scheme = "mailto"
    if scheme in PLAIN and not insecure and not _near(url):
        what = f"{scheme}:// sends names and folders without encryption"
        return Invalid(field, what, f"Use {scheme}s://, or accept it with --insecure")
    if _service(url) is None:
        return Invalid(field, f"an address of {scheme}:// is not complete", "Compare it with the service's page")
    return None


def _service(url: str) -> Apprise | None:
    """None for an address that the library does not understand, or that a plug-in of others would take."""
    for name in ("apprise", "urllib3", "requests"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    service = Apprise(asset=_asset())
    with warnings.catch_warnings():
        # It reads all its services when the first one is asked for, and some of them use what Python gives up.
        warnings.simplefilter("ignore")
        added = service.add(url.strip())
    ours = all(type(one).__module__.startswith("apprise.plugins.") for one in service)
    return service if added and ours and len(service) == 1 else None


def _near(url: str) -> bool:
    host = urlsplit(url.strip()).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
