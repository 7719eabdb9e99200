"""What may be wrong with a certificate and its key, told before a gate starts with them."""

from __future__ import annotations

import base64
import datetime
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import given
from hypothesis import strategies as st

from sharegate.listener.certificate import Facts, judge
from tests.real.certificates import Authority, Pair

HOST = ("share.example.org",)
DAY = datetime.timedelta(days=1)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def found(pair: Pair, hosts: tuple[str, ...] = HOST, *, key: Path | None = None) -> list[tuple[str, str]]:
    facts, faults = judge(pair.certificate.read_bytes(), (key or pair.key).read_bytes(), hosts, time.time())
    assert facts is not None
    assert all(fault.remedy for fault in faults)
    return [(fault.field, fault.problem) for fault in faults]


def test_a_pair_that_fits_has_no_fault(authority: Authority) -> None:
    """Its names, and how long it lasts."""
    pair = authority.leaf()
    facts, faults = judge(pair.certificate.read_bytes(), pair.key.read_bytes(), HOST, time.time())
    assert faults == [] and facts is not None
    assert "*.share.example.org" in facts.names and "127.0.0.1" in facts.names
    assert facts.ends - facts.begins == 20 * 86400


def test_a_key_of_another_certificate_is_a_fault(authority: Authority) -> None:
    """Half a renewal."""
    pair, other = authority.leaf("one"), authority.leaf("other")
    assert found(pair, key=other.key) == [("tls_key", "is not the key of this certificate")]


def test_time_that_is_over_or_has_not_come_is_a_fault(authority: Authority) -> None:
    """No browser would let a visitor in."""
    over = authority.leaf("over", begins=-30 * DAY, lasts=10 * DAY)
    early = authority.leaf("early", begins=3 * DAY)
    assert found(over)[0][1].startswith("expired on ")
    assert found(early)[0][1].startswith("is not valid before ")


def test_everything_that_is_wrong_is_told_at_once(authority: Authority) -> None:
    """Expired, for another name, and with another key: three faults."""
    over = authority.leaf("over", ("elsewhere.example",), begins=-30 * DAY, lasts=10 * DAY)
    assert [field for field, _ in found(over, key=authority.leaf("other").key)] == [
        "tls_key",
        "tls_certificate",
        "tls_certificate",
    ]


@pytest.mark.parametrize(
    ("names", "host", "covered"),
    [
        (("share.example.org",), "share.example.org", True),
        (("share.example.org",), "SHARE.Example.ORG", True),
        (("share.example.org",), "k7f2.share.example.org", False),
        (("*.share.example.org",), "k7f2.share.example.org", True),
        (("*.share.example.org",), "share.example.org", False),
        (("*.share.example.org",), "a.k7f2.share.example.org", False),
        (("*.share.example.org",), "*.share.example.org", True),
        (("share.example.org",), "*.share.example.org", False),
        (("*.share.example.org",), ".share.example.org", False),
        (("*.1.2.3",), "0.1.2.3", False),
        (("192.0.2.1",), "192.0.2.1", True),
        (("192.0.2.1",), "192.0.2.2", False),
        (("2001:db8::1",), "2001:DB8:0::1", True),
        (("other.example",), "share.example.org", False),
    ],
)
def test_a_certificate_is_for_what_browsers_take_it_for(
    authority: Authority, names: tuple[str, ...], host: str, covered: bool
) -> None:
    """A star stands for one whole label, an address only for itself; `*.` asks for all names below."""
    faults = found(authority.leaf("names", names), (host,))
    assert (faults == []) is covered
    assert all(field == "tls_certificate" and host in problem for field, problem in faults)


def test_what_is_no_certificate_or_key_is_a_fault_and_no_traceback(authority: Authority) -> None:
    """Empty, another kind of file, the two exchanged, a key with a password."""
    pair = authority.leaf()
    certificate, key = pair.certificate.read_bytes(), pair.key.read_bytes()
    locked = serialization.load_pem_private_key(key, None).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
    )
    for public, private, fields in [
        (b"", b"", ["tls_certificate", "tls_key"]),
        (b"\x00\xff", b"-----BEGIN PRIVATE KEY-----\nAA\n-----END PRIVATE KEY-----\n", ["tls_certificate", "tls_key"]),
        (key, certificate, ["tls_certificate", "tls_key"]),
        (certificate, locked, ["tls_key"]),
    ]:
        _, faults = judge(public, private, HOST, time.time())
        assert [fault.field for fault in faults] == fields
    assert "encrypted" in faults[0].problem


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_no_bytes_are_a_traceback(certificate: bytes, key: bytes) -> None:
    """Whatever the files hold."""
    assert judge(certificate, key, HOST, 0.0)[1]


def test_another_kind_of_key_is_compared_too(authority: Authority) -> None:
    """A key that is sound and of another algorithm belongs to nobody here."""
    key = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _, faults = judge(authority.leaf().certificate.read_bytes(), key, HOST, time.time())
    assert [fault.problem for fault in faults] == ["is not the key of this certificate"]


def test_the_end_is_near_in_the_last_fifth() -> None:
    """18 days of 90, a bit more than one of six."""
    facts = Facts(0, 90 * 86400.0, ())
    assert not facts.ending(71 * 86400) and facts.ending(73 * 86400)


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("06072a8648ce3d0201", "06072a8648ce3d0279"),
        ("06082a8648ce3d030107", "06082a8648ce3d030105"),
        ("0603551d13", "0603551d11"),
    ],
    ids=["a kind of key", "a curve", "names twice"],
)
def test_attack_a_certificate_that_the_library_cannot_read_is_a_fault(
    authority: Authority, was: str, becomes: str
) -> None:
    """Whatever the library raises when it is asked: the gate keeps the pair before, and looks on."""
    pair = authority.leaf()
    der = x509.load_pem_x509_certificate(pair.certificate.read_bytes()).public_bytes(serialization.Encoding.DER)
    assert bytes.fromhex(was) in der
    spoilt = der.replace(bytes.fromhex(was), bytes.fromhex(becomes))
    pem = b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(spoilt) + b"-----END CERTIFICATE-----\n"
    _, faults = judge(pem, pair.key.read_bytes(), HOST, time.time())
    assert "cannot be read" in faults[0].problem and faults[0].remedy
