"""Credentials and documents lie in the file sealed: neither read, nor moved, nor altered, nor opened by another key."""

from __future__ import annotations

from pathlib import Path

import pytest

from sharegate.errors import StoreUnavailable
from sharegate.stores.sqlite import SqliteStore, open_sqlite
from sharegate.versions.model import EditKind
from tests.stores.records import an_upstream
from tests.stores.sqlite.files import KEY, other_program
from tests.stores.version_contract import PLACE, PLENTY, a_snapshot, edit

# -- credentials ------------------------------------------------------------------------------------------------------


async def test_a_credential_is_nowhere_in_the_files(path: Path, store: SqliteStore) -> None:
    """Neither database nor log holds the raw token."""
    await store.put_upstream(an_upstream())
    await store.put_upstream(an_upstream())
    assert b"raw server token" not in b"".join(file.read_bytes() for file in path.parent.iterdir())
    await store.close()
    assert b"raw server token" not in path.read_bytes()


async def test_another_key_opens_nothing(path: Path, store: SqliteStore) -> None:
    """A wrong key is an unavailable store, a key of a wrong length a mistake of the caller."""
    await store.put_upstream(an_upstream())
    await store.close()
    with pytest.raises(StoreUnavailable, match="another key"):
        await open_sqlite(path, key=b"x" * 32)
    with pytest.raises(ValueError, match="32"):
        await open_sqlite(path, key=b"short")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE upstreams SET token = (SELECT token FROM upstreams WHERE id = 'u2') WHERE id = 'u1'",
        "UPDATE upstreams SET body = replace(body, '127.0.0.1', 'evil.example') WHERE id = 'u1'",
    ],
)
async def test_attack_a_credential_moved_to_another_server_or_address(
    path: Path, store: SqliteStore, statement: str
) -> None:
    """Who can write the file cannot have a token sent to a server that it is not for."""
    await store.put_upstream(an_upstream("u1"))
    await store.put_upstream(an_upstream("u2"))
    await store.close()
    with other_program(path) as connection:
        connection.execute(statement)
    with pytest.raises(StoreUnavailable, match="does not open"):
        await open_sqlite(path, key=KEY)


# -- documents --------------------------------------------------------------------------------------------------------


def on_disk(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.iterdir() if file.is_file())


async def test_attack_reading_documents_from_the_file(path: Path, store: SqliteStore) -> None:
    """Neither a snapshot nor a log holds a byte of the document in clear, in the file or its log."""
    secret = b"the answer to exercise 3"
    await store.keep_version(a_snapshot(), secret, limits=PLENTY)
    await store.append_edits(PLACE, [edit(EditKind.STATE, secret), edit(data=secret, origin="v1")], limit=1 << 20)
    found = on_disk(path)
    assert b"week3/a.ipynb" in found, "the file was read"
    assert secret not in found and b"exercise" not in found
    import hashlib
    import zlib

    assert zlib.compress(secret, 6)[2:-4] not in found
    assert hashlib.sha256(secret).hexdigest().encode() not in found and hashlib.sha256(secret).digest() not in found


async def test_another_key_opens_no_version(path: Path, store: SqliteStore) -> None:
    """Fails closed, and the file stays as it is."""
    await store.keep_version(a_snapshot(), b"document", limits=PLENTY)
    await store.append_edits(PLACE, [edit(EditKind.STATE)], limit=1 << 20)
    await store.close()
    other = await open_sqlite(path, key=b"x" * 32)
    with pytest.raises(StoreUnavailable):
        await other.version_content("n1")
    with pytest.raises(StoreUnavailable):
        await other.edits(PLACE)
    await other.close()
    again = await open_sqlite(path, key=KEY)
    assert await again.version_content("n1") == b"document"
    await again.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE contents SET data = (SELECT data FROM contents WHERE name != c.name LIMIT 1) FROM contents c"
        " WHERE contents.name = c.name",
        "UPDATE contents SET data = substr(data, 1, 13) || x'00' || substr(data, 15)",
        "UPDATE contents SET data = x''",
    ],
)
async def test_attack_altered_contents(path: Path, store: SqliteStore, statement: str) -> None:
    """Swapped, changed or cut contents do not open."""
    await store.keep_version(a_snapshot("n1"), b"one", limits=PLENTY)
    await store.keep_version(a_snapshot("n2"), b"two", limits=PLENTY)
    with other_program(path) as connection:
        connection.execute(statement)
    for id in ("n1", "n2"):
        with pytest.raises(StoreUnavailable):
            await store.version_content(id)


async def test_attack_changes_put_on_another_account(path: Path, store: SqliteStore) -> None:
    """An entry whose origin was altered in the file does not open."""
    await store.append_edits(PLACE, [edit(EditKind.STATE), edit(origin="v1")], limit=1 << 20)
    with other_program(path) as connection:
        connection.execute("UPDATE edits SET origin = 'v2' WHERE origin = 'v1'")
    with pytest.raises(StoreUnavailable):
        await store.edits(PLACE)
