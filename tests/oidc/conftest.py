"""A provider of these tests' own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.oidc.party import Party, party


@pytest.fixture
async def there() -> AsyncIterator[Party]:
    async with party() as made:
        yield made
