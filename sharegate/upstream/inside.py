"""What lies inside what on this disk, compared as what it is, not as it is spelled: a disk may ignore case."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

_COPY_LEVELS = 2


def held(root: Path, paths: Iterable[Path]) -> Path | None:
    """The first of `paths` that lies at or below `root`, or above it. A symbolic link counts where it lies and where it
    leads: who can replace it says what is read."""
    mine, above = _identities(_real(root))
    for path in paths:
        for place in (_real(path), _real(path.parent) / path.name):
            its, around = _identities(place)
            if mine in (its, *around) or its in above:
                return path
    return None


def held_among(folder: Path, names: Iterable[str], paths: Iterable[Path]) -> dict[str, Path]:
    """What `held` and `copy_with_keys` say of each of these names in a folder, none of which is a link: looked at
    together, for what lies elsewhere is the same for all. Names of which they say nothing are left out."""
    real = _real(folder)
    itself, further = _identities(real)
    above = {itself, *further}
    inside: dict[object, Path] = {}
    for path in paths:
        for place in (_real(path), _real(path.parent) / path.name):
            its, around = _identities(place)
            if its in above:
                return dict.fromkeys(names, path)
            for each in (its, *around):
                inside.setdefault(each, path)
    outer = next((each for each in (real, *list(real.parents)[:1]) if _has_keys(each)), None)
    found = {}
    for name in names:
        child = real / name
        told = inside.get(_identity(child)) or outer
        told = told or next((each for each in (child, *_below(child, _COPY_LEVELS)) if _has_keys(each)), None)
        if told is not None:
            found[name] = told
    return found


def around(path: Path, roots: Iterable[tuple[str, Path]]) -> str:
    """The name of the first root at or above `path`; "" for none. The file need not be there yet."""
    its, above = _identities(_real(path))
    for name, root in roots:
        if _identity(_real(root)) in (its, *above):
            return name
    return ""


def copy_with_keys(root: Path) -> Path | None:
    """A copy of the records with their keys, as `store backup --with-keys` makes it: `root` itself, a folder up to two
    levels below it, or one that `root` is a part of."""
    for folder in (root, *list(root.parents)[:2], *_below(root, _COPY_LEVELS)):
        if _has_keys(folder):
            return folder
    return None


def _has_keys(folder: Path) -> bool:
    return os.path.lexists(folder / "keys" / "ring.json") and os.path.lexists(folder / "sharegate.db")


def _below(folder: Path, levels: int) -> Iterator[Path]:
    try:
        with os.scandir(folder) as found:
            inner = [Path(each.path) for each in found if each.is_dir(follow_symlinks=False)]
    except OSError:  # a file, or a folder that the gate cannot read: then it cannot be copied from here either
        return
    for each in inner:
        yield each
        if levels > 1:
            yield from _below(each, levels - 1)


def _real(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # links in a circle: nothing can be there
        return path.absolute()


def _identities(path: Path) -> tuple[object, list[object]]:
    """What stands at a path, and the folders above it."""
    return _identity(path), [_identity(each) for each in path.parents]


def _identity(path: Path) -> object:
    """What does not exist yet is known by its name."""
    try:
        found = path.stat()
    except OSError:
        return path
    return found.st_dev, found.st_ino
