"""The key ring: Ed25519 keys that sign share tokens, and the key that encrypts what the store keeps at rest.

Keys are files of mode 0600 in a 0700 directory. One key is active (it signs); others are retired (they only verify, and
of them only the public half is kept) or refused (given up as stolen: they do not even verify). A key id is the start of
the key's RFC 7638 thumbprint, so it cannot be chosen. Several processes may have one ring: each look finds what another
one rotated.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import json
import os
import re
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from sharegate.errors import Invalid

KID = re.compile(r"[A-Za-z0-9_-]{12}\Z")
# A file that is there while the first key has no ring yet.
_MAKING = ".first"


class _Entry(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    created: float
    retired: float | None = None
    refused: float | None = None


class _Ring(msgspec.Struct, forbid_unknown_fields=True):
    active: str
    keys: dict[str, _Entry]


@dataclass(frozen=True, slots=True)
class Key:
    """One signing key as people may see it."""

    kid: str
    created: float
    retired: float | None
    refused: float | None = None

    @property
    def state(self) -> str:
        if self.refused is not None:
            return "refused"
        return "active" if self.retired is None else "retired"


@dataclass(frozen=True, slots=True)
class FreshKey:
    """A signing key before it is in a ring."""

    kid: str
    private: Ed25519PrivateKey = field(repr=False)


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _jwk(public: Ed25519PublicKey) -> dict[str, str]:
    raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return {"crv": "Ed25519", "kty": "OKP", "x": _b64(raw)}


def key_id(public: Ed25519PublicKey) -> str:
    """The first 12 characters of the RFC 7638 thumbprint."""
    text = json.dumps(_jwk(public), sort_keys=True, separators=(",", ":"))
    return _b64(hashlib.sha256(text.encode()).digest())[:12]


def write_private(path: Path, data: bytes) -> None:
    """Write a secret file so that no moment exists in which another user can read it or half of it stands there."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def private_directory(path: Path) -> Path:
    """Make `path` a directory of mode 0700 that belongs to us, or say what is wrong with it."""
    try:
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode):
            raise Invalid(str(path), "is not a directory", "Remove it or choose another data_dir")
        if found.st_uid != os.getuid():
            raise Invalid(str(path), "belongs to another user", "Choose another data_dir")
        if stat.S_IMODE(found.st_mode) & 0o077:
            path.chmod(0o700)
    except OSError as error:  # fails closed
        raise _unusable(path, error) from None
    return path


def _unusable(path: Path, error: OSError) -> Invalid:
    return Invalid(str(path), f"cannot be used ({error.strerror})", "Mend that, or choose another data_dir or keys_dir")


class KeyRing:
    """Signing keys by key id, and which of them is active."""

    def __init__(self, folder: Path, ring: _Ring, keys: dict[str, Ed25519PrivateKey | Ed25519PublicKey]) -> None:
        self._folder = folder
        self._stamp = _stamp(folder / "ring.json")
        self._hold(ring, keys)

    def _hold(self, ring: _Ring, keys: dict[str, Ed25519PrivateKey | Ed25519PublicKey]) -> None:
        self._ring = ring
        self._keys = keys
        self._public = {kid: _public_half(key) for kid, key in keys.items()}

    @classmethod
    def open(cls, folder: Path, now: float) -> KeyRing:
        """Read the ring, or make one with a first key. Raises Invalid naming the file that is unusable."""
        private_directory(folder)
        index = folder / "ring.json"
        if not index.exists():
            ring = cls(folder, _Ring(active="", keys={}), {})
            try:
                ring._first(now)
            except OSError as error:  # fails closed
                raise _unusable(folder, error) from None
            return ring
        ring = cls(folder, *cls._read(folder))
        # Left there, it would take keys for unused ones whose ring is lost one day.
        with contextlib.suppress(OSError):  # fails open: a folder that nobody may write loses nothing either
            (folder / _MAKING).unlink(missing_ok=True)
        ring._drop_private()
        return ring

    @classmethod
    def _read(cls, folder: Path) -> tuple[_Ring, dict[str, Ed25519PrivateKey | Ed25519PublicKey]]:
        index = folder / "ring.json"
        try:
            read = msgspec.json.decode(index.read_bytes(), type=_Ring)
        except (msgspec.MsgspecError, OSError) as error:  # fails closed: no ring, no gate
            raise Invalid(str(index), f"cannot be read ({error})", "Restore it from a backup") from None
        keys: dict[str, Ed25519PrivateKey | Ed25519PublicKey] = {}
        for kid in read.keys:
            if not KID.match(kid):
                raise Invalid(str(index), f"names a key {kid!r}", "Restore it from a backup")
            keys[kid] = cls._load(folder / f"{kid}.pem", kid)
        if not isinstance(keys.get(read.active), Ed25519PrivateKey) or read.keys[read.active].retired is not None:
            raise Invalid(str(index), "has no active key", "Restore it from a backup")
        return read, keys

    @staticmethod
    def _load(path: Path, kid: str) -> Ed25519PrivateKey | Ed25519PublicKey:
        key: object
        try:
            data = path.read_bytes()
            if b"PUBLIC KEY" in data:
                key = serialization.load_pem_public_key(data)
            else:
                key = serialization.load_pem_private_key(data, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm, OSError):  # fails closed
            raise Invalid(str(path), "is not a readable key", "Restore it from a backup") from None
        if not isinstance(key, Ed25519PrivateKey | Ed25519PublicKey) or key_id(_public_half(key)) != kid:
            raise Invalid(str(path), "does not hold the key that its name says", "Restore it from a backup")
        return key

    @staticmethod
    def fresh() -> FreshKey:
        """A key that is in no ring yet: what is to be recorded before has its id."""
        private = Ed25519PrivateKey.generate()
        return FreshKey(key_id(private.public_key()), private)

    def rotate(self, now: float, *, compromised: bool = False, fresh: FreshKey | None = None) -> Key:
        """Make a new active key. Those before are retired and go on verifying; with `compromised` they are refused, all
        of them: they lay in one folder, and an address that is shown again is signed by the key of that day.

        Raises OSError when it cannot be written; nothing has changed then.
        """
        with _alone(self._folder):
            return self._rotate(now, compromised, fresh)

    def _first(self, now: float) -> None:
        with _alone(self._folder):
            self._again()
            if self._ring.keys:  # another process made it meanwhile
                return
            beside, making = list(self._folder.glob("*.pem")), self._folder / _MAKING
            if making.exists():  # killed before there was a ring: nothing was ever signed with what lies there
                for half in beside:
                    half.unlink()
            elif beside:
                index = str(self._folder / "ring.json")
                raise Invalid(index, "is missing though keys lie beside it", "Restore it from a backup")
            write_private(making, b"")
            self._rotate(now, False, None)
            making.unlink(missing_ok=True)  # whoever found the ring there has removed it

    def _rotate(self, now: float, compromised: bool, fresh: FreshKey | None) -> Key:
        self._again()
        fresh = fresh or self.fresh()
        key, kid = fresh.private, fresh.kid
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_private(self._folder / f"{kid}.pem", pem)
        keys = {
            name: _Entry(
                entry.created,
                entry.retired if entry.retired is not None else now,
                now if compromised and entry.refused is None else entry.refused,
            )
            for name, entry in self._ring.keys.items()
        }
        ring = _Ring(active=kid, keys={**keys, kid: _Entry(now)})
        write_private(self._folder / "ring.json", msgspec.json.encode(ring))
        self._stamp = _stamp(self._folder / "ring.json")
        self._hold(ring, {**self._keys, kid: key})
        self._drop_private()
        return Key(kid, now, None)

    def _drop_private(self) -> None:
        """A key that signs nothing any more needs no private half that could be stolen. Made good at the next opening
        when it does not work now."""
        for kid, key in self._keys.items():
            if kid == self._ring.active or not isinstance(key, Ed25519PrivateKey):
                continue
            pem = key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            try:
                write_private(self._folder / f"{kid}.pem", pem)
            except OSError:
                continue  # fails open: it is retired all the same
            self._keys = {**self._keys, kid: key.public_key()}

    def _fresh(self) -> None:
        """Read the ring again when another process wrote it. Raises Invalid when it cannot be read: a key that was
        refused there must not be trusted here."""
        if _stamp(self._folder / "ring.json") != self._stamp:
            self._again()

    def _again(self) -> None:
        stamp = _stamp(self._folder / "ring.json")
        if stamp is not None:
            self._hold(*self._read(self._folder))
            self._stamp = stamp

    @property
    def active(self) -> str:
        return self._ring.active

    def signing_key(self) -> Ed25519PrivateKey:
        self._fresh()
        key = self._keys[self._ring.active]
        assert isinstance(key, Ed25519PrivateKey)  # `_read` and `rotate` see to it
        return key

    def public(self, kid: str) -> Ed25519PublicKey | None:
        """What verifies tokens of that key; None for an unknown or refused one."""
        self._fresh()
        entry = self._ring.keys.get(kid)
        return self._public[kid] if entry is not None and entry.refused is None else None

    def every_public(self) -> list[Ed25519PublicKey]:
        """All there ever were, the refused ones too: for what was signed and taken away before."""
        self._fresh()
        return list(self._public.values())

    def listed(self) -> list[Key]:
        """All keys as people may see them, oldest first."""
        self._fresh()
        return [Key(kid, entry.created, entry.retired, entry.refused) for kid, entry in self._ring.keys.items()]

    def jwks(self) -> dict[str, Any]:
        """The public keys that tokens are accepted of as a JWK set (RFC 7517), for `/.well-known/jwks.json`."""
        self._fresh()
        accepted = sorted(kid for kid, entry in self._ring.keys.items() if entry.refused is None)
        return {"keys": [{**_jwk(self._public[kid]), "kid": kid, "use": "sig", "alg": "EdDSA"} for kid in accepted]}

    def __repr__(self) -> str:
        return f"<KeyRing {len(self._public)} keys, active {self._ring.active}>"


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time: of two that read and write, the later would undo what the other one refused. Raises
    OSError."""
    # Begins with a dot: no part of a copy of the keys.
    lock = os.open(folder / ".ring.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _public_half(key: Ed25519PrivateKey | Ed25519PublicKey) -> Ed25519PublicKey:
    return key.public_key() if isinstance(key, Ed25519PrivateKey) else key


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """What differs when a file was written anew; None when it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None  # fails open: keys in memory go on when their folder is away
    return found.st_ino, found.st_mtime_ns, found.st_size


def keys_part(folder: Path) -> Path:
    """Where other keys lie while they are put in the place of `folder`."""
    return folder.with_name(f".{folder.name}.part")


def keys_exchange(folder: Path) -> Path:
    """A file that is there while keys and records are exchanged together: what is in `folder` then, and the records,
    may be of two times."""
    return folder.with_name(f".{folder.name}.exchange")


def store_key(folder: Path) -> bytes:
    """The 32 bytes that encrypt what the store keeps at rest; made on first use."""
    path = private_directory(folder) / "store.key"
    try:
        if not path.exists():
            write_private(path, secrets.token_bytes(32))
        data = path.read_bytes()
    except OSError as error:  # fails closed
        raise _unusable(path, error) from None
    if len(data) != 32:
        raise Invalid(str(path), "does not hold 32 bytes", "Restore it from a backup")
    return data
