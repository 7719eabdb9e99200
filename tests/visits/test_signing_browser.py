"""Signing in in a real browser, at a real provider of accounts (oidc-provider-mock)."""

from __future__ import annotations

import pytest

from tests.dashboard.pages.conftest import chromium as chromium_of_the_pages

pytestmark = [pytest.mark.browser]
chromium = chromium_of_the_pages
