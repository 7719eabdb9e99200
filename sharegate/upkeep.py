"""Looking after the records on the disk: check, back up, put back, bring to a newer format. Needs no gate.

What is only read works beside a running gate; what is put in place takes the store's lock.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sharegate.audit.chain import Verifier
from sharegate.config import Config
from sharegate.errors import Invalid, Refused, StoreUnavailable
from sharegate.shares.keys import keys_exchange, keys_part, private_directory, store_key, write_private
from sharegate.stores import copies
from sharegate.stores.copies import copied, laid_beside, mark_put_back, older_copies, put_in_place
from sharegate.stores.inspect import Inspection, copy_of
from sharegate.stores.lock import ProcessLock
from sharegate.stores.schema import VERSION
from sharegate.upstream.inside import around

# (what, done, of how many)
Progress = Callable[[str, int, int], None]
# Less than this on the store's disk is told.
LITTLE_ROOM = 256 << 20
_DATABASE = "sharegate.db"


def _quiet(_: str, __: int, ___: int) -> None:
    """Progress that nobody wants."""


def check(config: Config, *, progress: Progress = _quiet) -> dict[str, Any]:
    """Whether the store is sound: `faults` says what is not, `notes` what is worth knowing. Raises NotFound when there
    is no store, StoreUnavailable when it cannot be read at all, Refused(`store_elsewhere`)."""
    _on_disk(config)
    key, faults = _key(config.keys_dir)
    report = _check(config.database, key, progress)
    report["faults"] = faults + report["faults"]
    report["sound"] = not report["faults"]
    copies = older_copies(config.database)
    if copies:
        names = ", ".join(path.name for path in copies)
        report["notes"].append(f"older copies lie beside the store, with all that was in it then: {names}")
    return report


def backup(config: Config, to: Path, *, with_keys: bool, progress: Progress = _quiet) -> dict[str, Any]:
    """Write the store of this moment into the new folder `to` (0700), and check the copy. Raises Invalid for a folder
    that exists or lies inside a share, NotFound, StoreUnavailable, Refused(`store_elsewhere`); nothing is left then."""
    _on_disk(config)
    to = to.absolute()
    try:
        taken = to.exists() or to.is_symlink()
    except OSError as error:
        raise Invalid("to", f"is no place for a folder: {error.strerror}", "Name another place") from None
    if taken:
        raise Invalid("to", f"{to} exists already", "Name a new folder")
    if not to.parent.is_dir():
        raise Invalid("to", f"there is no folder {to.parent}", "Make it first, or name another place")
    with Inspection(config.database) as store:
        if share := around(to, store.roots()):
            raise Invalid("to", f"{to} lies inside the share {share}", "Name a place that is not shared")
    key, faults = _key(config.keys_dir)
    if faults:
        raise Refused("store_unsound", faults[0], "See `sharegate store check`")
    part = to.with_name(f".{to.name}.part-{os.getpid()}")
    try:
        part.mkdir(mode=0o700)
        copy_of(
            config.database,
            lambda reading: copied(
                reading, part / _DATABASE, lambda done, total: progress("copying", done, max(total, 1))
            ),
        )
        if with_keys:
            private_directory(part / "keys")
            for file in sorted(config.keys_dir.iterdir()):
                if file.is_file() and not file.name.startswith("."):
                    write_private(part / "keys" / file.name, file.read_bytes())
        report = _check(part / _DATABASE, key, progress)
        if report["faults"]:
            raise StoreUnavailable(f"the copy is not sound, and so the store is not: {report['faults'][0]}")
        part.rename(to)
    except OSError as error:
        raise StoreUnavailable(f"the copy cannot be written to {to}: {error.strerror}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return {"to": str(to), "with_keys": with_keys, **{name: report[name] for name in ("format", "counts", "heads")}}


def restore(
    config: Config, source: Path, *, with_keys: bool, pause: bool = True, progress: Progress = _quiet
) -> dict[str, Any]:
    """Put a backup in the place of the store; the former store (and with `with_keys` the former keys) is kept beside
    it. With `pause` a gate that starts on it closes everything first, unless that was done (`POST store/restored`).
    Raises Refused (`store_in_use`) beside a running gate, Refused(`store_elsewhere`), Invalid for what is no sound
    backup."""
    _on_disk(config)
    keys = source / "keys"
    if not (source / _DATABASE).is_file():
        raise Invalid("from", f"{source} holds no {_DATABASE}", "Name a folder that `store backup` made")
    if with_keys and not (keys / "ring.json").is_file():
        raise Invalid("with_keys", "the backup holds no keys", "Leave it out")
    private_directory(config.data_dir)
    private_directory(config.database.parent)
    lock = ProcessLock.take(config.database.with_name(config.database.name + ".lock"))
    try:
        key, faults = _key(keys if with_keys else config.keys_dir)
        report = _check(source / _DATABASE, key, progress)
        faults += report["faults"]
        if report["format"] > VERSION:
            raise Refused(
                "store_newer", f"the backup has format {report['format']}, this version reads up to {VERSION}"
            )
        if faults:
            remedy = "If it was made under other keys, say --with-keys" if not with_keys else "Use another backup"
            raise Invalid("from", f"the backup is not sound: {faults[0]}", remedy)
        kept, kept_keys = _exchange(config, source, with_keys=with_keys, pause=pause)
    finally:
        lock.release()
    return {
        "from": str(source),
        "kept": str(kept) if kept else "",
        "kept_keys": str(kept_keys) if kept_keys else "",
        "heads": report["heads"],
    }


@dataclass(frozen=True, slots=True)
class Upkeep:
    """The same for a running gate, on its own records."""

    config: Config

    @property
    def folder(self) -> Path:
        """Where copies go that are asked for by name."""
        return self.config.backup_dir or self.config.data_dir / "backups"

    def check(self, progress: Progress = _quiet) -> dict[str, Any]:
        return check(self.config, progress=progress)

    def backup(self, to: Path, *, with_keys: bool, progress: Progress = _quiet) -> dict[str, Any]:
        return backup(self.config, to, with_keys=with_keys, progress=progress)

    def copy(self, name: str, *, with_keys: bool, progress: Progress = _quiet) -> dict[str, Any]:
        """Into a folder of that name in `folder`, which is made where it is not there yet. `name` is one segment."""
        _on_disk(self.config)
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            problem = f"{self.folder} cannot be made: {error.strerror}"
            raise StoreUnavailable(problem, remedy="Name another backup_dir") from None
        return backup(self.config, self.folder / name, with_keys=with_keys, progress=progress)

    def put_back(self) -> bool:
        """Whether the records are older ones that nobody has closed yet."""
        return not self.config.store and copies.was_put_back(self.config.database)

    def settled(self) -> None:
        """They are closed now."""
        if not self.config.store:
            copies.settled(self.config.database)


def formats(config: Config) -> tuple[int, int]:
    """The format of the store (0: none yet), and the newest that this version knows. Raises StoreUnavailable, and
    Refused(`store_elsewhere`)."""
    _on_disk(config)
    if not config.database.exists():
        return 0, VERSION
    with Inspection(config.database) as store:
        return store.format(), VERSION


def _on_disk(config: Config) -> None:
    if config.store:
        raise Refused(
            "store_elsewhere",
            "the records are on a Redis server, not in a file of this gate",
            "Use the server's own means to copy and to put back: docs/stores.md",
        )


def _check(file: Path, key: bytes | None, progress: Progress) -> dict[str, Any]:
    with Inspection(file) as store:
        version = store.format()
        faults: list[str] = []
        notes: list[str] = []
        heads: dict[str, Any] = {}
        if version < VERSION:
            notes.append(f"the store has format {version}; the next start brings it to {VERSION} and keeps a copy")
            progress("file", 0, 1)
            # Its tables are not those that the other checks know.
            faults += store.file_faults()
        elif version > VERSION:
            faults.append(f"the store was written by a newer version (format {version}, this one reads {VERSION})")
        else:
            faults += store.faults(key, progress)
            verifier = Verifier()
            progress("history", 0, 1)
            try:
                for sealed in store.events():
                    verifier.add(sealed)
                verdict = verifier.verdict()
                faults += [f"history: {broken}" for broken in verdict.broken]
                heads = {writer: {"seq": seq, "digest": digest} for writer, (seq, digest) in verdict.heads.items()}
            except StoreUnavailable as error:
                faults.append(str(error))
        sizes = store.sizes()
        if sizes["free"] < max(LITTLE_ROOM, sizes["file"]):
            notes.append(f"only {sizes['free'] >> 20} MB are free on the store's disk: a full disk lets nobody in")
        return {
            "format": version,
            "newest_format": VERSION,
            "faults": faults,
            "notes": notes,
            "counts": store.counts(),
            "sizes": sizes,
            "heads": heads,
        }


def _key(folder: Path) -> tuple[bytes | None, list[str]]:
    """The key that seals, never made anew: a fault where it cannot be had."""
    if os.path.lexists(keys_exchange(folder)):
        return None, [str(half_restored(folder))]
    if not (folder / "store.key").is_file():
        return None, [f"{folder / 'store.key'} is missing: nothing that is sealed can be opened"]
    try:
        return store_key(folder), []
    except (Invalid, OSError) as error:
        return None, [str(error)]


def half_restored(folder: Path) -> Invalid:
    """Keys and records were exchanged together, and whoever did it was killed in between."""
    return Invalid(
        str(keys_exchange(folder)),
        "is left of a `store restore` that was broken off: keys and records may be of two times",
        "Run it again: store restore --with-keys",
    )


def _exchange(config: Config, source: Path, *, with_keys: bool, pause: bool) -> tuple[Path | None, Path | None]:
    """Store and keys change together or not at all: whatever takes time or room comes before."""
    folder = config.keys_dir
    fresh = keys_part(folder)
    part = laid_beside(source / _DATABASE, config.database)
    try:
        if pause:
            mark_put_back(part)
        if not with_keys:
            return put_in_place(part, config.database), None
        shutil.rmtree(fresh, ignore_errors=True)
        private_directory(fresh)
        for file in sorted((source / "keys").iterdir()):
            if file.is_file():
                write_private(fresh / file.name, file.read_bytes())
        # Killed from here on, nothing opens what may not belong together: a key that was refused since would count.
        exchange, before = keys_exchange(folder), os.path.lexists(keys_exchange(folder))
        write_private(exchange, b"")
        kept_keys = _aside(folder)
        try:
            fresh.rename(folder)
            kept = put_in_place(part, config.database)
        except BaseException:
            if folder.exists():
                folder.rename(fresh)
            if kept_keys is not None:
                kept_keys.rename(folder)
            if not before:
                exchange.unlink()
            raise
        exchange.unlink()
        return kept, kept_keys
    except OSError as error:
        raise StoreUnavailable(f"the copy could not be put in place: {error}") from error
    finally:
        part.unlink(missing_ok=True)
        shutil.rmtree(fresh, ignore_errors=True)


def _aside(folder: Path) -> Path | None:
    """Rename the folder of the keys; None when there is none. A gate that starts in this moment makes no other keys."""
    if not folder.exists():
        return None
    number = 1
    while (place := folder.with_name(f"{folder.name}.before-restore-{number}")).exists():
        number += 1
    folder.rename(place)
    return place
