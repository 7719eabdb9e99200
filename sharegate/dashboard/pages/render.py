"""How a page of the dashboard is written: our templates, everything in them escaped, and words for moments."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from sharegate.dashboard.login import Session
from sharegate.dashboard.pages.agents import browser
from sharegate.dashboard.pages.moments import ago, moment, until
from sharegate.messages import Response
from sharegate.source import visible
from sharegate.visits.pages.assets import Assets, read
from sharegate.visits.pages.render import HEADERS as DOOR_HEADERS

HERE = Path(__file__).parent
_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "worker-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = tuple((name, _CSP if name == "Content-Security-Policy" else value) for name, value in DOOR_HEADERS)


@cache
def assets() -> Assets:
    """Style sheet, scripts and icon of the dashboard."""
    return read(HERE / "static", "/static")


def page(
    template: str, session: Session | None, now: float, *, mark: str = "", status: int = 200, **values: object
) -> Response:
    """Render one of our templates. `session` is None for whoever is not signed in. By `mark` the page sees whether
    anything happened before it heard of what happens."""
    text = (
        _environment()
        .get_template(template)
        .render(
            asset=assets().url,
            session=session,
            mark=mark,
            ago=lambda at: ago(at, now),
            until=lambda at: until(at, now),
            moment=moment,
            now=now,
            **values,
        )
    )
    return Response(status, HEADERS, text.encode())


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["browser"] = browser
    environment.filters["visible"] = lambda text: "\n".join(visible(line) for line in text.split("\n"))
    return environment
