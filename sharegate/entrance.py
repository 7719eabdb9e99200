"""How visitors' connections come in: the gate's own TLS, and who stands between it and them."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from sharegate.config import Config
from sharegate.errors import Faults, Invalid
from sharegate.listener.certificate import Facts
from sharegate.listener.forwarders import Forwarders
from sharegate.listener.tls import Certificates, check_files


@dataclass(frozen=True, slots=True)
class Front:
    """What an owner should know of it, as of now. `days` are left of the certificate (None: there is none), `ending`
    means few of them; `problems` keep its files from being used. `claiming` are near addresses that say who visitors
    are and are not believed; `one_address`: so far everybody had an address of this computer; `plain`: a trusted
    forwarder told of visitors without TLS."""

    days: float | None = None
    ending: bool = False
    names: tuple[str, ...] = ()
    problems: tuple[Invalid, ...] = ()
    claiming: tuple[str, ...] = ()
    one_address: bool = False
    plain: bool = False


class Entrance:
    """Of a gate that runs. Raises Faults when a certificate is configured that cannot be used."""

    def __init__(self, config: Config, now: Callable[[], float]) -> None:
        self._now = now
        self.forwarders = Forwarders(config.trusted_forwarders)
        self._certificates = None
        if config.tls_certificate is not None and config.tls_key is not None:
            self._certificates = Certificates(config.tls_certificate, config.tls_key, hosts(config), now)
        # Not on this computer and not in a local network: the promise holds for every port of that name.
        self.lasting_tls = config.reach == "public" and config.gate_url.startswith("https:")

    @property
    def tls(self) -> ssl.SSLContext | None:
        return self._certificates.context if self._certificates is not None else None

    async def watch(self) -> None:
        """Take up a renewed certificate, for ever."""
        if self._certificates is not None:
            await self._certificates.watch()

    def front(self) -> Front:
        seen = self.forwarders
        told = self._certificates
        return replace(
            _lasting(told.facts if told is not None else None, self._now()),
            problems=told.problems if told is not None else (),
            claiming=tuple(sorted(seen.claiming)),
            one_address=seen.asked and not seen.elsewhere,
            plain=seen.plain,
        )


def without_gate(config: Config, now: float) -> Front:
    """What can be told while none runs."""
    try:
        return _lasting(check(config, now), now)
    except Faults as faults:
        return Front(problems=tuple(faults.faults))


def check(config: Config, now: float) -> Facts | None:
    """What the certificate says, if there is one. Raises Faults with everything that is wrong with its files."""
    if config.tls_certificate is None or config.tls_key is None:
        return None
    return check_files(config.tls_certificate, config.tls_key, hosts(config), now)


def hosts(config: Config) -> tuple[str, ...]:
    """What the certificate must be for. Where something stands in front, visitors see the certificate of that, and
    under which name it knows the gate is its owner's affair."""
    if config.trusted_forwarders:
        return ()
    shares = (f"*.{config.share_hosts}",) if config.share_hosts else ()
    return (urlsplit(config.gate_url).hostname or "", *shares)


def _lasting(facts: Facts | None, now: float) -> Front:
    if facts is None:
        return Front()
    return Front(days=(facts.ends - now) / 86400, ending=facts.ending(now), names=facts.names)
