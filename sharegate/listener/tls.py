"""TLS at the gate: the two files, the context that connections are made with, and its renewal while the gate runs."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import stat
from collections.abc import Callable
from pathlib import Path

from sharegate.errors import Faults, Invalid
from sharegate.listener.certificate import CERTIFICATE, KEY, Facts, judge

log = logging.getLogger("sharegate.listener")

WATCH_SECONDS = 5.0
# Forward secrecy and authenticated encryption only; TLS 1.3 has nothing else (RFC 9325 section 4.2).
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
_LARGEST = 1 << 20

_Seen = tuple[tuple[int, ...], ...]


class Certificates:
    """A certificate and its key in two files. Where `hosts` is given, the certificate must be for all of them.

    Raises Faults with everything that is wrong. Once it is made, `context` has always a pair that fits: files that
    changed into something unusable are told, and the pair before them stays.
    """

    def __init__(self, certificate: Path, key: Path, hosts: tuple[str, ...], now: Callable[[], float]) -> None:
        self._certificate = certificate
        self._key = key
        self._hosts = hosts
        self._now = now
        self._seen = _looks(certificate, key)
        self._current, self.facts = _load(certificate, key, hosts, now())
        self._suspect = self._told = ""
        # What is wrong with the files as they are now; empty while they are what connections get.
        self.problems: tuple[Invalid, ...] = ()
        self.context = self._current
        # Each handshake takes the pair of that moment. Loading into a context that is in use would leave it with half
        # a pair when the second file does not fit. Called without a name, too.
        self.context.sni_callback = self._pick

    def _pick(self, connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
        connection.context = self._current

    async def watch(self) -> None:
        """Look at the files every few seconds, for ever."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                await self.look()
            except Exception:  # fails closed: the pair before stays, and the files are looked at again
                log.exception("looking at the TLS certificate")

    async def look(self) -> None:
        """Take up the files if they changed. A fault is told when it is still there at the next look: whoever renews
        replaces one file after the other."""
        try:
            fresh = await asyncio.to_thread(self._fresh)
        except Faults as faults:  # fails closed: the pair before stays
            said = "; ".join(str(fault) for fault in faults.faults)
            if said != self._suspect:
                self._suspect = said
            elif said != self._told:
                self._told, self.problems = said, tuple(faults.faults)
                log.error("the new TLS certificate is not used, the one before stays: %s", said)
            return
        self._suspect = self._told = ""
        self.problems = ()
        if fresh is not None:
            self._current, self.facts, self._seen = fresh
            log.info("new TLS certificate, for %s", ", ".join(self.facts.names))

    def _fresh(self) -> tuple[ssl.SSLContext, Facts, _Seen] | None:
        seen = _looks(self._certificate, self._key)
        if seen == self._seen:
            return None
        context, facts = _load(self._certificate, self._key, self._hosts, self._now())
        if _looks(self._certificate, self._key) != seen:
            raise Faults(CERTIFICATE, [Invalid(CERTIFICATE, "changes while it is read")])
        return context, facts, seen


def check_files(certificate: Path, key: Path, hosts: tuple[str, ...], now: float) -> Facts:
    """What the certificate says. Raises Faults with everything that is wrong with the two files."""
    return _load(certificate, key, hosts, now)[1]


def _load(certificate: Path, key: Path, hosts: tuple[str, ...], now: float) -> tuple[ssl.SSLContext, Facts]:
    faults: list[Invalid] = []
    public, private = _read(CERTIFICATE, certificate, faults), _read(KEY, key, faults, private=True)
    facts = None
    if public is not None and private is not None:
        facts, found = judge(public, private, hosts, now)
        faults += found
    context = _context()
    if not faults:
        try:
            _fill(context, certificate, key)
        except (ssl.SSLError, OSError, ValueError) as error:
            word = getattr(error, "reason", "") or type(error).__name__
            faults.append(Invalid(CERTIFICATE, f"is not accepted by OpenSSL ({word})", "Make a newer, stronger pair"))
    if faults or facts is None:
        raise Faults("TLS", faults)
    return context, facts


def _read(setting: str, path: Path, faults: list[Invalid], *, private: bool = False) -> bytes | None:
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode) or found.st_size > _LARGEST:
            faults.append(Invalid(setting, f"{path} is no file of a certificate or key", "Give a PEM file"))
            return None
        if private and found.st_mode & 0o027:
            faults.append(Invalid(setting, f"{path} can be read or changed by others", f"chmod 600 {path}"))
        return path.read_bytes()
    except FileNotFoundError:
        faults.append(Invalid(setting, f"there is no {path}", "Correct the path"))
    except (OSError, ValueError) as error:
        word = error.strerror if isinstance(error, OSError) else "no path"
        faults.append(Invalid(setting, f"{path} cannot be read ({word})", "Let this account read it"))
    return None


def _looks(*paths: Path) -> _Seen:
    """By what a changed file shows: also one that was put in its place, or behind a link, or given other rights."""
    found: list[tuple[int, ...]] = []
    for path in paths:
        try:
            now = os.stat(path)
        except (OSError, ValueError):
            found.append((0,))
        else:
            found.append((now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns))
    return tuple(found)


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.set_alpn_protocols(["http/1.1"])
    # No ticket: its key would live as long as the gate, and with it what was recorded.
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
    return context


def _fill(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    # A password is never asked for at the terminal of a running gate.
    context.load_cert_chain(certificate, key, password="")
