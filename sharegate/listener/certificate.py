"""A TLS certificate and its key, judged before anybody is shown them: pure, from bytes."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from sharegate.errors import Invalid

CERTIFICATE = "tls_certificate"
KEY = "tls_key"
_RENEW = "Renew it; the gate takes up the new file by itself"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a certificate says: seconds since the epoch, and the names that it is for, as they stand in it."""

    begins: float
    ends: float
    names: tuple[str, ...]

    def ending(self, now: float) -> bool:
        """Whether less than a fifth of its life is left: a renewal that works has happened before."""
        return now > self.ends - (self.ends - self.begins) / 5

    def covers(self, host: str) -> bool:
        """Whether a browser takes it for this host name or address (RFC 9525 section 6: a star is one whole label)."""
        host = host.lower().rstrip(".")
        try:
            return str(ipaddress.ip_address(host)) in self.names
        except ValueError:
            pass
        first, _, rest = host.partition(".")
        return host in self.names or (bool(first and rest) and f"*.{rest}" in self.names)


def judge(certificate: bytes, key: bytes, hosts: tuple[str, ...], now: float) -> tuple[Facts | None, list[Invalid]]:
    """Facts of the first certificate in the file, and everything that is wrong with the two files.

    `hosts` are what visitors write in the address bar; a leading `*.` asks for a certificate for all names below.
    """
    faults: list[Invalid] = []
    leaf = _leaf(certificate, faults)
    public = _public(key, faults)
    if leaf is None:
        return None, faults
    # The library reads what is in it when it is asked, and what it does not know is no ValueError.
    try:
        facts = Facts(leaf.not_valid_before_utc.timestamp(), leaf.not_valid_after_utc.timestamp(), _names(leaf))
        belongs = _spki(leaf.public_key())
    except Exception as error:  # fails closed: such a certificate is not used
        faults.append(Invalid(CERTIFICATE, f"cannot be read ({type(error).__name__})", "Make a newer, stronger pair"))
        return None, faults
    if public is not None and public != belongs:
        faults.append(Invalid(KEY, "is not the key of this certificate", "Give the two files that belong together"))
    if now >= facts.ends:
        faults.append(Invalid(CERTIFICATE, f"expired on {leaf.not_valid_after_utc:%Y-%m-%d}", _RENEW))
    elif now < facts.begins:
        faults.append(
            Invalid(CERTIFICATE, f"is not valid before {leaf.not_valid_before_utc:%Y-%m-%d}", "Check the clock")
        )
    for host in hosts:
        # Any one label stands for all.
        if not facts.covers(host.replace("*", "x", 1)):
            said = ", ".join(facts.names) or "nothing"
            faults.append(
                Invalid(
                    CERTIFICATE,
                    f"is for {said}, not for {host}, which visitors ask for",
                    "Get one for that name, or correct gate_host or public_url",
                )
            )
    return facts, faults


def _leaf(data: bytes, faults: list[Invalid]) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificates(data)[0]
    except Exception:  # fails closed; of a library that reads what others wrote
        faults.append(
            Invalid(CERTIFICATE, "holds no certificate in PEM form", "It begins with -----BEGIN CERTIFICATE-----")
        )
        return None


def _public(data: bytes, faults: list[Invalid]) -> bytes | None:
    try:
        return _spki(serialization.load_pem_private_key(data, password=None).public_key())
    except TypeError:
        faults.append(Invalid(KEY, "is encrypted", "Nobody can type its password here: store it decrypted, mode 0600"))
    except Exception:  # fails closed; a kind of key that the library does not know is no ValueError
        faults.append(Invalid(KEY, "holds no private key in PEM form", "It begins with -----BEGIN PRIVATE KEY-----"))
    return None


def _spki(key: object) -> bytes:
    known = getattr(key, "public_bytes", None)
    if known is None:
        return b""
    return bytes(known(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    """Names and addresses; the subject's common name is not read by browsers, nor here."""
    try:
        said = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return ()
    dns = [name.lower().rstrip(".") for name in said.get_values_for_type(x509.DNSName)]
    return (*dns, *(str(address) for address in said.get_values_for_type(x509.IPAddress)))
