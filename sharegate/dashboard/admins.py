"""What only admins may see and do in the dashboard: one rule for pages and API, by address.

It is asked once for each request of a browser (web.py), before anything else looks at the address. The command line
comes over the owner's socket, whose user is the admin.
"""

from __future__ import annotations

ADMINS = (
    "/admin",
    "/api/v1/config",
    "/api/v1/doctor",
    "/api/v1/health",
    "/api/v1/keys",
    "/api/v1/mail",
    "/api/v1/reports",
    "/api/v1/review",
    "/api/v1/rules",
    "/api/v1/search",
    "/api/v1/store",
    "/api/v1/tokens",
)
CODE, MESSAGE, REMEDY = "not_admin", "this is for admins", "Ask one of yours"


def for_admins(path: str) -> bool:
    """Whether only admins may ask for this address."""
    return any(path == each or path.startswith(each + "/") for each in ADMINS)
