"""Signing in in a real browser, at a real provider of accounts (oidc-provider-mock)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page
from werkzeug.serving import make_server

from tests.browser.axe import violations
from tests.conftest import Clock
from tests.dashboard.conftest import Office, opened
from tests.dashboard.pages.conftest import chromium as chromium_of_the_pages

pytestmark = [pytest.mark.browser]
chromium = chromium_of_the_pages
