"""Which store the settings ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from sharegate.errors import Invalid
from sharegate.store_url import StoreUrl
from sharegate.stores.redis.store import RedisStore, open_redis
from sharegate.stores.sqlite import SqliteStore, open_sqlite

Store = SqliteStore | RedisStore


class StoreSettings(Protocol):
    """What is asked of the configuration."""

    @property
    def data_dir(self) -> Path: ...
    @property
    def database(self) -> Path: ...
    @property
    def store(self) -> str: ...
    @property
    def store_password(self) -> str: ...
    @property
    def store_ca_file(self) -> Path | None: ...
    @property
    def store_prefix(self) -> str: ...
    @property
    def gate_name(self) -> str: ...


async def open_store(config: StoreSettings, *, key: bytes) -> Store:
    """The store that `config.store` names; "" is the file in data_dir. `key` (32 bytes) seals what is secret in it.

    Raises Refused, StoreUnavailable, and Invalid for an address that is none.
    """
    if not config.store:
        return await open_sqlite(config.database, key=key)
    url = StoreUrl.parse(config.store)
    if url.password and config.store_password:
        raise Invalid("store", "holds a password beside the one that is given apart", "Give one of them")
    return await open_redis(
        url.with_password(config.store_password or url.password),
        key=key,
        folder=config.data_dir / "run",
        gate=config.gate_name,
        prefix=config.store_prefix,
        ca_file=config.store_ca_file,
    )
